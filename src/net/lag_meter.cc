#include "net/lag_meter.h"

#include <algorithm>
#include <utility>

namespace millrace {

namespace {
constexpr std::chrono::milliseconds kInterval{50};
constexpr std::uint64_t kIntervalUs = 50'000;

std::uint64_t loop_now_us() {
  return uv_hrtime() / 1000;
}
}  // namespace

LagMeter::LagMeter(Loop& loop)
    : loop_(loop), due_us_(loop_now_us() + kIntervalUs), timer_(loop, kInterval, [this] { tick(); }) {}

void LagMeter::tick() {
  const std::uint64_t now = loop_now_us();
  {
    const std::lock_guard lock(mutex_);
    late_.record(now - std::min(now, due_us_));
  }
  // libuv counts the next interval from the turn in which this one ended.
  due_us_ = uv_now(loop_.raw()) * 1000 + kIntervalUs;
}

void LagMeter::take(Histogram& into) {
  const std::lock_guard lock(mutex_);
  into.merge(late_);
  late_ = {};
}

}  // namespace millrace
