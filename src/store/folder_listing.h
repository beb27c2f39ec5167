// One page of a listing, in path_less's order: the names of a folder in their order, what a folder holds right behind
// it. A page costs what it shows and the names of the folders on the way to it; what stands before the cursor is not
// looked at.
#pragma once

#include "store/disk.h"
#include "store/store.h"

namespace millrace {

/// The version of a file that stat describes so, where it is known.
using VersionOf = std::function<Result<std::optional<Version>>(const std::string& path, const FileStat& stat)>;

/// `account`: the folder of the area that paths are relative to, or empty.
Result<Listing> list_in_order(Disk& disk, Area area, const std::string& account, const VersionOf& version_of,
                              const std::string& folder, Recursive recursive, const std::string& cursor,
                              std::size_t limit);

}  // namespace millrace
