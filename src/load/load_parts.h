// A run on several loops: each takes a share of the clients on a thread of its own, all begin each phase together, and
// what they measured is put together as if it were one.
#pragma once

#include <atomic>
#include <barrier>
#include <vector>

#include "load/load_run.h"

namespace millrace {

/// What one of options.loops does: clients from `first_client` on, its share of everything that is counted.
struct LoadPart {
  LoadOptions options;
  std::uint32_t first_client = 0;
};
LoadPart part_of(const LoadOptions& options, std::uint32_t number);

/// At least one.
LoadOutcome together(const std::vector<LoadOutcome>& parts);

/// Where the parts wait for each other between phases.
class Gathering {
 public:
  explicit Gathering(std::uint32_t parts) : barrier_(static_cast<std::ptrdiff_t>(parts)) {}
  /// Blocks until every part that has not left has come.
  void wait() { barrier_.arrive_and_wait(); }
  /// Nobody waits for the caller any more.
  void leave() { barrier_.arrive_and_drop(); }
  void give_up() { given_up_ = true; }
  bool given_up() const { return given_up_; }

 private:
  std::barrier<> barrier_;
  std::atomic<bool> given_up_{false};
};

}  // namespace millrace
