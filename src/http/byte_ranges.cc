#include "http/byte_ranges.h"

#include <algorithm>

#include "base/units.h"

namespace millrace {

RangeAnswer range_of(std::string_view header, std::uint64_t size) {
  static constexpr std::string_view kUnit = "bytes=";
  if (!header.starts_with(kUnit) || header.find(',') != std::string_view::npos) return {};
  header.remove_prefix(kUnit.size());
  const std::size_t dash = header.find('-');
  if (dash == std::string_view::npos) return {};
  const auto first = whole_number(header.substr(0, dash));
  const auto last = whole_number(header.substr(dash + 1));
  const RangeAnswer none{RangeAnswer::Kind::kUnsatisfiable, {}};
  if (dash == 0) {
    // The last so many.
    if (!last) return {};
    if (*last == 0 || size == 0) return none;
    const std::uint64_t length = std::min(*last, size);
    return {RangeAnswer::Kind::kPart, {size - length, length}};
  }
  const bool is_open = dash + 1 == header.size();
  if (!first || (!last && !is_open) || (last && *last < *first)) return {};
  if (*first >= size) return none;
  const std::uint64_t end = last ? std::min(*last, size - 1) : size - 1;
  return {RangeAnswer::Kind::kPart, {*first, end - *first + 1}};
}

}  // namespace millrace
