#include "store/open_files.h"

#include <cerrno>

namespace millrace {

DiskResult<std::shared_ptr<const File>> OpenFiles::get(Disk& disk, const Place& place, Access access, FileId id) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = by_id_.find(id); found != by_id_.end()) {
      recent_.splice(recent_.begin(), recent_, found->second);
      return recent_.front().file;
    }
  }
  auto file = disk.open(place, access);
  if (!file) return disk_fail(file.error());
  const auto stat = disk.stat_file(*file);
  if (!stat) return disk_fail(stat.error());
  if (id_of(*stat) != id) return disk_fail(ESTALE);
  return keep(id, std::make_shared<const File>(std::move(*file)));
}

void OpenFiles::put(FileId id, File file) {
  (void)keep(id, std::make_shared<const File>(std::move(file)));
}

std::shared_ptr<const File> OpenFiles::keep(FileId id, std::shared_ptr<const File> file) {
  std::shared_ptr<const File> closed;  // after the lock
  const std::lock_guard lock(mutex_);
  if (const auto found = by_id_.find(id); found != by_id_.end()) return found->second->file;
  recent_.push_front({id, file});
  by_id_.emplace(id, recent_.begin());
  if (recent_.size() > capacity_) {
    closed = std::move(recent_.back().file);
    by_id_.erase(recent_.back().id);
    recent_.pop_back();
  }
  return file;
}

void OpenFiles::forget(FileId id) {
  std::shared_ptr<const File> closed;  // after the lock
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return;
  closed = std::move(found->second->file);
  recent_.erase(found->second);
  by_id_.erase(found);
}

std::shared_ptr<Readers::Reader> Readers::add(const std::string& path, FileId id) {
  auto reader = std::make_shared<Reader>();
  reader->id = id;
  const std::lock_guard lock(mutex_);
  if (by_path_.size() > 2 * swept_size_ + 16) {
    std::erase_if(by_path_, [](const auto& entry) { return entry.second.expired(); });
    swept_size_ = by_path_.size();
  }
  by_path_.emplace(path, reader);
  return reader;
}

void Readers::keep(Disk& disk, OpenFiles& files, const std::string& path) {
  const std::lock_guard lock(mutex_);
  const auto visit = [&](auto at, const auto& belongs) {
    while (at != by_path_.end() && belongs(at->first)) {
      const auto reader = at->second.lock();
      if (!reader) {
        at = by_path_.erase(at);
        continue;
      }
      if (!reader->kept()) {
        if (auto file = files.get(disk, {Area::kFiles, at->first}, Access::kRead, reader->id)) {
          const std::lock_guard reader_lock(reader->mutex);
          reader->file = std::move(*file);
        }
      }
      ++at;
    }
  };
  visit(by_path_.lower_bound(path), [&](const std::string& name) { return name == path; });
  const std::string below = path + "/";
  visit(by_path_.lower_bound(below), [&](const std::string& name) { return name.starts_with(below); });
}

}  // namespace millrace
