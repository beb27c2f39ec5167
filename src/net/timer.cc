#include "net/timer.h"

#include <utility>

namespace millrace {

struct Timer::Handle {
  uv_timer_t timer{};
  std::function<void()> on_tick;
};

Timer::Timer(Loop& loop, std::chrono::milliseconds interval, std::function<void()> on_tick, KeepsLoop keeps_loop)
    : handle_(new Handle{{}, std::move(on_tick)}) {
  uv_timer_init(loop.raw(), &handle_->timer);
  handle_->timer.data = handle_;
  const auto every = static_cast<std::uint64_t>(interval.count());
  uv_timer_start(
      &handle_->timer, [](uv_timer_t* timer) { static_cast<Handle*>(timer->data)->on_tick(); }, every, every);
  if (keeps_loop == KeepsLoop::kNo) uv_unref(reinterpret_cast<uv_handle_t*>(&handle_->timer));
}

Timer::~Timer() {
  // The callback itself lives until libuv has let go, so a tick may drop its own timer.
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_->timer),
           [](uv_handle_t* handle) { delete static_cast<Handle*>(handle->data); });
}

}  // namespace millrace
