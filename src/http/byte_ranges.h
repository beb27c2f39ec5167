// The Range header (RFC 9110, section 14.2). One range is served; several are answered with the whole, which is
// allowed and keeps a client from asking for the same bytes a thousand times in one request.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace millrace {

struct HttpRange {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  bool operator==(const HttpRange&) const = default;
};

struct RangeAnswer {
  enum class Kind : std::uint8_t { kWhole, kPart, kUnsatisfiable };
  Kind kind = Kind::kWhole;
  HttpRange range;  ///< for kPart
};

/// What `header` (empty: none was sent) asks of `size` bytes. Malformed ones and other units are as if there were none.
RangeAnswer range_of(std::string_view header, std::uint64_t size);

}  // namespace millrace
