#include "net/worker_pool.h"

#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace millrace {

namespace {

struct Job {
  std::function<void()> work;
  std::function<void()> done;
};

}  // namespace

/// Freed when libuv has let go of `wake`.
struct WorkerPool::State {
  uv_async_t wake{};
  std::mutex mutex;
  std::condition_variable queued;
  std::deque<Job> waiting;   // guarded by mutex
  std::deque<Job> finished;  // guarded by mutex
  bool stopping = false;     // guarded by mutex
  std::size_t open = 0;      // the loop's thread only
  std::vector<std::thread> threads;

  void work() {
    std::unique_lock lock(mutex);
    for (;;) {
      queued.wait(lock, [this] { return stopping || !waiting.empty(); });
      if (stopping) return;
      Job job = std::move(waiting.front());
      waiting.pop_front();
      lock.unlock();
      job.work();
      job.work = nullptr;  // what it owns is let go of here, not on the loop
      lock.lock();
      finished.push_back(std::move(job));
      uv_async_send(&wake);
    }
  }

  void deliver() {
    std::deque<Job> ready;
    {
      const std::lock_guard lock(mutex);
      ready.swap(finished);
    }
    open -= ready.size();
    if (open == 0) uv_unref(reinterpret_cast<uv_handle_t*>(&wake));
    for (Job& job : ready) job.done();
  }
};

WorkerPool::WorkerPool(uv_loop_t* loop, unsigned threads) : state_(new State) {
  if (uv_async_init(loop, &state_->wake, [](uv_async_t* wake) { static_cast<State*>(wake->data)->deliver(); }) != 0)
    std::abort();
  state_->wake.data = state_;
  uv_unref(reinterpret_cast<uv_handle_t*>(&state_->wake));
  for (unsigned i = 0; i < threads; ++i) state_->threads.emplace_back([state = state_] { state->work(); });
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->queued.notify_all();
  for (std::thread& thread : state_->threads) thread.join();
  // Their owners may go with them, so not under the lock.
  const std::deque<Job> waiting = std::move(state_->waiting);
  const std::deque<Job> finished = std::move(state_->finished);
  uv_close(reinterpret_cast<uv_handle_t*>(&state_->wake),
           [](uv_handle_t* handle) { delete static_cast<State*>(handle->data); });
}

void WorkerPool::run(std::function<void()> work, std::function<void()> done) {
  if (state_->open++ == 0) uv_ref(reinterpret_cast<uv_handle_t*>(&state_->wake));
  {
    const std::lock_guard lock(state_->mutex);
    state_->waiting.push_back({std::move(work), std::move(done)});
  }
  state_->queued.notify_one();
}

}  // namespace millrace
