// How long a client waits before each new try to reach a server that was lost or went away: twice as long each time, so
// that a server that comes back is found soon and one that does not is left in peace.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

namespace millrace {

class RetryPauses {
 public:
  static constexpr std::chrono::milliseconds kShortest{100};
  static constexpr std::chrono::milliseconds kLongest{15'000};
  static constexpr int kMost = 8;  ///< tries; with pauses from 1 s on: a minute and a quarter

  /// `asked`: what the server asks for before the first try.
  explicit RetryPauses(std::chrono::milliseconds asked) : next_(std::clamp(asked, kShortest, kLongest)) {}
  /// Before the next try. Nothing: there is none any more.
  std::optional<std::chrono::milliseconds> next() {
    if (++tries_ > kMost) return std::nullopt;
    return std::exchange(next_, std::min(next_ * 2, kLongest));
  }

 private:
  std::chrono::milliseconds next_;
  int tries_ = 0;
};

}  // namespace millrace
