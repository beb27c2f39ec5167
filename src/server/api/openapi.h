// The description of the API, docs/openapi.json, held in the program.
#pragma once

#include <string_view>

namespace millrace {

std::string_view openapi_document();

}  // namespace millrace
