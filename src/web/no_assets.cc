// Stands in for the generated web_assets.cc where the pages are not built (-Dweb=disabled, or no node).
#include "web/assets.h"

namespace millrace {

std::span<const WebAsset> web_assets() {
  return {};
}

}  // namespace millrace
