// Removes the chunk lists that no current version has: a file that changes each minute leaves one each time. The trash
// needs none, and a list that is lost is made again. Two passes, rows and then side files, in small steps that say how
// long to rest; never under the store's lock, and in transactions of a few rows.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "store/stored_file.h"

namespace millrace {

/// Called from one thread.
class ChunkListSweep {
 public:
  static constexpr std::size_t kLooksAtOnce = 64;       ///< lists that a step looks at and may remove
  static constexpr std::chrono::seconds kRest{1};       ///< between two steps
  static constexpr std::chrono::hours kInterval{1};     ///< from the end of a pass to the next
  static constexpr std::chrono::minutes kLeastAge{10};  ///< of a side file: the commit that it is for may be under way

  explicit ChunkListSweep(StoreParts& parts) : parts_(parts) {}
  /// Does a little and returns for how long to rest. What cannot be removed is left for the next pass.
  std::chrono::nanoseconds step();

 private:
  enum class Phase : std::uint8_t { kRows, kListFiles, kFiles };
  Status look_at_rows();
  void look_at_files();

  StoreParts& parts_;
  Phase phase_ = Phase::kRows;
  Digest last_row_;
  std::vector<std::string> names_;  ///< of side files, still to be looked at
};

}  // namespace millrace
