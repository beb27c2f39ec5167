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

Status recover(StoreParts& parts);

/// Makes the folders above a path. `made` gets those that are new, outermost first.
Status make_parents(Disk& disk, const std::string& path);

}  // namespace millrace
