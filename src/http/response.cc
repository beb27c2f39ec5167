#include "http/response.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

namespace millrace {

namespace {

constexpr std::array<const char*, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<const char*, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

void add_line(std::string& to, std::string_view name, std::string_view value) {
  to += name;
  to += ": ";
  const std::size_t begin = to.size();
  to += value;
  std::replace_if(
      to.begin() + static_cast<std::ptrdiff_t>(begin), to.end(),
      [](char c) { return c == '\r' || c == '\n' || c == '\0'; }, ' ');
  to += "\r\n";
}

}  // namespace

Buffer encode_head(const HttpHead& head, const HttpFraming& framing, std::int64_t now_s) {
  std::string out = "HTTP/1.1 " + std::to_string(head.status) + ' ' + std::string(status_name(head.status)) + "\r\n";
  add_line(out, "Date", http_date(now_s));
  for (const auto& [name, value] : head.headers) add_line(out, name, value);
  if (framing.length && head.status != 204 && head.status != 304)
    add_line(out, "Content-Length", std::to_string(*framing.length));
  if (framing.chunked) add_line(out, "Transfer-Encoding", "chunked");
  add_line(out, "Connection", head.status == 101 ? "Upgrade" : framing.keeps_alive ? "keep-alive" : "close");
  out += "\r\n";
  Buffer bytes;
  append(bytes, as_bytes(out));
  return bytes;
}

std::string http_date(std::int64_t seconds_since_1970) {
  const std::time_t time = seconds_since_1970;
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[64];
  std::snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT",
                kDays[static_cast<std::size_t>(parts.tm_wday)], parts.tm_mday,
                kMonths[static_cast<std::size_t>(parts.tm_mon)], parts.tm_year + 1900, parts.tm_hour, parts.tm_min,
                parts.tm_sec);
  return text;
}

std::optional<std::int64_t> parse_http_date(std::string_view text) {
  char day[4];
  char month[4];
  std::tm parts{};
  const std::string held(text);
  if (std::sscanf(held.c_str(), "%3s, %2d %3s %4d %2d:%2d:%2d GMT", day, &parts.tm_mday, month, &parts.tm_year,
                  &parts.tm_hour, &parts.tm_min, &parts.tm_sec) != 7)
    return std::nullopt;
  const auto found = std::find_if(kMonths.begin(), kMonths.end(),
                                  [&month](const char* name) { return std::string_view(name) == month; });
  if (found == kMonths.end()) return std::nullopt;
  parts.tm_mon = static_cast<int>(found - kMonths.begin());
  parts.tm_year -= 1900;
  const std::int64_t seconds = timegm(&parts);
  // What a calendar does not have would have become another day.
  if (http_date(seconds) != text) return std::nullopt;
  return seconds;
}

}  // namespace millrace
