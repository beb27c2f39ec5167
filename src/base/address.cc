#include "base/address.h"

#include <algorithm>

#include "base/path.h"

namespace millrace {

Result<Url> parse_url(std::string_view text) {
  static constexpr std::string_view kScheme = "millrace://";
  const auto refuse = [&] {
    return fail(Code::kUsage, "'" + printable(text) + "' is not an address; write millrace://HOST:PORT/PATH.");
  };
  if (!text.starts_with(kScheme)) return refuse();
  text.remove_prefix(kScheme.size());
  const auto slash = text.find('/');
  std::string_view authority = text.substr(0, slash);
  Url url;
  if (slash != std::string_view::npos) url.path = text.substr(slash + 1);
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
    url.account = authority.substr(0, at);
    authority.remove_prefix(at + 1);
    if (url.account.empty()) return refuse();
  }
  const auto colon = authority.rfind(':');
  if (colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos) {
    url.port = authority.substr(colon + 1);
    authority = authority.substr(0, colon);
  }
  if (authority.size() > 2 && authority.front() == '[' && authority.back() == ']')
    authority = authority.substr(1, authority.size() - 2);
  url.host = authority;
  const bool plain = std::all_of(url.host.begin(), url.host.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (url.host.empty() || !plain || url.port.empty() || url.port.find_first_not_of("0123456789") != std::string::npos)
    return refuse();
  return url;
}

bool is_loopback(std::string_view host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

}  // namespace millrace
