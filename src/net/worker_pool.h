// A few threads of their own for jobs that would hold up libuv's shared pool: a slow flush must not stop the hashing
// beside it.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>

namespace millrace {

class WorkerPool {
 public:
  /// Starts `threads` threads. Everything but `work` happens on the thread of `loop`.
  WorkerPool(uv_loop_t* loop, unsigned threads);
  /// Waits for jobs that are running. Those not started yet are dropped, and no `done` is called any more. The loop
  /// must turn once more before it is closed.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;
  /// `work` on one of the threads, in the order of the calls, then `done` on the loop. The loop stays alive until then.
  void run(std::function<void()> work, std::function<void()> done);

 private:
  struct State;
  State* state_;
};

}  // namespace millrace
