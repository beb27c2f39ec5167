// A limited rate on one connection: its meter says how long nothing is to move.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "net/timer.h"

namespace millrace {

/// Told how many bytes have moved in both directions since the last call; says how long nothing is to move then.
using Meter = std::function<std::chrono::milliseconds(std::uint64_t bytes)>;

/// Lives on one loop.
class Throttle {
 public:
  /// `on_end`: a rest is over.
  Throttle(Loop& loop, std::function<void()> on_end) : loop_(loop), on_end_(std::move(on_end)) {}
  /// Counts from `moved` on. Null: nothing is limited.
  void set_meter(Meter meter, std::uint64_t moved) {
    meter_ = std::move(meter);
    metered_ = moved;
  }
  bool has_meter() const { return static_cast<bool>(meter_); }
  /// Asks the meter. `moved`: bytes so far in all; true: nothing more is to move now.
  bool look(std::uint64_t moved) {
    if (!meter_) return is_resting();
    if (is_resting()) return true;
    const auto wait = meter_(moved - std::exchange(metered_, moved));
    if (wait.count() <= 0) return false;
    rest_ = std::make_unique<Timer>(loop_, wait, [this] {
      rest_.reset();
      on_end_();
    });
    return true;
  }
  bool is_resting() const { return rest_ != nullptr; }
  /// `on_end` is not called any more.
  void drop() { rest_.reset(); }

 private:
  Loop& loop_;
  std::function<void()> on_end_;
  Meter meter_;
  std::uint64_t metered_ = 0;
  std::unique_ptr<Timer> rest_;
};

}  // namespace millrace
