// Who asks: a token in the Authorization header, or in the cookie that the login page got.
#pragma once

#include <optional>
#include <string>

#include "http/request.h"
#include "http/response.h"

namespace millrace {

inline constexpr std::string_view kTokenCookie = "millrace_token";

/// `Bearer TOKEN`, `Basic` with the token as the password, or the cookie. Nothing: none was shown.
std::optional<std::string> shown_token(const HttpRequest& request);

/// Whether a page of another site may have sent this: then a cookie that came with it means nothing. By Sec-Fetch-Site,
/// else by Origin; a request that has neither comes from no page.
bool is_cross_site(const HttpRequest& request);

/// Sets the cookie: not for scripts, not for other sites, over TLS only where there is TLS. An empty token removes it.
std::string token_cookie(const std::string& token, bool is_encrypted);

}  // namespace millrace
