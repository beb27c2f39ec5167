// What is in a folder, page by page, or what below it has a certain text in its name.
#pragma once

#include "server/api/api_request.h"

namespace millrace {

/// ?cursor=, limit= (10,000 at most), recursive=1, search=TEXT (below the folder; ASCII letters match in either case).
std::shared_ptr<HttpHandler> list_folder(ApiRequest request, const std::string& path);

}  // namespace millrace
