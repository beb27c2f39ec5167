#include "store/staging_shards.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace millrace {

namespace {

constexpr std::uint64_t kTogether = 4;    ///< shards that take turns: workers that create at once do not meet
constexpr std::uint64_t kFollowing = 32;  ///< drafts of each before the next shards' turn
constexpr const char* kDigits = "0123456789abcdef";

std::string shard_name(std::size_t shard) {
  return {kDigits[shard / 16], kDigits[shard % 16]};
}

/// Has ext4 spread the folders that are made in it, as it does with those at the top of a file system. Only a hint.
void ask_to_spread(int folder) {
  int flags = 0;
  if (::ioctl(folder, FS_IOC_GETFLAGS, &flags) != 0 || (flags & FS_TOPDIR_FL) != 0) return;
  flags |= FS_TOPDIR_FL;
  (void)::ioctl(folder, FS_IOC_SETFLAGS, &flags);
}

}  // namespace

DiskResult<ShardFolders> open_staging_shards(int staging) {
  ask_to_spread(staging);
  ShardFolders shards;
  bool made = false;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const std::string name = shard_name(i);
    if (::mkdirat(staging, name.c_str(), 0700) == 0) {
      made = true;
    } else if (errno != EEXIST) {
      return disk_fail(errno);
    }
    shards[i] = File(::openat(staging, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!shards[i].is_open()) return disk_fail(errno);
  }
  // What is flushed in them must be found after a power cut.
  if (made && ::fsync(staging) != 0) return disk_fail(errno);
  return shards;
}

std::optional<std::size_t> shard_of(std::string_view staged) {
  if (staged.size() < 3 || staged[2] != '/') return std::nullopt;
  const auto digit = [](char c) { return std::string_view(kDigits).find(c); };
  const std::size_t high = digit(staged[0]);
  const std::size_t low = digit(staged[1]);
  if (high >= kStagingShards / 16 || low >= 16) return std::nullopt;
  return high * 16 + low;
}

std::string StagingNames::path_for(const std::string& name) {
  const std::uint64_t number = given_.fetch_add(1, std::memory_order_relaxed);
  const std::uint64_t shard = number / (kTogether * kFollowing) * kTogether + number % kTogether;
  return shard_name(shard % kStagingShards) + "/" + name;
}

DiskResult<std::vector<std::string>> staged_paths(Disk& disk) {
  auto names = disk.list({Area::kStaging, ""});
  if (!names) return names;
  std::vector<std::string> paths;
  for (std::string& name : *names) {
    if (!shard_of(name + "/")) {
      paths.push_back(std::move(name));
      continue;
    }
    const auto below = disk.list({Area::kStaging, name});
    if (!below) return below;
    for (const std::string& file : *below) paths.push_back(name + "/" + file);
  }
  return paths;
}

}  // namespace millrace
