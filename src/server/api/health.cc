#include "server/api/health.h"

#include "server/api/openapi.h"
#include "server/metrics.h"

namespace millrace {

namespace {

std::shared_ptr<HttpHandler> plain(ApiRequest& request, int status, std::string_view type, std::string_view text) {
  note_end(request, Operation::kHttpApi, false, request.request.path, std::nullopt, std::nullopt, text.size());
  HttpHead head;
  head.status = status;
  head.add("Content-Type", std::string(type)).add("Cache-Control", "no-store");
  request.port.respond_text(std::move(head), text);
  return answered();
}

}  // namespace

std::shared_ptr<HttpHandler> livez(ApiRequest request) {
  return plain(request, 200, "text/plain; charset=utf-8", "ok\n");
}

std::shared_ptr<HttpHandler> readyz(ApiRequest request) {
  const ServerSnapshot now = request.context.server.snapshot();
  std::string text;
  if (query_value(request.request.query, "verbose")) {
    for (const HealthCheck& check : now.health)
      text += std::string(check.is_ok ? "[+]" : "[-]") + std::string(check.name) + ": " + check.detail + "\n";
  }
  text += now.is_ready() ? "ok\n" : "not ready\n";
  return plain(request, now.is_ready() ? 200 : 503, "text/plain; charset=utf-8", text);
}

std::shared_ptr<HttpHandler> metrics(ApiRequest request) {
  return plain(request, 200, "text/plain; version=0.0.4; charset=utf-8",
               metric_families(request.context.server.snapshot()).text());
}

std::shared_ptr<HttpHandler> openapi(ApiRequest request) {
  return plain(request, 200, "application/json", openapi_document());
}

}  // namespace millrace
