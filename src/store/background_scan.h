// A slow walk over files/ and the catalogue that finds what happened behind the server's back, so that CHANGES tells it
// before anybody asks for the file: files without a row, or other than their row says, are indexed; rows whose file is
// gone become tombstones.
//
// Two passes: all folders, for the files; then all rows, for those without one. It reads no clock and waits for
// nothing: each step does a little and says how long to rest, which bounds what a second costs. It holds no lock of the
// store while it reads.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "store/disk.h"
#include "store/indexer.h"

namespace millrace {

struct ScanLimits {
  std::uint32_t entries_per_second = 1000;                 ///< names and rows looked at
  std::uint64_t bytes_per_second = 16u << 20;              ///< of files that are indexed
  std::chrono::seconds interval = std::chrono::hours(24);  ///< from the end of a pass to the next
};

/// What the scan needs of the store. Called from the scan's thread only.
struct ScannedStore {
  Disk& disk;
  HasherFactory hasher;
  std::function<std::int64_t()> now_ns;  ///< wall clock
  /// Whether the catalogue has this file. Without the store's lock: no more than a hint.
  std::function<Result<bool>(const std::string& path, const FileStat& stat)> is_known;
  /// Brings the path's row in line with what stands there. Given `file`, only if that is what stands there still.
  std::function<Status(const std::string& path, const IndexedBefore* file)> refresh;
  /// Paths of rows behind `after`, in their order.
  std::function<Result<std::vector<std::string>>(const std::string& after, std::size_t limit)> paths;
};

class BackgroundScan {
 public:
  BackgroundScan(ScannedStore store, const ScanLimits& limits);

  /// Does a little and returns for how long to rest. A file that cannot be read is left for the next pass.
  std::chrono::nanoseconds step();
  /// Whole passes so far.
  std::uint64_t passes() const { return passes_; }

 private:
  enum class Phase : std::uint8_t { kFiles, kRows };
  std::chrono::nanoseconds rest(std::uint64_t entries, std::uint64_t bytes) const;
  void look_at_file(const std::string& path);
  void look_at_rows();
  std::chrono::nanoseconds read_block();
  void end_pass();

  ScannedStore store_;
  const ScanLimits limits_;
  std::unique_ptr<Hasher> hasher_;
  Phase phase_ = Phase::kFiles;
  std::vector<std::string> folders_;  ///< still to be listed; the last is next
  std::string folder_;                ///< whose names are looked at
  std::vector<std::string> names_;    ///< of it, still to be looked at; the last is next
  std::vector<std::string> rows_;     ///< still to be looked at; the last is next
  std::string last_row_;
  struct Reading {
    std::string path;
    File file;
    FileIndexer indexer;
    std::int64_t started_ns = 0;
  };
  std::optional<Reading> reading_;  ///< the file that is being indexed
  std::uint64_t entries_ = 0;       ///< cost of this step
  std::uint64_t passes_ = 0;
};

}  // namespace millrace
