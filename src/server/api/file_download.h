// A file's bytes by HTTP: whole, a range of them, or only what a HEAD asks for.
#pragma once

#include "server/api/api_request.h"

namespace millrace {

std::shared_ptr<HttpHandler> download_file(ApiRequest request, const std::string& path);

/// The root as an entity tag: equal bytes have equal tags, whatever their name.
std::string entity_tag(const Digest& root);
/// Whether a list of tags in a header has this one; "*" has every one.
bool has_tag(std::string_view header, const std::string& tag);

}  // namespace millrace
