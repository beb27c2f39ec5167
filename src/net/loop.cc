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
constexpr Lanes::Owner kNobody = 0;
}  // namespace

Loop::Loop(std::shared_ptr<Lanes> lanes)
    : own_(new Own, [](Own* own) { delete own; }), loop_(&own_->loop), lanes_(std::move(lanes)) {
  if (uv_loop_init(loop_) != 0) std::abort();
  if (!lanes_) lanes_ = std::make_shared<Lanes>(LaneSizes::for_client());
  mailbox_ = Mailbox::open(loop_);
  const char* const wanted = std::getenv("MILLRACE_LOOP_CHECK");
  if (wanted != nullptr && std::strcmp(wanted, "1") == 0) own_->check = std::make_unique<LoopCheck>(loop_);
}

Loop::Loop(uv_loop_t* existing)
    : loop_(existing), mailbox_(Mailbox::open(existing)), lanes_(std::make_shared<Lanes>(LaneSizes::for_client())) {}

Loop::~Loop() {
  // Lets closed handles and all jobs end.
  if (own_) run();
  // Before the mailbox closes: what comes out of the lanes is let go of here, not on their threads.
  lanes_.reset();
  mailbox_->close();
  if (!own_) return;
  own_->check.reset();
  run();
  uv_loop_close(loop_);
}

void Loop::run_job(Workers workers, std::function<void()> work, std::function<void()> done) {
  lanes_->run(workers, kNobody, Urgency::kMetadata, mailbox_, std::move(work), std::move(done));
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
