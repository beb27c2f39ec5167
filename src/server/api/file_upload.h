// A file by HTTP PUT: the body is cut into chunks and hashed as it comes, and becomes the path's new version once it is
// whole, as durable as any upload. A body that ends early leaves the old version as it was.
#pragma once

#include "server/api/api_request.h"

namespace millrace {

/// If-Match: "ROOT" replaces that version only, If-None-Match: * none; X-Millrace-Mtime-Ms sets the time.
std::shared_ptr<HttpHandler> upload_file(ApiRequest request, const std::string& path);

}  // namespace millrace
