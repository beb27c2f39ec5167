#include "base/memory_budget.h"

#include <algorithm>

namespace millrace {

MemoryCharge::MemoryCharge(std::shared_ptr<MemoryBudget> budget, std::uint64_t bytes) : budget_(std::move(budget)) {
  resize(bytes);
}

MemoryCharge& MemoryCharge::operator=(MemoryCharge&& other) noexcept {
  const MemoryCharge old(std::move(*this));
  budget_ = std::move(other.budget_);
  bytes_ = std::exchange(other.bytes_, 0);
  return *this;
}

MemoryCharge::~MemoryCharge() {
  resize(0);
}

void MemoryCharge::resize(std::uint64_t bytes) {
  const std::uint64_t before = std::exchange(bytes_, bytes);
  if (!budget_ || bytes == before) return;
  if (bytes > before) {
    budget_->count(bytes - before);
  } else {
    budget_->give_back(before - bytes);
  }
}

void MemoryBudget::count(std::uint64_t bytes) {
  const std::uint64_t now = used_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  std::uint64_t most = most_used();
  while (now > most && !most_used_.compare_exchange_weak(most, now, std::memory_order_relaxed)) {
  }
}

void MemoryBudget::give_back(std::uint64_t bytes) {
  used_.fetch_sub(bytes);
  if (waiting_count_.load() == 0) return;
  Calls calls;
  {
    const std::lock_guard lock(mutex_);
    calls = settle();
  }
  for (const auto& call : calls) call();
}

std::unique_ptr<MemoryBudget::Place> MemoryBudget::enter(std::function<void()> on_turn) {
  Number number = 0;
  bool in_at_once = false;
  Calls calls;
  {
    const std::lock_guard lock(mutex_);
    number = next_number_++;
    outside_.emplace(number, Waiting{});
    calls = settle();
    const auto found = outside_.find(number);
    in_at_once = found == outside_.end();
    if (!in_at_once) found->second.on_turn = std::move(on_turn);
  }
  for (const auto& call : calls) call();
  return std::make_unique<Place>(shared_from_this(), number, in_at_once);
}

std::optional<MemoryCharge> MemoryBudget::reserve(const Place& place, std::uint64_t bytes, OnRoom on_room) {
  Calls calls;
  {
    const std::lock_guard lock(mutex_);
    // Whoever asked before goes first.
    if ((requests_.empty() && has_room(bytes)) || place.is_oldest()) return MemoryCharge(shared_from_this(), bytes);
    requests_.push_back({place.number(), bytes, std::move(on_room)});
    calls = settle();
  }
  for (const auto& call : calls) call();
  return std::nullopt;
}

void MemoryBudget::leave(Number number) {
  Calls calls;
  std::list<Request> dropped;
  {
    const std::lock_guard lock(mutex_);
    if (const auto waiting = outside_.extract(number)) early_ -= waiting.mapped().early;
    inside_.erase(number);
    for (auto one = requests_.begin(); one != requests_.end();) {
      const auto next = std::next(one);
      if (one->number == number) dropped.splice(dropped.end(), requests_, one);
      one = next;
    }
    calls = settle();
  }
  for (const auto& call : calls) call();
}

void MemoryBudget::set_early(Number number, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  const auto found = outside_.find(number);
  if (found == outside_.end()) return;
  early_ += bytes - found->second.early;
  found->second.early = bytes;
}

bool MemoryBudget::is_in(Number number) const {
  const std::lock_guard lock(mutex_);
  return inside_.contains(number);
}

/// A quarter stays for what arrives without being asked for.
bool MemoryBudget::has_room(std::uint64_t bytes) const {
  return used_.load() + bytes <= limit_ / 4 * 3;
}

void MemoryBudget::grant(std::list<Request>::iterator request, Calls& calls) {
  const auto charge = std::make_shared<MemoryCharge>(shared_from_this(), request->bytes);
  calls.emplace_back([on_room = std::move(request->on_room), charge] { on_room(std::move(*charge)); });
  requests_.erase(request);
}

MemoryBudget::Calls MemoryBudget::settle() {
  Calls calls;
  // Before the looks at used_: what is given back after them is seen by whoever gives it back.
  waiting_count_ = outside_.size() + requests_.size();
  const std::uint64_t most = std::max<std::uint64_t>(1, limit_ / 2 / kSlice);
  while (!outside_.empty() && inside_.size() < most && (used_.load() < limit_ || inside_.empty())) {
    auto first = outside_.extract(outside_.begin());
    inside_.emplace(first.key(), true);
    early_ -= first.mapped().early;
    if (first.mapped().on_turn) calls.push_back(std::move(first.mapped().on_turn));
  }
  const Number oldest = inside_.empty() ? 0 : inside_.begin()->first;
  oldest_ = oldest;
  for (auto one = requests_.begin(); one != requests_.end();) {
    const auto next = std::next(one);
    if (one->number == oldest) grant(one, calls);
    one = next;
  }
  while (!requests_.empty() && has_room(requests_.front().bytes)) grant(requests_.begin(), calls);
  in_count_ = inside_.size();
  waiting_count_ = outside_.size() + requests_.size();
  return calls;
}

std::uint64_t MemoryBudget::slice() const {
  // Half of it for windows, the rest for parts that are larger and what jobs need.
  return std::max(kSlice, limit_ / 2 / std::max<std::uint64_t>(1, transfers()));
}

}  // namespace millrace
