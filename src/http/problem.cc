#include "http/problem.h"

#include <nlohmann/json.hpp>

namespace millrace {

HttpProblem problem_of(const Error& error) {
  switch (error.code) {
    case Code::kUsage:
    case Code::kProtocol:
      return {400, error};
    case Code::kNotFound:
      return {404, error};
    case Code::kConflict:
    case Code::kSourceChanged:
      return {409, error};
    case Code::kNotAuthenticated:
      return {401, error};
    case Code::kNotAllowed:
      return {403, error};
    case Code::kQuota:
      return {507, error};
    case Code::kTooLarge:
      return {413, error};
    case Code::kTooSlow:
      return {408, error};
    case Code::kBusy:
    case Code::kCancelled:
      return {503, error};
    default:
      return {500, error};
  }
}

std::string_view status_name(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 304:
      return "Not Modified";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 426:
      return "Upgrade Required";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    case 507:
      return "Insufficient Storage";
    default:
      return "Unknown";
  }
}

std::string problem_body(const HttpProblem& problem) {
  const nlohmann::json body = {{"type", "about:blank"},
                               {"title", status_name(problem.status)},
                               {"status", problem.status},
                               {"detail", problem.error.sentence},
                               {"code", code_name(problem.error.code)}};
  return body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace millrace
