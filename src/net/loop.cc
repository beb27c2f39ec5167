#include "net/loop.h"

#include <sys/random.h>

#include <cstdlib>
#include <cstring>

#include "net/loop_check.h"

namespace millrace {

struct Loop::Own {
  uv_loop_t loop{};
  std::unique_ptr<LoopCheck> check;
};

namespace {
constexpr unsigned kDiskThreads = 3;
constexpr unsigned kCatalogueThreads = 2;
}  // namespace

Loop::Loop() : own_(new Own, [](Own* own) { delete own; }), loop_(&own_->loop) {
  if (uv_loop_init(loop_) != 0) std::abort();
  mailbox_ = Mailbox::open(loop_);
  const char* const wanted = std::getenv("MILLRACE_LOOP_CHECK");
  if (wanted != nullptr && std::strcmp(wanted, "1") == 0) own_->check = std::make_unique<LoopCheck>(loop_);
}

Loop::~Loop() {
  // Lets closed handles and running jobs end, then the pools' own handles.
  if (own_) run();
  disk_.reset();
  catalogue_.reset();
  mailbox_->close();
  if (!own_) return;
  own_->check.reset();
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
