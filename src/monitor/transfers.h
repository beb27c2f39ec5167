// The transfers that are under way and the last that ended, for people to look at.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "monitor/operation.h"

namespace millrace {

struct TransferView {
  std::uint64_t connection = 0;
  std::uint64_t request = 0;  ///< on that connection; both together name the transfer
  std::string account;
  std::string path;
  Operation operation = Operation::kUnknown;
  Direction direction = Direction::kIn;
  std::optional<std::uint64_t> total_bytes;  ///< of the content, once it is known
  std::uint64_t matched_bytes = 0;
  std::uint64_t literal_bytes = 0;
  std::uint64_t zero_bytes = 0;
  std::uint64_t wire_bytes = 0;  ///< in both directions
  std::int64_t started_ms = 0;   ///< since 1970
  double seconds = 0;            ///< so far, or in all
  bool is_over = false;
  std::optional<Code> error;  ///< why it ended without success
};

/// Those that ended last, of all loops. Any thread.
class RecentTransfers {
 public:
  explicit RecentTransfers(std::size_t most) : most_(most) {}
  void add(TransferView ended);
  /// The newest first; of `account` alone where one is given.
  std::vector<TransferView> list(const std::optional<std::string>& account) const;

 private:
  const std::size_t most_;
  mutable std::mutex mutex_;
  std::deque<TransferView> ended_;  // guarded by mutex_
};

}  // namespace millrace
