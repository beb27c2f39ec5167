// millrace://[ACCOUNT@]HOST[:PORT]/PATH. PATH is taken byte for byte.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace millrace {

struct Url {
  std::string host;
  std::string port = "5000";
  std::string path;
  std::string account{};  ///< empty: whatever the token is of
};

/// Checks no path. Errors: kUsage.
Result<Url> parse_url(std::string_view text);

/// This machine, by name or number.
bool is_loopback(std::string_view host);

}  // namespace millrace
