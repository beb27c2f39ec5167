// What a start does after a crash: committed operations are made visible, what was never committed is swept.
#pragma once

#include "store/stored_file.h"

namespace millrace {

/// How the run before this one ended.
struct LastRun {
  bool machine_restarted = false;  ///< since then, without a clean end of the run: what was not flushed may be lost
  Durability durability = Durability::kFull;
  bool ended_cleanly = true;
};
Result<LastRun> last_run(StoreParts& parts, std::uint64_t boot);

/// What the operator has to know; never empty.
using Report = std::function<void(const std::string& sentence)>;

/// Redoes what is pending. Commits are then unsettled: a checkpoint must follow. `report` is told of each file of
/// somebody else's that stands where an acknowledged one was, and of each that is lost.
Status redo_pending(StoreParts& parts, const LastRun& last, const Report& report);
/// Removes what neither a commit nor a later attempt of a cut upload needs. After the checkpoint.
Status sweep_staging(StoreParts& parts);

/// After recovery. Where the last run flushed nothing, what stat says of the files proves nothing any more after the
/// machine went down; where only the server did, its files are flushed before this run's durability counts.
Status note_start(StoreParts& parts, const LastRun& last, std::uint64_t boot);
/// The last write of a clean end.
Status note_end(StoreParts& parts);

}  // namespace millrace
