// Commits that stand in files/ and are acknowledged, but whose names, or contents, a checkpoint has not flushed yet:
// until then their pending rows keep them. Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "store/disk.h"

namespace millrace {

struct UnsettledPut {
  std::int64_t id = 0;  ///< of the pending row
  std::string path;
  std::string staged;           ///< where the replaced version stands; empty if there was none
  FileStat stat;                ///< of the file in its place
  std::uint64_t row_bytes = 0;  ///< content in the pending row
  bool content_flushed = false;
};

class Unsettled {
 public:
  void add(UnsettledPut put);
  /// What stat said when the path's last commit was put in its place; a rename changes ctime, so the row does not say
  /// it.
  std::optional<FileStat> stat_of(const std::string& path) const;
  /// Whether something at `path` or below it waits.
  bool touches(const std::string& path) const;
  /// Our own doing has changed what stat says of the path's last commit.
  void restat(const std::string& path, const FileStat& stat);
  /// Somebody else changed the file: there is nothing to settle for it any more.
  void forget(const std::string& path);
  /// All that wait, oldest first, for a checkpoint. They stay known until settled().
  std::vector<UnsettledPut> take();
  /// The checkpoint that took them failed.
  void restore(const std::vector<UnsettledPut>& puts);
  void settled(const std::vector<UnsettledPut>& puts);
  /// Whether this one is still what its path's row is about.
  bool is_latest(const UnsettledPut& put) const;
  std::size_t count() const;
  std::uint64_t row_bytes() const;

 private:
  struct Latest {
    std::int64_t id = 0;
    FileStat stat;
  };
  mutable std::mutex mutex_;
  std::vector<UnsettledPut> waiting_;
  std::uint64_t waiting_bytes_ = 0;
  std::map<std::string, Latest> latest_;
};

}  // namespace millrace
