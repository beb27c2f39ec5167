// Files by HTTP: what curl and the file pages ask for.
#pragma once

#include "server/api/api_request.h"

namespace millrace {

/// A file's bytes, or, for an address that ends in '/', a page of what is in the folder. HEAD too.
std::shared_ptr<HttpHandler> get_file(ApiRequest request);
/// The body becomes the file's new version, whole or not at all.
std::shared_ptr<HttpHandler> put_file(ApiRequest request);
/// A file, or, for an address that ends in '/', a folder with all that is in it.
std::shared_ptr<HttpHandler> delete_file(ApiRequest request);
/// {"from":"...","to":"...","overwrite":false}.
std::shared_ptr<HttpHandler> move_file(ApiRequest request);

/// The remote path in the address. Errors: kUsage.
Result<std::string> remote_path(const ApiRequest& request);

}  // namespace millrace
