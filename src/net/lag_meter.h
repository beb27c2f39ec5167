// How late a loop is: a timer that should have ticked at a certain time ticks when the loop comes to it. The same wait
// is before everything else that arrives at the loop.
#pragma once

#include <memory>
#include <mutex>

#include "base/histogram.h"
#include "net/timer.h"

namespace millrace {

class LagMeter {
 public:
  explicit LagMeter(Loop& loop);
  /// Any thread: microseconds that ticks were late since the last call, added to `into`.
  void take(Histogram& into);

 private:
  void tick();
  Loop& loop_;
  std::uint64_t due_us_;
  std::mutex mutex_;
  Histogram late_;  // guarded by mutex_
  Timer timer_;
};

}  // namespace millrace
