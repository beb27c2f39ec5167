#include "server/api/pages.h"

#include <algorithm>

#include "web/assets.h"

namespace millrace {

namespace {

constexpr char kPolicy[] =
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; connect-src "
    "'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
constexpr char kWithoutPages[] =
    "This millraced was built without its pages (-Dweb=disabled). The API is at /api/v1, metrics are at /metrics.\n";

const WebAsset* find(std::string_view path) {
  // Which folder a file page is about is read by its script.
  if (path.starts_with("/files/")) path = "/files/";
  const auto assets = web_assets();
  const auto found =
      std::find_if(assets.begin(), assets.end(), [path](const WebAsset& one) { return one.path == path; });
  return found == assets.end() ? nullptr : &*found;
}

bool takes_gzip(std::string_view accepted) {
  return accepted.find("gzip") != std::string_view::npos;
}

}  // namespace

std::shared_ptr<HttpHandler> page(ApiRequest request) {
  const std::string& path = request.request.path;
  HttpHead head;
  head.add("X-Content-Type-Options", "nosniff").add("Referrer-Policy", "no-referrer");
  if (path == "/files") {
    note_end(request, Operation::kHttpApi, false, path, std::nullopt);
    head.status = 308;
    head.add("Location", "/files/");
    request.port.respond(head, {});
    return answered();
  }
  if (web_assets().empty() && (path == "/" || path.starts_with("/files/"))) {
    note_end(request, Operation::kHttpApi, false, path, std::nullopt);
    head.add("Content-Type", "text/plain; charset=utf-8");
    request.port.respond_text(std::move(head), kWithoutPages);
    return answered();
  }
  const WebAsset* const asset = find(path);
  if (asset == nullptr)
    return refused(request, Operation::kHttpApi, {404, {Code::kNotFound, "There is nothing at this address."}});
  const bool is_packed = !asset->gzip.empty() && takes_gzip(request.request.header("accept-encoding"));
  head.add("Content-Type", std::string(asset->type)).add("Content-Security-Policy", kPolicy);
  head.add("Cache-Control", asset->is_immutable ? "public, max-age=31536000, immutable" : "no-cache");
  head.add("Vary", "Accept-Encoding");
  if (is_packed) head.add("Content-Encoding", "gzip");
  const std::string_view body = is_packed ? asset->gzip : asset->plain;
  note_end(request, Operation::kHttpApi, false, path, std::nullopt, std::nullopt, body.size());
  // It lives as long as the program.
  request.port.respond(head, {nullptr, as_bytes(body)});
  return answered();
}

}  // namespace millrace
