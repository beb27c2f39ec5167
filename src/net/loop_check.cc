#include "net/loop_check.h"

#include <algorithm>
#include <bit>
#include <cstdio>

namespace millrace {

LoopCheck::LoopCheck(uv_loop_t* loop) : prepare_(new uv_prepare_t{}) {
  uv_loop_configure(loop, UV_METRICS_IDLE_TIME);
  uv_prepare_init(loop, prepare_);
  prepare_->data = this;
  uv_prepare_start(prepare_, [](uv_prepare_t* handle) { static_cast<LoopCheck*>(handle->data)->turn(); });
  uv_unref(reinterpret_cast<uv_handle_t*>(prepare_));
}

LoopCheck::~LoopCheck() {
  std::fprintf(stderr, "loop: longest turn %.1f ms, 99 of 100 under %.1f ms, %llu turns\n",
               static_cast<double>(longest_ns_) / 1e6, share_took_ms(0.99), static_cast<unsigned long long>(turns_));
  uv_close(reinterpret_cast<uv_handle_t*>(prepare_),
           [](uv_handle_t* handle) { delete reinterpret_cast<uv_prepare_t*>(handle); });
}

void LoopCheck::turn() {
  const std::uint64_t now = uv_hrtime();
  const std::uint64_t idle = uv_metrics_idle_time(prepare_->loop);
  if (turn_began_ns_ != 0) {
    const std::uint64_t taken = now - turn_began_ns_;
    const std::uint64_t busy = taken - std::min(taken, idle - idle_before_ns_);
    longest_ns_ = std::max(longest_ns_, busy);
    ++turns_;
    ++turns_by_log2_us_[std::min<std::size_t>(std::bit_width(busy / 1000), turns_by_log2_us_.size() - 1)];
  }
  turn_began_ns_ = now;
  idle_before_ns_ = idle;
}

double LoopCheck::share_took_ms(double share) const {
  std::uint64_t seen = 0;
  for (std::size_t log2 = 0; log2 < turns_by_log2_us_.size(); ++log2) {
    seen += turns_by_log2_us_[log2];
    if (static_cast<double>(seen) >= share * static_cast<double>(turns_))
      return static_cast<double>(std::uint64_t{1} << log2) / 1000;
  }
  return 0;
}

}  // namespace millrace
