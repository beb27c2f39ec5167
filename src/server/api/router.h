// From an address and a method to a handler, once it is known who asks.
#pragma once

#include "server/api/api_request.h"

namespace millrace {

/// Is told whose request it turned out to be, and may say that it is not served now.
using OnGrant = std::function<Status(const Grant&)>;

/// Never null; always answers.
std::shared_ptr<HttpHandler> route(ApiRequest request, const OnGrant& on_grant);

}  // namespace millrace
