// The folders of staging: drafts are made in DIR/staging/NN/. One folder for all would be one lock that all workers
// wait for, and one group of the file system's inodes: ext4 looks for a free inode from the beginning of its folder's
// group, and without a journal looks up each that was removed in the last minutes (10,000 creations behind 10,000
// removals: 430 us each in one folder, 10 us in these). The shards are marked so that ext4 puts them into groups of
// their own; elsewhere they are folders like any other.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/disk.h"

namespace millrace {

inline constexpr std::size_t kStagingShards = 64;
using ShardFolders = std::array<File, kStagingShards>;

/// Makes the shards that are missing in the folder `staging`, durably, and opens all. Errors: the errno of what failed.
DiskResult<ShardFolders> open_staging_shards(int staging);

/// Which shard a staging path lies in, if in any.
std::optional<std::size_t> shard_of(std::string_view staged);

/// Gives drafts their staging paths. Thread-safe.
class StagingNames {
 public:
  /// The path for a draft of that random name. Drafts that follow one another share a few shards, so that neighbours of
  /// a tree are neighbours on disk.
  std::string path_for(const std::string& name);

 private:
  std::atomic<std::uint64_t> given_{0};
};

/// The staging paths of all files there.
DiskResult<std::vector<std::string>> staged_paths(Disk& disk);

}  // namespace millrace
