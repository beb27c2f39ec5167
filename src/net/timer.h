// A repeating timer.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#include "net/loop.h"

namespace millrace {

enum class KeepsLoop : std::uint8_t { kNo, kYes };

/// Calls back on the loop's thread, first after one `interval`, until it is dropped; it may be dropped from its own
/// callback. The loop must turn once more before it is closed. By default it keeps no loop running.
class Timer {
 public:
  Timer(Loop& loop, std::chrono::milliseconds interval, std::function<void()> on_tick,
        KeepsLoop keeps_loop = KeepsLoop::kNo);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

 private:
  struct Handle;
  Handle* handle_;
};

}  // namespace millrace
