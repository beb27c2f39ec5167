#include "server/api/login.h"

#include "server/api/authorization.h"
#include "server/api/json_reply.h"

namespace millrace {

namespace {

nlohmann::json describe(const ApiContext& context, const Grant& grant) {
  const Scope& scope = grant.principal.scope;
  return {{"account", grant.principal.account},
          {"scope",
           {{"read", scope.read},
            {"write", scope.write},
            {"delete", scope.remove},
            {"monitor", grant.token_id.empty() || scope.monitor},
            {"prefix", scope.prefix}}},
          {"accounts_required", context.accounts->is_required()},
          {"version", MILLRACE_VERSION}};
}

void check(ApiRequest& request, const nlohmann::json& body) {
  const auto token = body.find("token");
  if (token == body.end() || !token->is_string())
    return reply_problem(request, {400, {Code::kUsage, "The token is missing."}});
  const std::string text = token->get<std::string>();
  admit(request, text, [request, text](const Result<Grant>& decided) mutable {
    if (!decided) return reply_problem(request, problem_of(decided.error()));
    HttpHead head;
    head.add("Set-Cookie", token_cookie(text, request.context.is_encrypted));
    reply_json(request, describe(request.context, *decided), std::move(head));
  });
}

}  // namespace

std::shared_ptr<HttpHandler> whoami(ApiRequest request) {
  reply_json(request, describe(request.context, request.grant));
  return answered();
}

std::shared_ptr<HttpHandler> login(ApiRequest request) {
  return read_json(std::move(request), check);
}

std::shared_ptr<HttpHandler> logout(ApiRequest request) {
  HttpHead head;
  head.status = 204;
  head.add("Set-Cookie", token_cookie({}, request.context.is_encrypted));
  note_end(request, Operation::kHttpApi, false, request.request.path, std::nullopt);
  request.port.respond(head, {});
  return answered();
}

}  // namespace millrace
