// Files that are removed together cost one durable transaction and a flush of each folder, however many they are.
#pragma once

#include <string>
#include <vector>

#include "store/operations.h"

namespace millrace {

struct RemovedFile {
  std::string path;
  std::uint64_t inode = 0;  ///< what is there when it comes to it stays if it is another
};

/// Under the store's lock, and none of the paths may be unsettled. Errors: those of which was_refused() is true, after
/// which what could not be removed is as before; the system's: once the transaction stands one stops all writing, and
/// the next start removes what is left.
Status remove_together(StoreParts& parts, const std::vector<RemovedFile>& files);

}  // namespace millrace
