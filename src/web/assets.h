#pragma once
// The pages of the server (dashboard and files), built from src/web and held in the program itself.
// "/" is the dashboard, "/files/" the page for every address below /files; all others are "/assets/NAME-HASH.ext".
// Nothing here is served by itself: the HTTP side chooses the variant, and the headers that docs/WEB.md names.
#include <span>
#include <string_view>

namespace millrace {

struct WebAsset {
  std::string_view path;  // as in the request, from the "/"
  std::string_view type;  // for Content-Type
  std::string_view plain;
  std::string_view gzip;      // empty where compressing gains nothing
  bool is_immutable = false;  // the name has the content's hash: may be cached for ever
};

/// All assets in order of their paths; they live as long as the program. Empty where the program was built without the
/// pages.
std::span<const WebAsset> web_assets();

}  // namespace millrace
