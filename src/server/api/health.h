// /livez, /readyz, /metrics and the description of the API.
#pragma once

#include "server/api/api_request.h"

namespace millrace {

/// The loop turns, or there would be no answer.
std::shared_ptr<HttpHandler> livez(ApiRequest request);
/// 200 where requests are taken and what comes can be stored, else 503; ?verbose lists the checks.
std::shared_ptr<HttpHandler> readyz(ApiRequest request);
std::shared_ptr<HttpHandler> metrics(ApiRequest request);
std::shared_ptr<HttpHandler> openapi(ApiRequest request);

}  // namespace millrace
