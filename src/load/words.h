// Lists and numbers as they stand in options.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <vector>

namespace millrace {

/// The parts between commas; none of an empty text.
inline std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const auto comma = text.find(',');
    words.push_back(text.substr(0, comma));
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
    if (text.empty()) words.push_back(text);
  }
  return words;
}

/// A decimal number that is not negative and stands alone.
inline std::optional<double> parse_number(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc() || end != text.data() + text.size() || !(number >= 0)) return std::nullopt;
  return number;
}

}  // namespace millrace
