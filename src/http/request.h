// An HTTP request's head as the parser hands it on: checked against limits, nothing decoded yet.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace {

struct HttpRequest {
  std::string method;                                        ///< as sent, "GET"
  std::string path;                                          ///< of the target, still percent-encoded, begins with '/'
  std::string query;                                         ///< behind the '?', still encoded
  std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case, in order
  unsigned minor_version = 1;                                ///< of HTTP/1.x
  bool keeps_alive = false;
  std::optional<std::uint64_t> content_length;  ///< nothing: no body, or a chunked one
  bool is_chunked = false;

  bool has_body() const { return is_chunked || content_length.value_or(0) > 0; }
  /// The first header of that (lower-case) name; empty where there is none.
  std::string_view header(std::string_view name) const;
};

/// The same but for the case of ASCII letters.
bool same_word(std::string_view a, std::string_view b);

/// The value of `name` in a query string, decoded; nothing where it is not there or not well-formed.
std::optional<std::string> query_value(std::string_view query, std::string_view name);

}  // namespace millrace
