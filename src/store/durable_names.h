// Which names are on disk. A name is when its folder was flushed, and the folder's own name, up to one that is known to
// be. Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>

#include "store/disk.h"

namespace millrace {

class DurableNames {
 public:
  /// Makes all names durable that stand in these folders now, and the folders' own. Folders that are gone are left out.
  Status flush(Disk& disk, const std::set<std::string>& folders);
  /// A folder was made there, or moved there: file systems give the inode of one that was removed to the next.
  void forget(const std::string& folder);

 private:
  std::mutex mutex_;
  std::map<std::string, std::uint64_t> known_;  ///< folders whose own names are durable, and their inodes
  std::uint64_t forgotten_ = 0;                 ///< how often: a flush that was under way then has learned nothing
};

}  // namespace millrace
