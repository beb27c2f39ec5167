// The client's side of an upload: it cuts and hashes its target, compares trees, searches its gaps for the basis's
// blocks and sends the patch. A new file streams while it is hashed, and its root comes last.
#pragma once

#include <memory>

#include "delta/source.h"
#include "sync/client_transfer.h"
#include "sync/prepared_target.h"
#include "sync/stream.h"
#include "sync/toolbox.h"

namespace millrace {

struct UploadTarget {
  std::string path;
  std::shared_ptr<const Source> source;
  Attributes attributes;
  /// Of `source`, for an upload of the whole file only; may be null.
  std::shared_ptr<const PreparedTarget> prepared{};
};

/// Whether the server can have nothing that is worth a question first.
bool is_sent_whole(const TransferOptions& options, std::uint64_t bytes);

/// The conversation to put on a stream with Mux::open: it sends its request in start-up. `done` is called once, on the
/// loop.
std::shared_ptr<Conversation> make_upload(StreamPort& port, UploadTarget target, const TransferOptions& options,
                                          const Toolbox& toolbox, TransferDone done, TransferObserver observer);

}  // namespace millrace
