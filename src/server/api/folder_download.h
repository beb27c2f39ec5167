// A folder by HTTP: one ZIP archive, sent while it is made.
#pragma once

#include "server/api/api_request.h"

namespace millrace {

/// `path`: empty for the root folder.
std::shared_ptr<HttpHandler> download_folder(ApiRequest request, const std::string& path);

}  // namespace millrace
