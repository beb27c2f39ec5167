// A transfer by HTTP among all others that share the memory budget: it waits for its turn, and holds about what each
// may.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/memory_budget.h"
#include "net/loop.h"

namespace millrace {

class TransferMemory {
 public:
  static constexpr std::uint64_t kMost = 1u << 20;  ///< of a block, and of what is not sent yet, however much is free

  TransferMemory(Loop& loop, std::shared_ptr<MemoryBudget> budget)
      : mailbox_(loop.shared_mailbox()), budget_(std::move(budget)) {}

  /// `begin` on the loop once there is memory for one more, maybe at once.
  void enter(std::function<void()> begin) {
    const auto call = std::make_shared<std::function<void()>>(std::move(begin));
    asked_ = std::chrono::steady_clock::now();
    place_ = budget_->enter([mailbox = mailbox_, call] { mailbox->post([call] { (*call)(); }); });
    if (place_->in_at_once()) (*call)();
  }
  /// An error once it has waited for its turn that long, and nothing else: it waits no more then, though `begin` may
  /// still be on its way.
  Status wait_at_most(std::uint64_t seconds) {
    if (!place_ || place_->is_in() || std::chrono::steady_clock::now() - asked_ < std::chrono::seconds(seconds))
      return {};
    place_.reset();
    return fail(Code::kBusy, "The server had no memory for this transfer in " + std::to_string(seconds) +
                                 " seconds, since too many others are under way; try again later.");
  }
  /// The transfer is over, though what answered it may live on.
  void leave() { place_.reset(); }
  /// Of content to handle at once, in bytes: two such blocks and what is not sent yet are a transfer's slice.
  std::size_t block_bytes() const {
    return std::clamp<std::size_t>(budget_->slice() / 4, MemoryBudget::kSlice / 4, kMost);
  }
  /// Unsent bytes past which nothing more is read for sending.
  std::uint64_t high_water() const {
    return std::clamp<std::uint64_t>(budget_->slice() / 2, MemoryBudget::kSlice / 2, kMost);
  }
  MemoryCharge charge(std::size_t bytes) const { return {budget_, bytes}; }

 private:
  std::shared_ptr<Mailbox> mailbox_;
  std::shared_ptr<MemoryBudget> budget_;
  std::unique_ptr<MemoryBudget::Place> place_;
  std::chrono::steady_clock::time_point asked_;
};

}  // namespace millrace
