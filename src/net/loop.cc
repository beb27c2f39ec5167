#include "net/loop.h"

#include <sys/random.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace millrace {

/// The time of a turn without what it waited for new events: no callback took longer than the longest of these.
struct Loop::Check {
  uv_prepare_t prepare{};
  std::uint64_t turn_began_ns = 0;
  std::uint64_t idle_before_ns = 0;
  std::uint64_t longest_ns = 0;

  explicit Check(uv_loop_t* loop) {
    uv_loop_configure(loop, UV_METRICS_IDLE_TIME);
    uv_prepare_init(loop, &prepare);
    prepare.data = this;
    uv_prepare_start(&prepare, [](uv_prepare_t* handle) { static_cast<Check*>(handle->data)->turn(handle->loop); });
    uv_unref(reinterpret_cast<uv_handle_t*>(&prepare));
  }
  void turn(uv_loop_t* loop) {
    const std::uint64_t now = uv_hrtime();
    const std::uint64_t idle = uv_metrics_idle_time(loop);
    if (turn_began_ns != 0) {
      const std::uint64_t taken = now - turn_began_ns;
      longest_ns = std::max(longest_ns, taken - std::min(taken, idle - idle_before_ns));
    }
    turn_began_ns = now;
    idle_before_ns = idle;
  }
};

struct Loop::Own {
  uv_loop_t loop{};
  std::unique_ptr<Check> check;
};

namespace {
constexpr unsigned kDiskThreads = 3;
constexpr unsigned kCatalogueThreads = 2;
}  // namespace

Loop::Loop() : own_(new Own, [](Own* own) { delete own; }), loop_(&own_->loop) {
  if (uv_loop_init(loop_) != 0) std::abort();
  const char* const wanted = std::getenv("MILLRACE_LOOP_CHECK");
  if (wanted != nullptr && std::strcmp(wanted, "1") == 0) own_->check = std::make_unique<Check>(loop_);
}

Loop::~Loop() {
  if (!own_) return;
  // Lets closed handles and running jobs end, then the pools' own handles.
  run();
  disk_.reset();
  catalogue_.reset();
  if (own_->check) {
    std::fprintf(stderr, "loop: longest turn %.1f ms\n", static_cast<double>(own_->check->longest_ns) / 1e6);
    uv_close(reinterpret_cast<uv_handle_t*>(&own_->check->prepare), nullptr);
  }
  run();
  uv_loop_close(loop_);
}

void Loop::run_job(Workers workers, std::function<void()> work, std::function<void()> done) {
  if (workers != Workers::kShared) {
    auto& pool = workers == Workers::kDisk ? disk_ : catalogue_;
    if (!pool) pool = std::make_unique<WorkerPool>(loop_, workers == Workers::kDisk ? kDiskThreads : kCatalogueThreads);
    return pool->run(std::move(work), std::move(done));
  }
  struct Job {
    uv_work_t request;
    std::function<void()> work;
    std::function<void()> done;
  };
  auto job = std::make_unique<Job>(Job{{}, std::move(work), std::move(done)});
  job->request.data = job.get();
  const int queued = uv_queue_work(
      loop_, &job->request, [](uv_work_t* request) { static_cast<Job*>(request->data)->work(); },
      [](uv_work_t* request, int) {
        const std::unique_ptr<Job> finished(static_cast<Job*>(request->data));
        finished->done();
      });
  if (queued != 0) std::abort();  // only without a work function
  (void)job.release();
}

struct SignalWatch::Handle {
  uv_signal_t signal;
  std::function<void()> on_signal;
};

SignalWatch::SignalWatch(Loop& loop, int signal_number, std::function<void()> on_signal)
    : handle_(new Handle{{}, std::move(on_signal)}) {
  uv_signal_init(loop.raw(), &handle_->signal);
  handle_->signal.data = handle_;
  uv_signal_start(
      &handle_->signal, [](uv_signal_t* signal, int) { static_cast<Handle*>(signal->data)->on_signal(); },
      signal_number);
  uv_unref(reinterpret_cast<uv_handle_t*>(&handle_->signal));
}

SignalWatch::~SignalWatch() {
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_->signal),
           [](uv_handle_t* handle) { delete static_cast<Handle*>(handle->data); });
}

Random system_random() {
  return [] {
    std::uint64_t value = 0;
    while (getrandom(&value, sizeof value, 0) != sizeof value) {
    }
    return value;
  };
}

}  // namespace millrace
