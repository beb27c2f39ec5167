// A limited rate: what has moved is taken out of a bucket that fills at that rate. It may be overdrawn by what moved at
// once; then nothing should move until it is even again. It knows no clock.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace millrace {

class TokenBucket {
 public:
  /// Takes `amount` out of a bucket that fills with `per_second` and holds a second's worth; how long to wait until it
  /// is not overdrawn any more. `per_second` 0: no limit. The rate may differ from call to call; `now` grows.
  std::chrono::nanoseconds take(std::uint64_t per_second, std::uint64_t amount, std::chrono::nanoseconds now) {
    if (per_second == 0) return std::chrono::nanoseconds(0);
    const auto rate = static_cast<double>(per_second);
    const double seconds = begun_ ? std::chrono::duration<double>(now - last_).count() : 1.0;
    begun_ = true;
    last_ = now;
    level_ = std::min(level_ + std::max(seconds, 0.0) * rate, rate) - static_cast<double>(amount);
    if (level_ >= 0) return std::chrono::nanoseconds(0);
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::duration<double>(std::min(-level_ / rate, kMostSeconds)));
  }

 private:
  static constexpr double kMostSeconds = 60;  ///< of one wait; whoever is still overdrawn then waits again
  double level_ = 0;                          ///< below 0: overdrawn
  std::chrono::nanoseconds last_{0};
  bool begun_ = false;
};

}  // namespace millrace
