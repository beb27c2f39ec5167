// What is going on: figures, history, transfers, sessions, accounts, problems.
#pragma once

#include "server/api/api_request.h"

namespace millrace {

std::shared_ptr<HttpHandler> status(ApiRequest request);
/// Server-sent events: the status and the transfers, once a second.
std::shared_ptr<HttpHandler> events(ApiRequest request);
/// ?window=5m, 1h, 24h or 90d.
std::shared_ptr<HttpHandler> history(ApiRequest request);
std::shared_ptr<HttpHandler> transfers(ApiRequest request);
std::shared_ptr<HttpHandler> cancel_transfer(ApiRequest request);
std::shared_ptr<HttpHandler> sessions(ApiRequest request);
std::shared_ptr<HttpHandler> close_session(ApiRequest request);
std::shared_ptr<HttpHandler> accounts(ApiRequest request);
std::shared_ptr<HttpHandler> problems(ApiRequest request);

}  // namespace millrace
