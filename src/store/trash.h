// What was replaced or deleted, kept for a while in DIR/trash as ordinary files: files/PATH goes to
// trash/PATH~2026-11-27T19:00:00.123456789Z, the moment (UTC) at which it went. No index stands beside them, so nothing
// can be lost or left over but the files themselves. Names of more than 224 bytes are cut to make room for the time.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "store/disk.h"
#include "store/store.h"

namespace millrace {

struct TrashLimits {
  std::chrono::nanoseconds keep = std::chrono::hours(24) * 7;  ///< 0: nothing is kept
  unsigned percent = 10;                                       ///< of the file system's bytes
};

/// Of a version in the trash: where it was, and when it went (since 1970).
struct TrashedName {
  std::string path;
  std::int64_t trashed_ns = 0;
  bool operator==(const TrashedName&) const = default;
};
std::string trashed_path(const TrashedName& name);
/// Nothing for a name that does not end in a time.
std::optional<TrashedName> parse_trashed_path(std::string_view path);

/// Thread-safe.
class Trash {
 public:
  Trash(Disk& disk, std::function<std::int64_t()> now_ns, const TrashLimits& limits)
      : disk_(disk), now_ns_(std::move(now_ns)), limits_(limits) {}

  bool keeps() const { return limits_.keep.count() > 0; }
  /// Takes the file at `from` away from there: into the trash, or for good where nothing is kept or the disk has no
  /// room for the name. `path`: where it belonged, below files/. Where rights are missing a file of files/ stays, one
  /// of staging/ goes for good. Errors: ENOENT and the like when nothing is there.
  DiskStatus take(const Place& from, const std::string& path);
  /// The same, but never for good: where the trash cannot have it it stays. Returns its name in the trash.
  DiskResult<std::string> keep(const Place& from, const std::string& path);
  /// Called about once a second: removes, when it is time, what is too old and, oldest first, what is too much.
  void sweep();
  /// As counted at the last sweep and since.
  std::uint64_t held_bytes() const { return held_; }
  /// Removes the oldest until about so many bytes are free that were not. False when nothing was removed.
  bool make_room(std::uint64_t bytes);
  /// What the trash holds at or below `path` (empty: all) of an account, ordered by path, at most `limit` after
  /// `cursor`.
  Result<TrashListing> list(const std::string& account, const std::string& path, const std::string& cursor,
                            std::size_t limit);
  /// The version that went at that time, or the last one for 0. Errors: kNotFound.
  Result<TrashedName> find(const std::string& path, std::int64_t trashed_ns);

 private:
  using Visit = std::function<void(const std::string& stored, std::int64_t trashed_ns, std::uint64_t bytes)>;
  void walk(const std::string& folder, const Visit& visit);
  /// Removes what went before, and folders that became empty.
  std::uint64_t remove_before(std::int64_t cutoff_ns);
  /// The moment before which all has to go so that at most `limit` bytes stay; at least what is too old.
  std::int64_t cutoff(std::uint64_t limit);
  std::uint64_t most_bytes();
  DiskStatus make_folders(const std::string& path);

  Disk& disk_;
  const std::function<std::int64_t()> now_ns_;
  const TrashLimits limits_;
  std::mutex sweeping_;
  std::optional<std::int64_t> swept_ns_;       ///< guarded by sweeping_
  std::atomic<std::uint64_t> held_ = 0;        ///< bytes, as counted at the last sweep and since
  std::atomic<std::uint64_t> most_bytes_ = 0;  ///< by `percent`; 0: not asked for yet
};

}  // namespace millrace
