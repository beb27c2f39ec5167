// Who reads while memory is short. Sessions stop reading when the budget is used up; here they stand in line and go on
// as room comes back. The one with the oldest transfer never stops, and where there is no transfer a single session,
// the guest, goes on: so there is always one that comes to an end.
#pragma once

#include <deque>
#include <memory>

#include "base/memory_budget.h"
#include "net/timer.h"
#include "session/session.h"

namespace millrace {

/// Lives on one loop.
class ReadingTurns {
 public:
  ReadingTurns(Loop& loop, std::shared_ptr<MemoryBudget> budget) : loop_(loop), budget_(std::move(budget)) {}
  /// `session` has stopped reading.
  void add(const std::shared_ptr<Session>& session);

 private:
  void tick();
  void read_some();
  void let_those_inside_read();
  void let_guest_read();
  void dismiss_guest();

  Loop& loop_;
  std::shared_ptr<MemoryBudget> budget_;
  std::deque<std::weak_ptr<Session>> starved_;
  MemoryBudget::Number oldest_ = 0;  ///< at the last tick
  std::weak_ptr<Session> guest_;
  std::uint64_t guest_had_read_ = 0;
  int guest_rested_ = 0;          ///< ticks
  std::unique_ptr<Timer> timer_;  ///< while somebody is in line
};

}  // namespace millrace
