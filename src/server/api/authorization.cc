#include "server/api/authorization.h"

#include <openssl/evp.h>

#include <algorithm>

namespace millrace {

namespace {

constexpr std::size_t kLongestCredentials = 4096;

std::optional<std::string> base64_decode(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0 || text.size() > kLongestCredentials) return std::nullopt;
  std::string out(text.size() / 4 * 3, '\0');
  const int length =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()), reinterpret_cast<const unsigned char*>(text.data()),
                      static_cast<int>(text.size()));
  if (length < 0) return std::nullopt;
  const auto padding = static_cast<std::size_t>(std::count(text.end() - 2, text.end(), '='));
  out.resize(static_cast<std::size_t>(length) - padding);
  return out;
}

std::optional<std::string> of_header(std::string_view header) {
  const std::size_t space = header.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const std::string_view scheme = header.substr(0, space);
  const std::string_view credentials = header.substr(space + 1);
  if (same_word(scheme, "bearer")) return std::string(credentials);
  if (!same_word(scheme, "basic")) return std::nullopt;
  const auto decoded = base64_decode(credentials);
  const std::size_t colon = decoded ? decoded->find(':') : std::string::npos;
  if (colon == std::string::npos) return std::nullopt;
  return decoded->substr(colon + 1);
}

std::optional<std::string> of_cookies(std::string_view cookies) {
  while (!cookies.empty()) {
    const std::size_t end = std::min(cookies.find(';'), cookies.size());
    std::string_view one = cookies.substr(0, end);
    cookies.remove_prefix(std::min(end + 1, cookies.size()));
    one.remove_prefix(std::min(one.find_first_not_of(' '), one.size()));
    if (one.size() > kTokenCookie.size() && one.starts_with(kTokenCookie) && one[kTokenCookie.size()] == '=')
      return std::string(one.substr(kTokenCookie.size() + 1));
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> shown_token(const HttpRequest& request) {
  const std::string_view header = request.header("authorization");
  return header.empty() ? of_cookies(request.header("cookie")) : of_header(header).value_or(std::string());
}

bool is_cross_site(const HttpRequest& request) {
  const std::string_view site = request.header("sec-fetch-site");
  if (!site.empty()) return site != "same-origin" && site != "none";
  std::string_view origin = request.header("origin");
  if (origin.empty()) return false;
  const std::size_t scheme = origin.find("://");
  if (scheme == std::string_view::npos) return true;
  origin.remove_prefix(scheme + 3);
  return origin != request.header("host");
}

std::string token_cookie(const std::string& token, bool is_encrypted) {
  static constexpr char kMonth[] = "2592000";
  std::string cookie = std::string(kTokenCookie) + "=" + token + "; Path=/; HttpOnly; SameSite=Strict; Max-Age=";
  cookie += token.empty() ? "0" : kMonth;
  if (is_encrypted) cookie += "; Secure";
  return cookie;
}

}  // namespace millrace
