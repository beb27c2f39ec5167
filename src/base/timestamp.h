// Moments as people and file names write them: RFC 3339 in UTC with nine digits of a second.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millrace {

inline constexpr std::int64_t kNsPerSecond = 1'000'000'000;
inline constexpr std::size_t kTimestampBytes = 30;

/// 2026-11-27T19:00:00.123456789Z, for nanoseconds since 1970 up to the year 2255.
std::string format_timestamp(std::int64_t ns);
/// Exactly what format_timestamp gives; nothing for any other text.
std::optional<std::int64_t> parse_timestamp(std::string_view text);

}  // namespace millrace
