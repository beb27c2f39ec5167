// How a request fails: a status and, in the body, a sentence for people (RFC 9457).
#pragma once

#include <string>
#include <tl/expected.hpp>

#include "base/error.h"

namespace millrace {

struct HttpProblem {
  int status = 500;
  Error error;
};

template <typename T>
using HttpResult = tl::expected<T, HttpProblem>;

inline tl::unexpected<HttpProblem> http_fail(int status, Code code, std::string sentence) {
  return tl::unexpected<HttpProblem>({status, {code, std::move(sentence)}});
}

/// The status that fits the code.
HttpProblem problem_of(const Error& error);
/// "Not Found"; "Unknown" for a number without a name.
std::string_view status_name(int status);
/// application/problem+json.
std::string problem_body(const HttpProblem& problem);

}  // namespace millrace
