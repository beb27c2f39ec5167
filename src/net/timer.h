// A repeating timer that keeps no loop alive.
#pragma once

#include <chrono>
#include <functional>

#include "net/loop.h"

namespace millrace {

/// Calls back on the loop's thread, first after one `interval`, until it is dropped; it may be dropped from its own
/// callback. The loop must turn once more before it is closed.
class Timer {
 public:
  Timer(Loop& loop, std::chrono::milliseconds interval, std::function<void()> on_tick);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

 private:
  struct Handle;
  Handle* handle_;
};

}  // namespace millrace
