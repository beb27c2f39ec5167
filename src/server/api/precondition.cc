#include "server/api/precondition.h"

#include "base/path.h"
#include "base/timestamp.h"
#include "http/response.h"

namespace millrace {

namespace {

tl::unexpected<HttpProblem> failed(const std::string& path, const char* what) {
  return http_fail(412, Code::kConflict, "'" + printable(path) + "' " + what);
}

}  // namespace

std::string entity_tag(const Digest& root) {
  return '"' + to_hex(root) + '"';
}

bool has_tag(std::string_view header, const std::string& tag) {
  return header == "*" || header.find(tag) != std::string_view::npos;
}

Precondition::Precondition(const HttpRequest& request)
    : if_match_(request.header("if-match")), if_none_match_(request.header("if-none-match")) {
  // A tag says more than a time.
  if (if_match_.empty()) unmodified_since_ = parse_http_date(request.header("if-unmodified-since"));
}

HttpResult<void> Precondition::check_match(const std::optional<Version>& current, const std::string& path) const {
  if (!if_match_.empty() && (!current || !has_tag(if_match_, entity_tag(current->token.root))))
    return failed(path, "is not the version (any more) that was asked for.");
  if (unmodified_since_ && current && current->attributes.mtime_ns / kNsPerSecond > *unmodified_since_)
    return failed(path, "was changed since.");
  return {};
}

HttpResult<Expected> Precondition::check(const Result<std::optional<Version>>& current, const std::string& path) const {
  if (!current) return tl::unexpected<HttpProblem>(millrace::problem_of(current.error()));
  if (const auto matches = check_match(*current, path); !matches) return tl::unexpected<HttpProblem>(matches.error());
  if (!if_none_match_.empty() && *current && has_tag(if_none_match_, entity_tag((*current)->token.root)))
    return failed(path, "is there already.");
  if (!is_given()) return Expected{};
  if (!*current) return Expected{Expected::Kind::kNone, {}};
  return Expected{Expected::Kind::kRoot, (*current)->token.root};
}

HttpProblem Precondition::problem_of(const Error& error) const {
  if (is_given() && error.code == Code::kConflict) return {412, error};
  return millrace::problem_of(error);
}

}  // namespace millrace
