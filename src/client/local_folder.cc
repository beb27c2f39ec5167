#include "client/local_folder.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/path.h"

namespace millrace {

namespace {

constexpr int kFolderFlags = O_PATH | O_DIRECTORY | O_CLOEXEC;
constexpr mode_t kFolderMode = 0777;

}  // namespace

Result<std::shared_ptr<const LocalFolder>> LocalFolder::open(const std::string& path) {
  Descriptor descriptor(::open(path.empty() ? "." : path.c_str(), kFolderFlags));
  if (!descriptor.is_open()) return fail(system_error(errno, "The folder '" + printable(path) + "' cannot be opened"));
  std::string prefix = path;
  if (!prefix.empty() && !prefix.ends_with('/')) prefix += '/';
  return std::shared_ptr<const LocalFolder>(new LocalFolder(std::move(descriptor), std::move(prefix)));
}

Result<std::shared_ptr<const LocalFolder>> LocalFolder::below(std::string_view relative, Missing missing) const {
  Descriptor here(openat(descriptor(), ".", kFolderFlags));
  if (!here.is_open()) return fail(system_error(errno, "The folder '" + printable(path_) + "' cannot be opened"));
  std::string shown = path_;
  while (!relative.empty()) {
    const std::string part(relative.substr(0, relative.find('/')));
    relative.remove_prefix(std::min(part.size() + 1, relative.size()));
    shown += part;
    Descriptor next(openat(here.number(), part.c_str(), kFolderFlags | O_NOFOLLOW));
    if (!next.is_open() && errno == ENOENT && missing == Missing::kMake) {
      if (mkdirat(here.number(), part.c_str(), kFolderMode) != 0 && errno != EEXIST)
        return fail(system_error(errno, "The folder '" + printable(shown) + "' cannot be made"));
      next = Descriptor(openat(here.number(), part.c_str(), kFolderFlags | O_NOFOLLOW));
    }
    if (!next.is_open() && (errno == ENOTDIR || errno == ELOOP)) {
      struct stat stat {};
      const bool link = fstatat(here.number(), part.c_str(), &stat, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(stat.st_mode);
      return fail(Code::kNotAllowed, "'" + printable(shown) +
                                         (link ? "' is a symbolic link, which is not followed below the folder that "
                                                 "was named; remove it or name its target."
                                               : "' is not a folder; remove it to make room for one."));
    }
    if (!next.is_open()) return fail(system_error(errno, "The folder '" + printable(shown) + "' cannot be opened"));
    shown += '/';
    here = std::move(next);
  }
  return std::shared_ptr<const LocalFolder>(new LocalFolder(std::move(here), std::move(shown)));
}

std::string LocalFolder::path_of(std::string_view name) const {
  return path_ + std::string(name);
}

Result<LocalPlace> place_of(const std::string& path) {
  const auto slash = path.rfind('/');
  MILLRACE_ASSIGN(auto folder,
                  LocalFolder::open(slash == std::string::npos ? std::string() : path.substr(0, slash + 1)));
  return LocalPlace{std::move(folder), std::string(last_part(path))};
}

}  // namespace millrace
