// The pages in the program: what the HTTP side relies on when it serves them.
#include "web/assets.h"

#include <algorithm>
#include <string>

#include <catch2/catch.hpp>

using namespace millrace;

static const WebAsset* find(std::string_view path) {
  auto assets = web_assets();
  auto found = std::find_if(assets.begin(), assets.end(), [&](const WebAsset& asset) { return asset.path == path; });
  return found == assets.end() ? nullptr : &*found;
}

SCENARIO("a program with the pages has both of them and everything that they load") {
  if (web_assets().empty()) return;  // built with -Dweb=disabled, or without node
  for (std::string_view page : {"/", "/files/"}) {
    const WebAsset* html = find(page);
    REQUIRE(html != nullptr);
    CHECK(html->type == "text/html; charset=utf-8");
    CHECK_FALSE(html->is_immutable);
    CHECK(html->plain.starts_with("<!doctype html>"));
    // The Content-Security-Policy allows nothing inline.
    CHECK(html->plain.find("<style") == std::string_view::npos);
    CHECK(html->plain.find("<script>") == std::string_view::npos);
    size_t loaded = 0;
    for (size_t at = html->plain.find("/assets/"); at != std::string_view::npos;
         at = html->plain.find("/assets/", at + 1)) {
      auto path = html->plain.substr(at, html->plain.find('"', at) - at);
      INFO(std::string(path));
      REQUIRE(find(path) != nullptr);
      loaded += 1;
    }
    CHECK(loaded >= 3);
  }
}

SCENARIO("assets are in order, each once, named by their content, and compressed only where that gains something") {
  std::string before;
  for (const WebAsset& asset : web_assets()) {
    INFO(std::string(asset.path));
    CHECK(std::string(asset.path) > before);
    before = asset.path;
    CHECK_FALSE(asset.plain.empty());
    // A browser compiles a module only when it is served as one.
    CHECK(asset.path.ends_with(".wasm") == (asset.type == "application/wasm"));
    CHECK(asset.path.ends_with(".wasm") == asset.plain.starts_with(std::string_view("\0asm", 4)));
    CHECK(asset.is_immutable == asset.path.starts_with("/assets/"));
    if (asset.gzip.empty()) continue;
    CHECK(asset.gzip.size() < asset.plain.size());
    CHECK(asset.gzip.starts_with("\x1f\x8b"));
  }
}
