// Local files as a tree is walked: a batch at a time, so that however many there are, only the folders that are still
// to be looked into are held. One folder is open at a time, and symbolic links are not followed.
#pragma once

#include <dirent.h>

#include <memory>
#include <string>
#include <vector>

#include "client/local_folder.h"
#include "client/selection.h"
#include "store/store.h"

namespace millrace {

/// A file of the tree, or what is to be said about another entry.
struct WalkedEntry {
  enum class Kind : std::uint8_t { kFile, kSkipped, kFailed };
  Kind kind = Kind::kFile;
  std::string path;  ///< as the other side will see it: below the tree's name, where it has one
  LocalPlace place;  ///< of a file
  std::uint64_t bytes = 0;
  Attributes attributes;
  std::string reason;  ///< of kSkipped: "a symbolic link"
  Error error;         ///< of kFailed
};

/// Used by one thread at a time; every call blocks on the disk.
class TreeWalk {
 public:
  /// Of the file or folder `local`. The selection must outlive the walk.
  TreeWalk(std::string local, const Selection& selection);
  /// Up to `most` entries more; none: this was all.
  std::vector<WalkedEntry> next(std::size_t most);

 private:
  struct CloseFolder {
    void operator()(DIR* folder) const { closedir(folder); }
  };
  void begin();
  /// Opens a folder below the top to read it.
  Status enter(const std::string& path);
  /// The folder that was read is closed.
  void leave();
  /// `name` in the folder, `path` for the other side.
  void look_at(const std::shared_ptr<const LocalFolder>& folder, const std::string& name, const std::string& path,
               std::vector<WalkedEntry>& into);
  void look_at_name(const std::string& name, std::vector<WalkedEntry>& into);

  std::string local_;
  std::string name_;  ///< the tree's, in front of every path
  const Selection& selection_;
  std::shared_ptr<const LocalFolder> top_;
  std::vector<std::string> waiting_;  ///< folders, below the top
  std::size_t next_name_ = 0;         ///< of the selection's
  bool begun_ = false;
  std::shared_ptr<const LocalFolder> folder_;  ///< that is read
  std::string folder_path_;                    ///< below the top
  std::unique_ptr<DIR, CloseFolder> reading_;
  std::vector<WalkedEntry> first_;  ///< what begin() found
};

}  // namespace millrace
