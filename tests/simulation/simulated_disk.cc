#include "simulation/simulated_disk.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

#include "store/staging_shards.h"

namespace millrace::simulation {

namespace {

using Effect = SimulatedVolume::Effect;

std::string volume_path(const Place& place) {
  static constexpr std::array<const char*, 5> kAreas = {"", "files", "staging", "chunks", "trash"};
  const std::string area = kAreas[static_cast<std::size_t>(place.area)];
  if (area.empty()) return place.path;
  return place.path.empty() ? area : area + "/" + place.path;
}

FileStat to_stat(const Inode& inode) {
  FileStat stat;
  stat.kind = inode.kind;
  stat.device = 1;
  stat.inode = inode.number;
  stat.bytes = inode.now.bytes;
  stat.mtime_ns = inode.now.mtime_ns;
  stat.ctime_ns = inode.now.ctime_ns;
  stat.mode = inode.now.mode;
  return stat;
}

}  // namespace

void make_data_folder(SimulatedVolume& volume) {
  for (const char* area : {"files", "staging", "chunks", "trash"}) (void)volume.create(area, FileKind::kFolder);
  for (std::size_t shard = 0; shard < kStagingShards; ++shard) {
    char name[16];
    std::snprintf(name, sizeof name, "staging/%02zx", shard);
    (void)volume.create(name, FileKind::kFolder);
  }
  volume.flush_all();
}

DiskResult<File> SimulatedDisk::open(const Place& place, Access) {
  if (const int error = volume_.step(Effect::kRead, __func__)) return disk_fail(error);
  const auto found = volume_.find(volume_path(place));
  if (!found) return disk_fail(found.error());
  if ((*found)->kind == FileKind::kFolder) return disk_fail(EISDIR);
  return File(volume_.open(*found), this);
}

DiskResult<File> SimulatedDisk::create(const Place& place) {
  if (const int error = volume_.step(Effect::kGrow, __func__)) return disk_fail(error);
  const auto made = volume_.create(volume_path(place), FileKind::kRegular);
  if (!made) return disk_fail(made.error());
  return File(volume_.open(*made), this);
}

DiskResult<std::size_t> SimulatedDisk::pread(const File& file, MutableBytes into, std::uint64_t offset) {
  if (const int error = volume_.step(Effect::kRead, __func__)) return disk_fail(error);
  const Buffer& content = inode(file).content;
  if (offset >= content.size()) return std::size_t{0};
  const std::size_t count = std::min<std::uint64_t>(into.size(), content.size() - offset);
  std::copy_n(content.begin() + static_cast<std::ptrdiff_t>(offset), count, into.begin());
  return count;
}

DiskStatus SimulatedDisk::pwrite(const File& file, ByteView bytes, std::uint64_t offset) {
  const int error = volume_.step(Effect::kGrow, __func__);
  if (volume_.is_dead()) return disk_fail(EIO);
  // A write that fails may have been made in part.
  if (error != 0) bytes = bytes.first(volume_.random().below(bytes.size() + 1));
  inode(file).write(offset, bytes);
  inode(file).now.mtime_ns = inode(file).now.ctime_ns = volume_.file_time();
  if (error != 0) return disk_fail(error);
  return {};
}

DiskStatus SimulatedDisk::truncate(const File& file, std::uint64_t bytes) {
  if (const int error = volume_.step(Effect::kWrite, __func__)) return disk_fail(error);
  inode(file).truncate(bytes);
  inode(file).now.mtime_ns = inode(file).now.ctime_ns = volume_.file_time();
  return {};
}

DiskStatus SimulatedDisk::set_attributes(const File& file, std::uint32_t mode, std::int64_t mtime_ns) {
  if (const int error = volume_.step(Effect::kWrite, __func__)) return disk_fail(error);
  inode(file).now.mode = mode & 0777;
  inode(file).now.mtime_ns = mtime_ns;
  inode(file).now.ctime_ns = volume_.file_time();
  return {};
}

DiskStatus SimulatedDisk::fsync(const File& file) {
  if (const int error = volume_.step(Effect::kWrite, __func__)) {
    if (!volume_.is_dead()) inode(file).fail_fsync();
    return disk_fail(error);
  }
  inode(file).fsync();
  return {};
}

DiskStatus SimulatedDisk::fsync_folder(const Place& place) {
  if (const int error = volume_.step(Effect::kWrite, __func__)) return disk_fail(error);
  return volume_.flush_folder(volume_path(place));
}

DiskStatus SimulatedDisk::flush_all() {
  if (const int error = volume_.step(Effect::kWrite, __func__)) return disk_fail(error);
  volume_.flush_all();
  return {};
}

DiskStatus SimulatedDisk::start_writeback(const File&, std::uint64_t, std::uint64_t) {
  if (const int error = volume_.step(Effect::kRead, __func__)) return disk_fail(error);
  return {};
}

DiskResult<FileStat> SimulatedDisk::stat_file(const File& file) {
  if (const int error = volume_.step(Effect::kRead, __func__)) return disk_fail(error);
  return to_stat(inode(file));
}

DiskResult<FileStat> SimulatedDisk::stat(const Place& place) {
  if (const int error = volume_.step(Effect::kRead, __func__)) return disk_fail(error);
  const auto found = volume_.find(volume_path(place));
  if (!found) return disk_fail(found.error());
  return to_stat(**found);
}

DiskResult<std::vector<std::string>> SimulatedDisk::list(const Place& place) {
  if (const int error = volume_.step(Effect::kRead, __func__)) return disk_fail(error);
  const auto found = volume_.find(volume_path(place));
  if (!found) return disk_fail(found.error());
  if ((*found)->kind != FileKind::kFolder) return disk_fail(ENOTDIR);
  std::vector<std::string> names;
  for (const auto& [name, below] : (*found)->names) names.push_back(name);
  for (std::size_t i = names.size(); i > 1; --i) std::swap(names[i - 1], names[volume_.random().below(i)]);
  return names;
}

DiskStatus SimulatedDisk::make_folder(const Place& place) {
  if (const int error = volume_.step(Effect::kGrow, __func__)) return disk_fail(error);
  const auto made = volume_.create(volume_path(place), FileKind::kFolder);
  if (!made) return disk_fail(made.error());
  return {};
}

DiskStatus SimulatedDisk::remove_folder(const Place& place) {
  if (const int error = volume_.step(Effect::kWrite, __func__)) return disk_fail(error);
  return volume_.remove(volume_path(place), FileKind::kFolder);
}

DiskStatus SimulatedDisk::unlink(const Place& place) {
  if (const int error = volume_.step(Effect::kWrite, __func__)) return disk_fail(error);
  return volume_.remove(volume_path(place), FileKind::kRegular);
}

DiskStatus SimulatedDisk::rename_noreplace(const Place& from, const Place& to) {
  if (const int error = volume_.step(Effect::kWrite, __func__)) return disk_fail(error);
  return volume_.rename_noreplace(volume_path(from), volume_path(to));
}

DiskStatus SimulatedDisk::exchange(const Place& staged, const Place& path) {
  if (const int error = volume_.step(Effect::kWrite, __func__)) return disk_fail(error);
  return volume_.exchange(volume_path(staged), volume_path(path));
}

DiskStatus SimulatedDisk::link(const Place& from, const Place& to) {
  if (const int error = volume_.step(Effect::kWrite, __func__)) return disk_fail(error);
  return volume_.link(volume_path(from), volume_path(to));
}

DiskResult<std::uint64_t> SimulatedDisk::total_bytes() {
  return std::uint64_t{1} << 40;
}

DiskResult<std::uint64_t> SimulatedDisk::free_bytes() {
  if (const int error = volume_.step(Effect::kRead, __func__)) return disk_fail(error);
  return volume_.faults.is_full ? 0 : std::uint64_t{1} << 40;
}

/// The transaction's own writes go through SQLite.
DiskStatus SimulatedDisk::before_transaction() {
  return {};
}

}  // namespace millrace::simulation
