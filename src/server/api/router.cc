#include "server/api/router.h"

#include <array>

#include "base/address.h"
#include "server/api/authorization.h"
#include "server/api/connect.h"
#include "server/api/file_requests.h"
#include "server/api/health.h"
#include "server/api/live_requests.h"
#include "server/api/login.h"
#include "server/api/pages.h"

namespace millrace {

namespace {

enum class Needs : std::uint8_t { kNothing, kToken, kFigures };

struct Route {
  std::string_view method;
  std::string_view path;
  bool is_prefix;  ///< else the whole path
  Needs needs;
  MakeApiHandler make;
};

constexpr std::array kRoutes = std::to_array<Route>({
    {"GET", "/livez", false, Needs::kNothing, livez},
    {"GET", "/readyz", false, Needs::kNothing, readyz},
    {"GET", "/healthz", false, Needs::kNothing, readyz},
    {"GET", "/metrics", false, Needs::kFigures, metrics},
    {"GET", "/api/v1/openapi.json", false, Needs::kNothing, openapi},
    {"POST", "/api/v1/login", false, Needs::kNothing, login},
    {"POST", "/api/v1/logout", false, Needs::kNothing, logout},
    {"GET", "/api/v1/connect", false, Needs::kNothing, connect},
    {"GET", "/api/v1/whoami", false, Needs::kToken, whoami},
    {"GET", "/api/v1/status", false, Needs::kToken, status},
    {"GET", "/api/v1/events", false, Needs::kToken, events},
    {"GET", "/api/v1/history", false, Needs::kFigures, history},
    {"GET", "/api/v1/transfers", false, Needs::kToken, transfers},
    {"DELETE", "/api/v1/transfers/", true, Needs::kToken, cancel_transfer},
    {"GET", "/api/v1/sessions", false, Needs::kToken, sessions},
    {"DELETE", "/api/v1/sessions/", true, Needs::kToken, close_session},
    {"GET", "/api/v1/accounts", false, Needs::kToken, accounts},
    {"GET", "/api/v1/problems", false, Needs::kToken, problems},
    {"GET", "/api/v1/files", false, Needs::kToken, get_file},
    {"GET", "/api/v1/files/", true, Needs::kToken, get_file},
    {"PUT", "/api/v1/files/", true, Needs::kToken, put_file},
    {"DELETE", "/api/v1/files/", true, Needs::kToken, delete_file},
    {"POST", "/api/v1/move", false, Needs::kToken, move_file},
    {"GET", "/", true, Needs::kNothing, page},
});

bool changes_something(std::string_view method) {
  return method != "GET" && method != "HEAD";
}

/// A page of another site whose name was made to lead here (DNS rebinding) asks for its own name.
bool is_for_this_host(std::string_view host) {
  const std::size_t end = host.starts_with('[') ? host.find(']') : host.rfind(':');
  if (host.starts_with('['))
    return is_loopback(std::string(host.substr(1, end == std::string_view::npos ? end : end - 1)));
  return is_loopback(std::string(host.substr(0, end)));
}

HttpProblem not_watching() {
  return {403,
          {Code::kNotAllowed,
           "This token may neither read nor watch the server; ask for one that may: `millraced token add NAME --scope "
           "monitor`."}};
}

/// Holds a request until it is known who asks, and ends it once that does not count any more.
class Gate final : public HttpHandler, public std::enable_shared_from_this<Gate> {
 public:
  Gate(ApiRequest request, const Route& route, OnGrant on_grant)
      : request_(std::move(request)), port_(request_->port), route_(route), on_grant_(std::move(on_grant)) {}

  void start(std::optional<std::string> token) {
    port_.pause_body();
    admit(*request_, std::move(token), [self = shared_from_this()](const auto& decided) { self->on_decided(decided); });
  }

  /// False: it was refused.
  bool open(const Grant& grant) {
    grant_ = grant;
    if (const Status served = on_grant_(grant); !served) {
      refuse(served.error());
      return false;
    }
    accounts_ = request_->context.accounts;
    request_->grant = grant;
    request_->origin.account = grant.principal.account;
    const bool may = route_.needs != Needs::kFigures || request_->sees_figures();
    inner_ = may ? route_.make(std::move(*request_)) : refused(*request_, Operation::kHttpApi, not_watching());
    request_.reset();
    return true;
  }

