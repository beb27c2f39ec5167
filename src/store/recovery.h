// What a start does after a crash: committed operations are made visible, what was never committed is swept.
#pragma once

#include "store/stored_file.h"

namespace millrace {

/// Brings one committed operation to its end in files/ and flushes the folders it touched; may be called again after any interruption.
/// Gives false when neither files/ nor staging has the file any more: the row is to be forgotten.
Result<bool> materialise(StoreParts& parts, const Pending& pending);

/// The row of a file whose operation is done: its stat data are those of now.
Status settle(StoreParts& parts, const Pending& pending, bool present);

Status recover(StoreParts& parts);

/// Makes the folders above a path. `made` gets those that are new, outermost first.
Status make_parents(Disk& disk, const std::string& path);

}  // namespace millrace
