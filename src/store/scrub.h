// Reads the stored files again and compares them with the catalogue: what a disk lost or changed by itself is found
// before somebody needs it. Files that other programs changed are not its business: the scan and every lookup see
// those.
//
// Step by step, without a clock or a lock of the store, like the background scan.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "store/disk.h"
#include "store/indexer.h"

namespace millrace {

struct ScrubLimits {
  std::uint32_t files_per_second = 1000;
  std::uint64_t bytes_per_second = 8u << 20;
  std::chrono::seconds interval = std::chrono::hours(24) * 30;  ///< from the end of a pass to the next
};

/// What the scrub needs of the store.
struct ScrubbedStore {
  Disk& disk;
  HasherFactory hasher;
  /// Paths of rows behind `after`, in their order.
  std::function<Result<std::vector<std::string>>(const std::string& after, std::size_t limit)> paths;
  /// What a file that stat describes so must hold; nothing where the catalogue's row is about another one.
  std::function<Result<std::optional<Digest>>(const std::string& path, const FileStat& stat)> root_of;
  /// Where, in bytes, the content begins to differ from that root's.
  std::function<std::uint64_t(const Digest& root, const ChunkList& found)> first_difference;
  /// A whole sentence for the operator.
  std::function<void(const std::string& sentence)> report;
};

class Scrub {
 public:
  struct Counts {
    std::uint64_t files = 0;  ///< that were read and are what they should be
    std::uint64_t bytes = 0;  ///< read
    std::uint64_t damaged = 0;
    std::uint64_t skipped = 0;  ///< changed by another program, or gone
  };
  Scrub(ScrubbedStore store, const ScrubLimits& limits);

  /// Does a little and returns for how long to rest.
  std::chrono::nanoseconds step();
  /// Whole passes so far.
  std::uint64_t passes() const { return passes_; }
  /// Files that were damaged, in all passes.
  std::uint64_t damaged_in_all() const { return damaged_; }
  /// Of the pass that runs, or the last one.
  const Counts& counts() const { return counts_; }

 private:
  struct Reading {
    std::string path;
    Digest root;
    File file;
    FileIndexer indexer;
  };
  std::chrono::nanoseconds begin_file(const std::string& path);
  std::chrono::nanoseconds read_block();
  void judge(const Indexed& indexed);
  void damaged(const std::string& path, const std::string& how);

  ScrubbedStore store_;
  const ScrubLimits limits_;
  std::unique_ptr<Hasher> hasher_;
  std::vector<std::string> rows_;  ///< still to be looked at; the last is next
  std::string last_row_;
  std::optional<Reading> reading_;
  std::uint64_t passes_ = 0;
  bool begins_ = true;
  Counts counts_;
  std::uint64_t damaged_ = 0;
};

}  // namespace millrace
