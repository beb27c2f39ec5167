// The dashboard and the file pages, out of the program itself.
#pragma once

#include "server/api/api_request.h"

namespace millrace {

std::shared_ptr<HttpHandler> page(ApiRequest request);

}  // namespace millrace
