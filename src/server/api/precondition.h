// What a request makes its work depend on (RFC 9110, section 13).
#pragma once

#include <optional>
#include <string>

#include "http/problem.h"
#include "http/request.h"
#include "store/store.h"

namespace millrace {

/// The root as an entity tag: equal bytes have equal tags, whatever their name.
std::string entity_tag(const Digest& root);
/// Whether a list of tags in a header has this one; "*" has every one.
bool has_tag(std::string_view header, const std::string& tag);

class Precondition {
 public:
  explicit Precondition(const HttpRequest& request);
  bool is_given() const { return !if_match_.empty() || !if_none_match_.empty() || unmodified_since_; }
  /// If-Match and If-Unmodified-Since, for every method. Errors: 412.
  HttpResult<void> check_match(const std::optional<Version>& current, const std::string& path) const;
  /// All of them, for methods that change something: which version may be replaced. Errors: 412, those of `current`.
  HttpResult<Expected> check(const Result<std::optional<Version>>& current, const std::string& path) const;
  /// A version that changed meanwhile is what a precondition forbids.
  HttpProblem problem_of(const Error& error) const;

 private:
  std::string if_match_;
  std::string if_none_match_;
  std::optional<std::int64_t> unmodified_since_;  ///< seconds since 1970
};

}  // namespace millrace
