#include "base/path.h"

#include <algorithm>

namespace millrace {

namespace {

/// Length of the valid UTF-8 sequence at the front of `text`, 0 if there is none. Follows Unicode table 3-7.
std::size_t utf8_length(std::string_view text) {
  const auto at = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto tail = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xbf) {
    return at(i) >= low && at(i) <= high;
  };
  const unsigned first = at(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return tail(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const unsigned low = first == 0xe0 ? 0xa0 : 0x80;
    const unsigned high = first == 0xed ? 0x9f : 0xbf;
    return tail(1, low, high) && tail(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const unsigned low = first == 0xf0 ? 0x90 : 0x80;
    const unsigned high = first == 0xf4 ? 0x8f : 0xbf;
    return tail(1, low, high) && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

Status check_path(std::string_view path, RootAllowed root_allowed) {
  const auto refuse = [&](const std::string& why) {
    return fail(Code::kUsage, "The remote path '" + printable(path.substr(0, 200)) + "' " + why);
  };
  if (path.empty()) {
    if (root_allowed == RootAllowed::kYes) return {};
    return fail(Code::kUsage, "The remote path is empty; name a file, as in millrace://HOST:PORT/FILE.");
  }
  if (path.size() > kMaxPathBytes) return refuse("is longer than 4095 bytes; use a shorter one.");
  if (path.find('\0') != std::string_view::npos) return refuse("contains a NUL byte; remove it.");
  std::size_t start = 0;
  while (start <= path.size()) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    const std::string_view part = path.substr(start, end - start);
    if (part.empty()) return refuse("has an empty part (a '/' at its start or end, or two in a row); remove it.");
    if (part == "." || part == "..") return refuse("has a part '.' or '..'; write the path without it.");
    if (part.size() > kMaxPartBytes) return refuse("has a part longer than 255 bytes; use a shorter name.");
    start = end + 1;
  }
  return {};
}

std::string printable(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  while (!bytes.empty()) {
    const auto first = static_cast<unsigned char>(bytes[0]);
    const std::size_t length = utf8_length(bytes);
    const bool c1_control = length == 2 && first == 0xc2 && static_cast<unsigned char>(bytes[1]) < 0xa0;
    if (first == '\n') {
      text += "\\n";
    } else if (first == '\t') {
      text += "\\t";
    } else if (first == '\\') {
      text += "\\\\";
    } else if (length == 0 || first < 0x20 || first == 0x7f || c1_control) {
      text += "\\x";
      text += kDigits[first >> 4];
      text += kDigits[first & 15];
      bytes.remove_prefix(1);
      continue;
    } else {
      text += bytes.substr(0, length);
    }
    bytes.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return text;
}

bool is_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t length = utf8_length(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

std::string_view last_part(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string_view parent_path(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

bool path_less(std::string_view a, std::string_view b) {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    const auto rank = [](char c) { return c == '/' ? 0 : static_cast<int>(static_cast<unsigned char>(c)) + 1; };
    return rank(x) < rank(y);
  });
}

}  // namespace millrace
