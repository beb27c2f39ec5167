// What a start does after a crash: committed operations are made visible, what was never committed is swept.
#pragma once

#include "store/stored_file.h"

namespace millrace {

enum class Outcome : std::uint8_t {
  kDone,
  kGone,     ///< the file is no longer there to do it with
  kForeign,  ///< somebody else's file stands in the way, and stays
};

/// Brings one committed operation to its end in files/ and flushes the folders it touched; may be called again after
/// any interruption. Errors: the system's; nothing is known then, and it has to be called again.
Result<Outcome> materialise(StoreParts& parts, const Pending& pending);

/// The row of a file whose operation is done gets the stat data of now; the row of one that was not possible is
/// forgotten, and whatever is at the path is indexed at the next look.
Status settle(StoreParts& parts, const Pending& pending, Outcome outcome);

/// `report`, which may be empty, is told of each file of somebody else's that stands where an acknowledged one was.
Status recover(StoreParts& parts, const std::function<void(const std::string&)>& report);

/// After recovery. Where the machine was started anew and the last run neither flushed its files nor ended cleanly,
/// what stat says of them proves nothing any more.
Status note_start(StoreParts& parts, std::uint64_t boot);
/// The last write of a clean end.
Status note_end(StoreParts& parts);

/// Makes the folders above a path.
Status make_parents(Disk& disk, const std::string& path);

}  // namespace millrace
