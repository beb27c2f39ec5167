// The head of an HTTP response, and bodies that stand in one piece.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "http/problem.h"

namespace millrace {

struct HttpHead {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;

  HttpHead& add(std::string name, std::string value) {
    headers.emplace_back(std::move(name), std::move(value));
    return *this;
  }
};

/// How the body's end is found.
struct HttpFraming {
  std::optional<std::uint64_t> length;  ///< nothing: chunks, or with HTTP/1.0 until the connection's end
  bool chunked = false;
  bool keeps_alive = true;
};

/// Line and headers, those of the framing and the date included. Line breaks in values become spaces, so that nothing
/// can be smuggled into a response.
Buffer encode_head(const HttpHead& head, const HttpFraming& framing, std::int64_t now_s);

/// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, section 5.6.7).
std::string http_date(std::int64_t seconds_since_1970);
/// Of such a date only; the obsolete formats are nothing.
std::optional<std::int64_t> parse_http_date(std::string_view text);

}  // namespace millrace
