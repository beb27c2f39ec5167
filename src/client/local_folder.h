// Local folders as handles. What is below one is reached part by part from its descriptor and never through a symbolic
// link, so that neither a server's names nor somebody who swaps a folder for a link leads out of it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "net/descriptor.h"

namespace millrace {

enum class Missing : std::uint8_t { kFail, kMake };

class LocalFolder {
 public:
  /// Links on the way are followed: the user named it. Errors: kNotFound, kNotAllowed, kUsage for what is no folder.
  static Result<std::shared_ptr<const LocalFolder>> open(const std::string& path);
  /// `relative` is a path as check_path wants it, or empty: this folder itself. Errors: kNotAllowed where a part is a
  /// symbolic link or no folder, kNotFound, the system's.
  Result<std::shared_ptr<const LocalFolder>> below(std::string_view relative, Missing missing) const;

  /// For *at() calls only: it is open for its path alone.
  int descriptor() const { return descriptor_.number(); }
  /// For sentences.
  std::string path_of(std::string_view name) const;

 private:
  LocalFolder(Descriptor descriptor, std::string path) : descriptor_(std::move(descriptor)), path_(std::move(path)) {}
  Descriptor descriptor_;
  std::string path_;  ///< with its '/' behind, empty for the working folder
};

/// A name in a folder.
struct LocalPlace {
  std::shared_ptr<const LocalFolder> folder;
  std::string name;
  std::string shown() const { return folder->path_of(name); }
};

/// The place that a path of the user's names. Errors: as LocalFolder::open.
Result<LocalPlace> place_of(const std::string& path);

}  // namespace millrace
