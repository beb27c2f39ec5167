// Percent-encoding (RFC 3986, section 2.1).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace millrace {

/// Nothing for a '%' without two hexadecimal digits behind it.
std::optional<std::string> percent_decode(std::string_view text);
/// A remote path as it stands in an address: everything but unreserved characters and '/' is encoded.
std::string percent_encode_path(std::string_view path);

}  // namespace millrace
