// A transfer by HTTP among all others that share the memory budget: it waits for its turn, and holds about what each
// may.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>

#include "base/memory_budget.h"
#include "net/loop.h"

namespace millrace {

class TransferMemory {
 public:
  static constexpr std::size_t kMostBlock = 1u << 20;

  TransferMemory(Loop& loop, std::shared_ptr<MemoryBudget> budget)
      : mailbox_(loop.shared_mailbox()), budget_(std::move(budget)) {}

  /// `begin` on the loop once there is memory for one more, maybe at once.
  void enter(std::function<void()> begin) {
    const auto call = std::make_shared<std::function<void()>>(std::move(begin));
    place_ = budget_->enter([mailbox = mailbox_, call] { mailbox->post([call] { (*call)(); }); });
    if (place_->in_at_once()) (*call)();
  }
  /// Of content to handle at once, in bytes.
  std::size_t block_bytes() const {
    return std::clamp<std::size_t>(budget_->slice() / 2, MemoryBudget::kSlice / 2, kMostBlock);
  }
  MemoryCharge charge(std::size_t bytes) const { return {budget_, bytes}; }

 private:
  std::shared_ptr<Mailbox> mailbox_;
  std::shared_ptr<MemoryBudget> budget_;
  std::unique_ptr<MemoryBudget::Place> place_;
};

}  // namespace millrace
