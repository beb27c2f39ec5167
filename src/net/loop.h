// libuv's event loop as a value, with jobs on its worker pool. Everything but run_job's `work` happens on the loop's thread.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>

#include "base/random.h"

namespace millrace {

class Loop {
 public:
  Loop();
  /// Every handle must be closed before; waits for running jobs.
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  uv_loop_t* raw() { return &loop_; }
  /// Until stop() or until nothing is left to wait for.
  void run() { uv_run(&loop_, UV_RUN_DEFAULT); }
  void stop() { uv_stop(&loop_); }
  /// `work` on a worker, then `done` on the loop; both are always called.
  void run_job(std::function<void()> work, std::function<void()> done);

 private:
  uv_loop_t loop_{};
};

/// Calls back for a signal until it is dropped.
class SignalWatch {
 public:
  SignalWatch(Loop& loop, int signal_number, std::function<void()> on_signal);
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

 private:
  struct Handle;
  Handle* handle_;
};

/// Random bits from the system.
Random system_random();

}  // namespace millrace
