// The end of a job that goes on after its work has returned: told to a loop once, from whatever thread ends it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "net/loop.h"

namespace millrace {

/// Made on the loop, which stays alive until the answer has come. Dropped without give_end(): `end` is not called.
class DeferredAnswer {
 public:
  DeferredAnswer(Loop& loop, std::function<void()> end) : mailbox_(loop.shared_mailbox()), end_(std::move(end)) {
    mailbox_->expect();
  }
  DeferredAnswer(const DeferredAnswer&) = delete;
  DeferredAnswer& operator=(const DeferredAnswer&) = delete;
  ~DeferredAnswer() {
    give([] {});
  }
  /// Any thread; only the first call counts.
  void give_end() { give(std::move(end_)); }

 private:
  void give(std::function<void()> letter) {
    if (!given_.exchange(true)) mailbox_->answer(std::move(letter));
  }
  std::shared_ptr<Mailbox> mailbox_;
  std::function<void()> end_;
  std::atomic<bool> given_{false};
};

}  // namespace millrace
