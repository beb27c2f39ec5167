// Where a download is built: in a file without a name (or a hidden one, where that is impossible) in the folder of the
// place where it ends up. Once it is large its file gets the name of a partial, under which it stays when the download
// is cut off (client/partial_download).
#pragma once

#include "client/local_files.h"
#include "client/partial_download.h"
#include "sync/download_client.h"

namespace millrace {

/// What a download replaces and what it goes on with.
struct DraftPlace {
  std::shared_ptr<const Source> replaced;    ///< what stands at the place; null: nothing
  std::shared_ptr<PartialDownload> partial;  ///< null: nothing is kept of a download that is cut off
  std::uint64_t random = 0;                  ///< for the names that it may need
};

/// What the download is compared with: the partial, and behind it what stands at the place.
void set_basis(DownloadTarget& target, const DraftPlace& what);

/// Builds `place`. commit() sets mode and time, flushes and renames, and removes what earlier downloads left. It
/// refuses (kSourceChanged) to replace what is not `replaced` any more, or anything where that is null. keep() copies
/// from `basis`, whose chunks are `chunks`.
Result<std::unique_ptr<DownloadDraft>> open_file_draft(LocalPlace place, DraftPlace what,
                                                       std::shared_ptr<const Source> basis,
                                                       std::shared_ptr<const ChunkList> chunks);
/// The same for a path of the user's, whose folders may be reached through links.
Result<std::unique_ptr<DownloadDraft>> open_file_draft(const std::string& path, DraftPlace what,
                                                       std::shared_ptr<const Source> basis,
                                                       std::shared_ptr<const ChunkList> chunks);

/// Builds what goes to a pipe in the spool whose descriptor it takes over; commit() gives it no name.
std::unique_ptr<DownloadDraft> make_spool_draft(int descriptor);

}  // namespace millrace
