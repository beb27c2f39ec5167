// Numbers, sizes and durations as people write and read them: "64KiB", "1.5 GiB", "30s", "24h".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace millrace {

inline constexpr std::uint64_t kKiB = 1024;
inline constexpr std::uint64_t kMiB = 1024 * kKiB;
inline constexpr std::uint64_t kGiB = 1024 * kMiB;

/// "0 B", "512 B", "1.5 KiB", "3.0 GiB".
std::string human_size(std::uint64_t bytes);
/// "1,234,567".
std::string with_commas(std::uint64_t number);
/// Decimal digits and nothing else; nothing where it is something else, or too large.
std::optional<std::uint64_t> whole_number(std::string_view text);
/// A whole number with an optional unit B, KiB, MiB, GiB, TiB (or K, M, G, T for the same). Errors: kUsage.
Result<std::uint64_t> parse_size(std::string_view text);
/// Seconds: a whole number with an optional unit s, m, h or d. Errors: kUsage.
Result<std::uint64_t> parse_seconds(std::string_view text);

}  // namespace millrace
