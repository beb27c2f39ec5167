// JSON in and out of requests.
#pragma once

#include <nlohmann/json.hpp>

#include "server/api/api_request.h"

namespace millrace {

inline constexpr std::size_t kMostJsonBody = 64u << 10;

/// Text of any bytes: what is no UTF-8 is replaced.
std::string to_text(const nlohmann::json& value);

/// Answers with it and notes the request as done well.
void reply_json(ApiRequest& request, const nlohmann::json& value, HttpHead head = {});
void reply_json_text(ApiRequest& request, std::string_view text, HttpHead head = {});
/// Answers with what went wrong and notes it.
void reply_problem(ApiRequest& request, const HttpProblem& problem);

/// Waits for the body, which must be a JSON object of at most kMostJsonBody, and calls `on_object` with it.
std::shared_ptr<HttpHandler> read_json(ApiRequest request,
                                       std::function<void(ApiRequest&, const nlohmann::json&)> on_object);

}  // namespace millrace
