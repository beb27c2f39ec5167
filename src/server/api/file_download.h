// A file's bytes by HTTP: whole, a range of them, or only what a HEAD asks for.
#pragma once

#include "server/api/api_request.h"

namespace millrace {

std::shared_ptr<HttpHandler> download_file(ApiRequest request, const std::string& path);

}  // namespace millrace
