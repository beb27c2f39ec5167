#include "client/tree_walk.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/path.h"
#include "client/partial_download.h"

namespace millrace {

namespace {

constexpr std::int64_t kNanoseconds = 1'000'000'000;

/// Nothing for files and folders.
const char* why_skipped(mode_t mode) {
  if (S_ISREG(mode) || S_ISDIR(mode)) return nullptr;
  if (S_ISLNK(mode)) return "a symbolic link";
  if (S_ISFIFO(mode)) return "a named pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

WalkedEntry failed_entry(std::string path, Error error) {
  WalkedEntry entry;
  entry.kind = WalkedEntry::Kind::kFailed;
  entry.path = std::move(path);
  entry.error = std::move(error);
  return entry;
}

Error vanished(const std::string& shown) {
  return {Code::kSourceChanged, "'" + printable(shown) + "' vanished while its folder was read."};
}

}  // namespace

TreeWalk::TreeWalk(std::string local, const Selection& selection)
    : local_(std::move(local)), name_(tree_name(local_)), selection_(selection) {
  if (selection_.names) name_.clear();  // their paths are whole ones, as rsync takes them
}

void TreeWalk::begin() {
  begun_ = true;
  const bool contents = tree_name(local_).empty() || selection_.names;
  if (!contents) {
    auto place = place_of(local_);
    if (!place) return first_.push_back(failed_entry(name_, place.error()));
    struct stat stat {};
    if (fstatat(place->folder->descriptor(), name_.c_str(), &stat, AT_SYMLINK_NOFOLLOW) != 0) {
      return first_.push_back(failed_entry(name_, system_error(errno, "'" + printable(local_) + "' cannot be read")));
    }
    if (!S_ISDIR(stat.st_mode)) return look_at(place->folder, name_, name_, first_);
    if (selection_.patterns.excludes(name_, EntryType::kFolder)) return;
  }
  auto top = LocalFolder::open(local_);
  if (!top) return first_.push_back(failed_entry(name_, top.error()));
  top_ = std::move(*top);
  if (!selection_.names) waiting_.emplace_back();
}

std::vector<WalkedEntry> TreeWalk::next(std::size_t most) {
  if (!begun_) begin();
  std::vector<WalkedEntry> found = std::move(first_);
  first_.clear();
  while (found.size() < most) {
    if (!reading_) {
      if (!waiting_.empty()) {
        const std::string path = std::move(waiting_.back());
        waiting_.pop_back();
        if (const auto entered = enter(path); !entered)
          found.push_back(failed_entry(joined(name_, path), entered.error()));
        continue;
      }
      const bool more = top_ && selection_.names && next_name_ < selection_.names->size();
      if (!more) break;
      look_at_name((*selection_.names)[next_name_++], found);
      continue;
    }
    errno = 0;
    const dirent* const entry = readdir(reading_.get());
    if (entry == nullptr) {
      if (errno != 0) {
        found.push_back(failed_entry(
            joined(name_, folder_path_),
            system_error(errno, "The folder '" + printable(folder_->path_of("")) + "' cannot be read to its end")));
      }
      leave();
      continue;
    }
    const std::string name = entry->d_name;
    if (name != "." && name != "..") look_at(folder_, name, joined(joined(name_, folder_path_), name), found);
  }
  return found;
}

Status TreeWalk::enter(const std::string& path) {
  auto folder = top_->below(path, Missing::kFail);
  if (!folder) return fail(folder.error().code == Code::kNotFound ? vanished(top_->path_of(path)) : folder.error());
  Descriptor readable(openat((*folder)->descriptor(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (readable.is_open()) reading_.reset(fdopendir(readable.number()));
  if (!reading_) return fail(system_error(errno, "The folder '" + printable(top_->path_of(path)) + "' cannot be read"));
  (void)readable.release();
  folder_ = std::move(*folder);
  folder_path_ = path;
  return {};
}

void TreeWalk::leave() {
  reading_.reset();
  folder_.reset();
}

void TreeWalk::look_at_name(const std::string& name, std::vector<WalkedEntry>& into) {
  auto folder = top_->below(parent_path(name), Missing::kFail);
  if (!folder) return into.push_back(failed_entry(name, folder.error()));
  if (selection_.patterns.hides(parent_path(name), EntryType::kFolder)) return;
  struct stat stat {};
  const std::string last(last_part(name));
  if (fstatat((*folder)->descriptor(), last.c_str(), &stat, AT_SYMLINK_NOFOLLOW) != 0) {
    return into.push_back(
        failed_entry(name, system_error(errno, "'" + printable(top_->path_of(name)) + "' cannot be read")));
  }
  look_at(*folder, last, name, into);
}

void TreeWalk::look_at(const std::shared_ptr<const LocalFolder>& folder, const std::string& name,
                       const std::string& path, std::vector<WalkedEntry>& into) {
  struct stat stat {};
  if (fstatat(folder->descriptor(), name.c_str(), &stat, AT_SYMLINK_NOFOLLOW) != 0) {
    return into.push_back(failed_entry(
        path, errno == ENOENT ? vanished(folder->path_of(name))
                              : system_error(errno, "'" + printable(folder->path_of(name)) + "' cannot be read")));
  }
  const EntryType type = S_ISDIR(stat.st_mode) ? EntryType::kFolder : EntryType::kFile;
  if (selection_.patterns.excludes(path, type)) return;
  if (const auto checked = check_path(path, RootAllowed::kNo); !checked)
    return into.push_back(failed_entry(path, checked.error()));
  if (type == EntryType::kFolder) {
    waiting_.push_back(name_.empty() ? path : path.substr(name_.size() + 1));
    return;
  }
  if (S_ISREG(stat.st_mode) && is_unfinished_name(name)) return;
  WalkedEntry entry;
  entry.path = path;
  if (const char* const reason = why_skipped(stat.st_mode)) {
    entry.kind = WalkedEntry::Kind::kSkipped;
    entry.reason = reason;
  } else {
    entry.place = {folder, name};
    entry.bytes = static_cast<std::uint64_t>(stat.st_size);
    entry.attributes = {std::int64_t{stat.st_mtim.tv_sec} * kNanoseconds + stat.st_mtim.tv_nsec,
                        static_cast<std::uint32_t>(stat.st_mode & 0777)};
  }
  into.push_back(std::move(entry));
}

}  // namespace millrace