  void on_body(ByteView bytes) override {
    if (inner_) return inner_->on_body(bytes);
    append(early_, bytes);
  }
  void on_body_end() override {
    if (inner_) return inner_->on_body_end();
    early_end_ = true;
  }
  void on_writable() override {
    if (inner_) inner_->on_writable();
  }
  void on_tick() override {
    if (!inner_) return;
    if (const Status counts = accounts_->renew(grant_); !counts) return port_.abort(counts.error());
    const auto inner = inner_;
    inner->on_tick();
  }
  bool is_endless() const override { return inner_ && inner_->is_endless(); }
  void on_closed() override {
    if (inner_) inner_->on_closed();
  }

 private:
  void on_decided(const Result<Grant>& decided) {
    if (!decided) return refuse(decided.error());
    if (!open(*decided)) return;
    const auto inner = inner_;
    if (!early_.empty()) inner->on_body(std::exchange(early_, {}));
    if (early_end_) return inner->on_body_end();
    if (inner->wants_body()) port_.resume_body();
  }

  void refuse(const Error& error) {
    note_end(*request_, Operation::kHttpApi, false, request_->request.path, error.code);
    HttpHead head;
    if (error.code == Code::kNotAuthenticated) head.add("WWW-Authenticate", "Bearer realm=\"millrace\"");
    port_.refuse(problem_of(error), std::move(head));
  }

  std::optional<ApiRequest> request_;  ///< until it is decided
  HttpPort& port_;
  const Route& route_;
  const OnGrant on_grant_;
  std::shared_ptr<Accounts> accounts_;
  Grant grant_;
  std::shared_ptr<HttpHandler> inner_;
  Buffer early_;
  bool early_end_ = false;
};

}  // namespace

std::shared_ptr<HttpHandler> route(ApiRequest request, const OnGrant& on_grant) {
  const std::string method = request.request.method == "HEAD" ? "GET" : request.request.method;
  const std::string& path = request.request.path;
  const Route* found = nullptr;
  std::string allowed;
  for (const Route& one : kRoutes) {
    if (one.is_prefix ? !path.starts_with(one.path) : path != one.path) continue;
    // What belongs to the API is no page.
    if (one.path == "/" && (path.starts_with("/api/") || !allowed.empty())) continue;
    if (one.method == method) {
      found = &one;
      break;
    }
    allowed += (allowed.empty() ? "" : ", ") + std::string(one.method);
  }
  if (found == nullptr && allowed.empty())
    return refused(request, Operation::kHttpApi, {404, {Code::kNotFound, "There is nothing at this address."}});
  if (found == nullptr) {
    note_end(request, Operation::kHttpApi, false, path, Code::kUsage);
    HttpHead head;
    head.add("Allow", allowed);
    request.port.refuse({405, {Code::kUsage, "This address does not take " + method + "."}}, std::move(head));
    return answered();
  }
  if (changes_something(method) && is_cross_site(request.request))
    return refused(request, Operation::kHttpApi,
                   {403, {Code::kNotAllowed, "A page of another site may not change anything here."}});
  const bool is_anonymous = !request.context.accounts->is_required();
  if (is_anonymous && is_loopback(request.context.host) && !is_for_this_host(request.request.header("host")) &&
      request.request.minor_version > 0)
    return refused(
        request, Operation::kHttpApi,
        {421, {Code::kNotAllowed, "This server is for this machine only; ask it as localhost or 127.0.0.1."}});
  request.path = path.substr(found->path.size());
  auto token = shown_token(request.request);
  if (found->needs == Needs::kNothing) return found->make(std::move(request));
  auto gate = std::make_shared<Gate>(std::move(request), *found, on_grant);
  if (is_anonymous && !token) {
    gate->open({});
    return gate;
  }
  gate->start(std::move(token));
  return gate;
}

}  // namespace millrace
