#include "store/durable_names.h"

#include <cerrno>

#include "base/path.h"

namespace millrace {

namespace {
constexpr std::size_t kMostKnown = 100'000;
}

Status DurableNames::flush(Disk& disk, const std::set<std::string>& folders) {
  // A folder that another program took the rights from since cannot be opened; the whole file system can be flushed.
  const auto flush_all = [&](const std::string& folder) -> Status {
    const auto flushed = disk.flush_all();
    return flushed ? Status() : fail(disk_error(flushed.error(), "flush the folder", folder));
  };
  std::set<std::string> to_flush = folders;
  std::map<std::string, std::uint64_t> becoming_known;
  std::uint64_t forgotten = 0;
  {
    const std::lock_guard lock(mutex_);
    forgotten = forgotten_;
  }
  for (const std::string& start : folders) {
    for (std::string folder = start; !folder.empty(); folder = parent_path(folder)) {
      if (becoming_known.contains(folder)) break;
      const auto stat = disk.stat({Area::kFiles, folder});
      if (!stat && is_missing(stat.error())) continue;
      if (!stat && stat.error() == EACCES) return flush_all(folder);
      if (!stat) return fail(disk_error(stat.error(), "stat the folder", folder));
      {
        const std::lock_guard lock(mutex_);
        const auto known = known_.find(folder);
        if (known != known_.end() && known->second == stat->inode) continue;
      }
      to_flush.emplace(parent_path(folder));
      becoming_known[folder] = stat->inode;
    }
  }
  for (const std::string& folder : to_flush) {
    const auto flushed = disk.fsync_folder({Area::kFiles, folder});
    if (!flushed && flushed.error() == EACCES) return flush_all(folder);
    if (!flushed && !is_missing(flushed.error())) return fail(disk_error(flushed.error(), "flush the folder", folder));
  }
  const std::lock_guard lock(mutex_);
  if (forgotten != forgotten_) return {};
  if (known_.size() > kMostKnown) known_.clear();
  for (const auto& [folder, inode] : becoming_known) known_[folder] = inode;
  return {};
}

void DurableNames::forget(const std::string& folder) {
  const std::lock_guard lock(mutex_);
  ++forgotten_;
  known_.erase(folder);
  const std::string below = folder + "/";
  auto one = known_.lower_bound(below);
  while (one != known_.end() && one->first.starts_with(below)) one = known_.erase(one);
}

}  // namespace millrace
