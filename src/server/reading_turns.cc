#include "server/reading_turns.h"

#include <algorithm>
#include <vector>

#include "session/hello.h"

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
  if (budget_->over() && budget_->transfers() == 0) {
    let_guest_read();
  } else {
    dismiss_guest();
    if (budget_->over() || budget_->crowded()) {
      let_those_inside_read();
    } else {
      read_some();
    }
  }
  if (starved_.empty() && guest_.expired()) timer_.reset();
}

/// As many as would have room for a slice each, and for a window each should all of them have to wait.
void ReadingTurns::read_some() {
  const auto room = [](std::uint64_t limit, std::uint64_t used) { return limit - std::min(limit, used); };
  const std::uint64_t window = hello_for(budget_.get()).stream_window;
  const std::uint64_t turns = std::min(room(budget_->limit(), budget_->used()) / MemoryBudget::kSlice,
                                       room(budget_->most_early(), budget_->early()) / window);
  for (std::uint64_t left = turns + 1; left > 0 && !starved_.empty(); --left) {
    const auto session = starved_.front().lock();
    starved_.pop_front();
    if (session) session->read_again();
  }
}

void ReadingTurns::let_those_inside_read() {
  // Of those that stopped reading when the budget was used up, none may go on before another transfer is the oldest.
  if (std::exchange(oldest_, budget_->oldest()) == budget_->oldest() && budget_->over()) return;
  std::deque<std::weak_ptr<Session>> others;
  std::vector<std::shared_ptr<Session>> found;
  for (auto& one : starved_) {
    auto session = one.lock();
    if (!session) continue;
    if (session->mux().may_read()) {
      found.push_back(std::move(session));
    } else {
      others.push_back(std::move(one));
    }
  }
  starved_ = std::move(others);
  for (const auto& session : found) session->read_again();
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
