// What transfers have freed is kept for the next ones; after a while without any it goes back to the system.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "base/memory_budget.h"

namespace millrace {

/// A chore.
class MemoryReturn {
 public:
  /// `give_back` returns what is kept to the system.
  MemoryReturn(std::shared_ptr<const MemoryBudget> budget, std::function<void()> give_back)
      : budget_(std::move(budget)), give_back_(std::move(give_back)) {}
  /// Looks whether there are transfers, and returns how long to rest.
  std::chrono::nanoseconds step();

 private:
  std::shared_ptr<const MemoryBudget> budget_;
  std::function<void()> give_back_;
  bool owes_ = false;  ///< there were transfers since the last time
  int quiet_looks_ = 0;
};

}  // namespace millrace
