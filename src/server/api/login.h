// Who is asking, and the cookie by which pages show their token.
#pragma once

#include "server/api/api_request.h"

namespace millrace {

std::shared_ptr<HttpHandler> whoami(ApiRequest request);
/// {"token":"..."}: sets the cookie if the token counts.
std::shared_ptr<HttpHandler> login(ApiRequest request);
std::shared_ptr<HttpHandler> logout(ApiRequest request);

}  // namespace millrace
