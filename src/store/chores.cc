#include "store/chores.h"

#include <algorithm>

namespace millrace {

void Chores::add(Step step, std::chrono::nanoseconds first_rest) {
  chores_.push_back({std::move(step), std::chrono::steady_clock::now() + first_rest});
}

void Chores::start() {
  if (!chores_.empty()) thread_ = std::thread([this] { run(); });
}

Chores::~Chores() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Chores::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto next =
        std::min_element(chores_.begin(), chores_.end(), [](const Chore& a, const Chore& b) { return a.due < b.due; });
    if (changed_.wait_until(lock, next->due, [this] { return stopping_; })) return;
    lock.unlock();
    const auto rest = next->step();
    next->due = std::chrono::steady_clock::now() + rest;
    lock.lock();
  }
}

}  // namespace millrace
