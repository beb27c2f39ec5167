// The store's Disk upon a simulated volume.
#pragma once

#include "simulation/simulated_volume.h"

namespace millrace::simulation {

/// Makes the folders of an empty data folder, durably.
void make_data_folder(SimulatedVolume& volume);

class SimulatedDisk final : public Disk, private FileCloser {
 public:
  /// The volume outlives the disk, and the disk all files that it opened.
  explicit SimulatedDisk(SimulatedVolume& volume) : volume_(volume) {}

  DiskResult<File> open(const Place&, Access) override;
  DiskResult<File> create(const Place&) override;
  DiskResult<std::size_t> pread(const File&, MutableBytes into, std::uint64_t offset) override;
  DiskStatus pwrite(const File&, ByteView bytes, std::uint64_t offset) override;
  DiskStatus truncate(const File&, std::uint64_t bytes) override;
  DiskStatus set_attributes(const File&, std::uint32_t mode, std::int64_t mtime_ns) override;
  DiskStatus fsync(const File&) override;
  DiskStatus fsync_folder(const Place&) override;
  DiskStatus flush_all() override;
  DiskStatus start_writeback(const File&, std::uint64_t offset, std::uint64_t bytes) override;
  DiskStatus drop_cached(const File&) override { return {}; }
  DiskResult<FileStat> stat_file(const File&) override;
  DiskResult<FileStat> stat(const Place&) override;
  DiskResult<std::vector<std::string>> list(const Place&) override;
  DiskStatus make_folder(const Place&) override;
  DiskStatus remove_folder(const Place&) override;
  DiskStatus unlink(const Place&) override;
  DiskStatus rename_noreplace(const Place& from, const Place& to) override;
  DiskStatus exchange(const Place& staged, const Place& path) override;
  DiskStatus link(const Place& from, const Place& to) override;
  DiskStatus may_change(const Place&) override { return {}; }
  DiskResult<std::uint64_t> total_bytes() override;
  DiskResult<std::uint64_t> free_bytes() override;
  DiskStatus before_transaction() override;

 private:
  void close_file(int descriptor) override { volume_.close(descriptor); }
  Inode& inode(const File& file) { return *volume_.opened(file.descriptor()); }
  SimulatedVolume& volume_;
};

}  // namespace millrace::simulation
