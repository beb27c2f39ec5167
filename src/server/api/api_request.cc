#include "server/api/api_request.h"

namespace millrace {

void note_end(const ApiRequest& request, Operation operation, bool changes, const std::string& path,
              const std::optional<Code>& error, const std::optional<Version>& version, std::uint64_t wire_bytes,
              const std::string& target) {
  note_request(
      request.context.journal, request.monitor, request.origin,
      {operation, changes, path, target, error, version, wire_bytes, std::chrono::steady_clock::now() - request.began});
}

void admit(const ApiRequest& request, std::optional<std::string> token,
           std::function<void(const Result<Grant>&)> done) {
  const ApiContext& context = request.context;
  const bool has_token = token.has_value();
  const auto decided = std::make_shared<Result<Grant>>(Grant{});
  request.port.run(
      Workers::kCatalogue, Urgency::kMetadata,
      [accounts = context.accounts, token = std::move(token), decided] { *decided = accounts->admit(token); },
      [&context, &port = request.port, address = request.address, connection = request.origin.connection,
       now_ms = uv_now(request.loop.raw()), has_token, decided, done = std::move(done)] {
        if (*decided && has_token) context.authenticated.fetch_add(1, std::memory_order_relaxed);
        if (*decided || !has_token || decided->error().code != Code::kNotAuthenticated) return done(*decided);
        context.not_authenticated.fetch_add(1, std::memory_order_relaxed);
        if (AuditLog* const audit = context.journal.audit)
          audit->record_refused("authenticate", code_name(decided->error().code),
                                LogFields().add("connection", connection).add("peer", address));
        port.run_after(context.accounts->delay_of_failure(address, now_ms), [decided, done] { done(*decided); });
      });
}

std::shared_ptr<HttpHandler> answered() {
  return std::make_shared<HttpHandler>();
}

std::shared_ptr<HttpHandler> refused(ApiRequest& request, Operation operation, const HttpProblem& problem) {
  note_end(request, operation, false, request.request.path, problem.error.code);
  request.port.refuse(problem);
  return answered();
}

}  // namespace millrace
