// One local file on its way to the server, and what is reported of it.
#pragma once

#include "client/command_run.h"
#include "client/local_files.h"
#include "sync/prepared_target.h"

namespace millrace {

struct FileToUpload {
  std::size_t number = 0;  ///< for the progress
  std::string local;       ///< for sentences
  std::string remote;
  /// Opens it once more after it changed while it was read.
  std::function<Result<std::shared_ptr<LocalSource>>()> open_again;
  std::shared_ptr<const PreparedTarget> prepared{};  ///< of what is sent at first; may be null
};

/// Sends what `source` holds and reports how that ended; `over` is called once. A file that changed while it was read
/// is tried a second time. The run must outlive it.
void upload_file(CommandRun& run, const FileToUpload& file, const std::shared_ptr<LocalSource>& source,
                 const TransferOptions& options, std::function<void()> over);

/// What a dry run says of a file that would be sent: `there` answered a STAT of its path.
void say_would_upload(CommandRun& run, const std::string& local, const std::string& remote, std::uint64_t bytes,
                      const Attributes& attributes, const wire::EntryMessage& there);

/// Same size, time and mode: what rsync calls its quick check, for the version that a STAT or LIST named.
bool is_alike(const wire::EntryMessage& there, std::uint64_t bytes, const Attributes& attributes);

}  // namespace millrace
