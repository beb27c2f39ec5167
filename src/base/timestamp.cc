#include "base/timestamp.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <ctime>

namespace millrace {

namespace {

constexpr std::int64_t kMostSeconds = 9'000'000'000;  ///< what fits into nanoseconds: the year 2255
constexpr std::string_view kPattern = "dddd-dd-ddTdd:dd:dd.dddddddddZ";
static_assert(kPattern.size() == kTimestampBytes);

int digits(std::string_view text) {
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

std::string format_timestamp(std::int64_t ns) {
  ns = std::clamp<std::int64_t>(ns, 0, kMostSeconds * kNsPerSecond);
  const std::time_t seconds = ns / kNsPerSecond;
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char date[32];
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
  char text[64];
  std::snprintf(text, sizeof text, "%s.%09lldZ", date, static_cast<long long>(ns % kNsPerSecond));
  return text;
}

std::optional<std::int64_t> parse_timestamp(std::string_view text) {
  const auto fits = [](char c, char wanted) { return wanted == 'd' ? c >= '0' && c <= '9' : c == wanted; };
  if (!std::equal(text.begin(), text.end(), kPattern.begin(), kPattern.end(), fits)) return std::nullopt;
  std::tm utc{};
  utc.tm_year = digits(text.substr(0, 4)) - 1900;
  utc.tm_mon = digits(text.substr(5, 2)) - 1;
  utc.tm_mday = digits(text.substr(8, 2));
  utc.tm_hour = digits(text.substr(11, 2));
  utc.tm_min = digits(text.substr(14, 2));
  utc.tm_sec = digits(text.substr(17, 2));
  const std::int64_t seconds = ::timegm(&utc);
  if (seconds < 0 || seconds > kMostSeconds) return std::nullopt;
  const std::int64_t ns = seconds * kNsPerSecond + digits(text.substr(20, 9));
  // The 31st of April is no day.
  return format_timestamp(ns) == text ? std::optional(ns) : std::nullopt;
}

}  // namespace millrace
