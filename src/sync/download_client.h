// The client's side of a download: it searches its own basis for pieces of the server's target and builds the target in
// a draft.
#pragma once

#include <memory>

#include "delta/draft.h"
#include "delta/source.h"
#include "sync/client_transfer.h"
#include "sync/stream.h"
#include "sync/toolbox.h"

namespace millrace {

/// Where a download is built. commit() is called on a worker after the root was verified: it makes the file visible at
/// its place.
class DownloadDraft : public Draft {
 public:
  virtual Status commit(const Version& version) = 0;
};

/// What a basis is. One that already is the version is left alone where it stands at its place, and copied otherwise.
enum class BasisIs : std::uint8_t { kAtPlace, kElsewhere };

struct DownloadTarget {
  std::string path;
  std::shared_ptr<const Source> basis;  ///< null: none
  BasisIs basis_is = BasisIs::kAtPlace;
  /// Called on a worker when data is going to come; not called when nothing changed. keep() copies from this basis and
  /// counts its chunks.
  std::function<Result<std::unique_ptr<DownloadDraft>>(std::shared_ptr<const Source> basis,
                                                       std::shared_ptr<const ChunkList> basis_chunks)>
      open_draft;
  /// The download was cut off in the middle: `work` takes in what had arrived, on a worker and at any time, for a draft
  /// that outlives it. May be null.
  std::function<void(std::function<void()> work)> on_cut{};
  /// What was built does not have the root that the server named, and what it cost; called on the loop before `done`
  /// gets kIntegrity. May be null.
  std::function<void(std::shared_ptr<DownloadDraft> built, const TransferResult&)> on_wrong{};
};

std::shared_ptr<Conversation> make_download(StreamPort& port, DownloadTarget target, const TransferOptions& options,
                                            const Toolbox& toolbox, TransferDone done, TransferObserver observer);

}  // namespace millrace
