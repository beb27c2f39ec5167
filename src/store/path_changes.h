// What happens to paths without new content: new attributes, a removal, a move. Each is one transaction of its own and
// becomes visible at once; all of it is done under the store's lock.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "store/committer.h"
#include "store/current_versions.h"
#include "store/operations.h"

namespace millrace {

/// A path below files/, and as its client names it.
struct AskedPath {
  std::string full;
  std::string shown;
};

/// Thread-safe.
class PathChanges {
 public:
  PathChanges(StoreParts& parts, CurrentVersions& versions, Committer& committer)
      : parts_(parts), versions_(versions), committer_(committer) {}

  /// As in Store, whose errors are these.
  Result<Version> set_attributes(const AskedPath& path, const Digest& root, const Attributes& attributes);
  Status remove(const AskedPath& path, Recursive recursive, const Expected& expected);
  Status move(const AskedPath& from, const AskedPath& to, Force force);

 private:
  /// The store's lock, once nothing at these paths or below waits for a checkpoint: what follows is redone by inode,
  /// and a power cut must not bring an older file back. Errors: kBusy when others commit there all the time.
  Result<std::unique_lock<std::mutex>> lock_settled(const std::vector<std::string>& paths);
  /// Where this fails the catalogue and the files differ: only a restart's recovery may go on.
  Status or_stop(Status status);
  /// Makes a committed operation visible. One that the file system refuses is taken back.
  Status finish(const Pending& pending);
  /// The move that was to replace it was refused. Where the trash has it no more it is gone, as was asked for.
  void bring_back(const Pending& replaced);
  /// A file, or a folder that is empty.
  Status remove_one(const AskedPath& path, const Expected& expected);
  /// A folder with all that is in it, some hundred files at a time; between two such groups others have their turn.
  /// `top` is the folder that is deleted: nothing below it may be unsettled when it goes on.
  Status remove_tree(std::unique_lock<std::mutex>& lock, const std::string& top, const AskedPath& path);

  Disk& disk() { return parts_.disk(); }
  StoreParts& parts_;
  CurrentVersions& versions_;
  Committer& committer_;
};

}  // namespace millrace
