// From an address and a method to a handler, once it is known who asks.
#pragma once

#include "server/api/api_request.h"

namespace millrace {

/// Never null; always answers. `on_account` is told whose request it turned out to be.
std::shared_ptr<HttpHandler> route(ApiRequest request,
                                   const std::function<void(const std::string& account)>& on_account);

}  // namespace millrace
