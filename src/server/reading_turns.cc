#include "server/reading_turns.h"

namespace millrace {

namespace {
constexpr std::chrono::milliseconds kTurn{10};
constexpr int kMostRest = 100;  ///< ticks that a guest may read nothing
}  // namespace

void ReadingTurns::add(const std::shared_ptr<Session>& session) {
  starved_.push_back(session);
  if (!timer_) timer_ = std::make_unique<Timer>(loop_, kTurn, [this] { tick(); });
}

void ReadingTurns::tick() {
  if (!budget_->over()) {
    dismiss_guest();
    read_some();
  } else if (budget_->transfers() > 0) {
    dismiss_guest();
    let_oldest_read();
  } else {
    let_guest_read();
  }
  if (starved_.empty() && guest_.expired()) timer_.reset();
}

/// As many as would have room for a slice each.
void ReadingTurns::read_some() {
  const std::uint64_t used = budget_->used();
  const std::uint64_t room = budget_->limit() - std::min(budget_->limit(), used);
  for (std::uint64_t turns = room / MemoryBudget::kSlice + 1; turns > 0 && !starved_.empty(); --turns) {
    const auto session = starved_.front().lock();
    starved_.pop_front();
    if (session) session->read_again();
  }
}

void ReadingTurns::let_oldest_read() {
  // Whoever stopped reading did not have it; that changes only with the oldest.
  if (std::exchange(oldest_, budget_->oldest()) == budget_->oldest()) return;
  std::deque<std::weak_ptr<Session>> others;
  std::shared_ptr<Session> found;
  for (auto& one : starved_) {
    auto session = one.lock();
    if (session && !found && session->mux().has_oldest_transfer()) {
      found = std::move(session);
    } else if (session) {
      others.push_back(std::move(one));
    }
  }
  starved_ = std::move(others);
  if (found) found->read_again();
}

void ReadingTurns::let_guest_read() {
  auto guest = guest_.lock();
  if (guest) {
    const std::uint64_t had_read = std::exchange(guest_had_read_, guest->stream().bytes_read());
    guest_rested_ = had_read == guest_had_read_ ? guest_rested_ + 1 : 0;
    if (guest_rested_ < kMostRest) return;
    dismiss_guest();
  }
  while (!starved_.empty()) {
    guest = starved_.front().lock();
    starved_.pop_front();
    if (!guest) continue;
    guest_ = guest;
    guest_rested_ = 0;
    guest_had_read_ = guest->stream().bytes_read();
    guest->set_guest(true);
    return guest->read_again();
  }
}

void ReadingTurns::dismiss_guest() {
  if (const auto guest = guest_.lock()) guest->set_guest(false);
  guest_.reset();
}

}  // namespace millrace
