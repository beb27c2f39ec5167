// Remote paths: bytes, taken as they are, neither normalised nor decoded. The rules are the same in client and server.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace millrace {

inline constexpr std::size_t kMaxPathBytes = 4095;
inline constexpr std::size_t kMaxPartBytes = 255;

enum class RootAllowed { kNo, kYes };

/// Refuses (kUsage, a sentence that says what to do) a leading or trailing '/', empty parts, '.', '..', NUL, parts
/// over 255 and paths over 4,095 bytes. The empty path is the root folder, allowed only with RootAllowed::kYes.
Status check_path(std::string_view path, RootAllowed root_allowed);

/// For people and logs: control characters, backslashes and bytes that are not valid UTF-8 become \n, \t, \\, \xHH.
std::string printable(std::string_view bytes);

bool is_utf8(std::string_view bytes);

/// The part after the last '/'.
std::string_view last_part(std::string_view path);
/// The part before the last '/', empty for a path in the root folder.
std::string_view parent_path(std::string_view path);

/// Orders by component: "a/b" before "a-b", so that a folder's contents stand together.
bool path_less(std::string_view a, std::string_view b);

}  // namespace millrace
