// What time it is for people. Durations are measured by steady clocks.
#pragma once

#include <chrono>
#include <cstdint>

namespace millrace {

/// Since 1970.
inline std::int64_t wall_clock_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// Since 1970.
inline std::int64_t wall_clock_ms() {
  static constexpr std::int64_t kNsPerMs = 1'000'000;
  return wall_clock_ns() / kNsPerMs;
}

}  // namespace millrace
