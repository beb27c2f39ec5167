// libuv's event loop as a value, with jobs on lanes of workers. Everything but run_job's `work` happens on the loop's
// thread.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>

#include "base/random.h"
#include "net/lanes.h"
#include "net/mailbox.h"

namespace millrace {

class Loop {
 public:
  /// A loop of its own. With MILLRACE_LOOP_CHECK=1 in the environment it prints how long its turns took, waiting left
  /// out, when it ends. `lanes` may be shared with other loops; null: lanes of its own, for one owner.
  explicit Loop(std::shared_ptr<Lanes> lanes = nullptr);
  /// On the caller's loop, which must outlive this object by one turn; run() and stop() are the caller's business then.
  explicit Loop(uv_loop_t* existing);
  /// Every handle must be closed before. A loop of its own waits for its jobs, the caller's only for those that are
  /// running.
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  uv_loop_t* raw() { return loop_; }
  /// Until stop() or until nothing is left to wait for.
  void run() { uv_run(loop_, UV_RUN_DEFAULT); }
  void stop() { uv_stop(loop_); }
  /// `work` on a worker, then `done` on the loop; both are always called, unless the caller's loop is left before. For
  /// jobs that belong to no session.
  void run_job(Workers workers, std::function<void()> work, std::function<void()> done);
  Lanes& lanes() { return *lanes_; }
  /// For other threads: what is posted there is called on this loop.
  Mailbox& mailbox() { return *mailbox_; }
  /// For a thread that may outlive the loop.
  std::shared_ptr<Mailbox> shared_mailbox() { return mailbox_; }

 private:
  struct Own;
  std::unique_ptr<Own, void (*)(Own*)> own_{nullptr, [](Own*) {}};
  uv_loop_t* loop_;
  std::shared_ptr<Mailbox> mailbox_;
  std::shared_ptr<Lanes> lanes_;
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
