#include "server/api/live_requests.h"

#include "base/units.h"
#include "server/api/json_reply.h"
#include "server/api/live_json.h"

namespace millrace {

namespace {

constexpr std::size_t kMostShown = 200;
constexpr std::size_t kMostSessions = 1000;
constexpr std::chrono::milliseconds kEventInterval{1000};
constexpr std::chrono::milliseconds kRetry{2000};
constexpr std::uint64_t kMostUnsent = 1u << 20;

/// "7-12".
std::optional<TransferName> transfer_name(std::string_view text) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto connection = whole_number(text.substr(0, dash));
  const auto request = whole_number(text.substr(dash + 1));
  if (!connection || !request) return std::nullopt;
  return TransferName{*connection, *request};
}

Error ended_by_operator() {
  return {Code::kCancelled, "The transfer was ended on the server."};
}

/// 204, or 404.
std::function<void(bool)> say_whether(const ApiRequest& request, const char* not_there) {
  return [request = ApiRequest(request), not_there](bool found) mutable {
    if (!found) return reply_problem(request, {404, {Code::kNotFound, not_there}});
    note_end(request, Operation::kHttpApi, false, request.request.path, std::nullopt);
    HttpHead head;
    head.status = 204;
    request.port.respond(head, {});
  };
}

/// Only whoever may write may end what others have begun, and only what is its account's.
std::optional<HttpProblem> may_end(const ApiRequest& request) {
  if (request.principal().scope.write) return std::nullopt;
  return HttpProblem{403, {Code::kNotAllowed, "This token may only read."}};
}

/// The whole server's for who may see that, else what concerns the account.
nlohmann::json status_for(const ApiRequest& request) {
  LiveServer& server = request.context.server;
  if (request.sees_figures()) return status_json(server.snapshot(), server.total());
  const Principal& who = request.principal();
  return account_status_json(server.snapshot(), who.account, request.context.usage(who.account), who.quota);
}

class EventStream final : public HttpHandler, public std::enable_shared_from_this<EventStream> {
 public:
  explicit EventStream(ApiRequest request) : request_(std::move(request)) {}

  void start() {
    HttpHead head;
    head.add("Content-Type", "text/event-stream").add("Cache-Control", "no-store");
    request_.port.begin(head, std::nullopt);
    if (request_.request.method == "HEAD") {
      note_end(request_, Operation::kHttpApi, false, request_.request.path, std::nullopt);
      return request_.port.finish();
    }
    say("retry: " + std::to_string(kRetry.count()) + "\n\n");
    tell();
  }

  bool is_endless() const override { return true; }
  void on_closed() override { note_end(request_, Operation::kHttpApi, false, request_.request.path, std::nullopt); }

 private:
  void tell() {
    request_.context.server.gather(request_.loop, {request_.sees(), 0, kMostShown},
                                   [weak = weak_from_this()](const LiveView& view) {
                                     if (const auto self = weak.lock()) self->send(view);
                                   });
  }

  void send(const LiveView& view) {
    // Whoever reads slower than that sees fewer moments.
    if (request_.port.unsent_bytes() < kMostUnsent) {
      LiveServer& server = request_.context.server;
      const nlohmann::json data = {{"status", status_for(request_)},
                                   {"transfers", transfers_json(view.transfers)},
                                   {"problems_last_id", request_.sees() ? 0 : server.problems().last_id()}};
      say("event: live\ndata: " + to_text(data) + "\n\n");
    }
    request_.port.run_after(kEventInterval, [self = shared_from_this()] { self->tell(); });
  }

  void say(std::string_view text) {
    Buffer bytes;
    append(bytes, as_bytes(text));
    request_.port.send(SharedBytes::of(std::move(bytes)));
  }

  ApiRequest request_;
};

}  // namespace

std::shared_ptr<HttpHandler> status(ApiRequest request) {
  reply_json(request, status_for(request));
  return answered();
}

std::shared_ptr<HttpHandler> events(ApiRequest request) {
  auto stream = std::make_shared<EventStream>(std::move(request));
  stream->start();
  return stream;
}

std::shared_ptr<HttpHandler> history(ApiRequest request) {
  const std::string name = query_value(request.request.query, "window").value_or("5m");
  const auto window = history_window(name);
  if (!window) {
    reply_problem(request, {400, {Code::kUsage, "The window must be 5m, 1h, 24h or 90d."}});
    return answered();
  }
  reply_json(request,
             history_json(name, window->step, request.context.server.history().points(window->step, window->most)));
  return answered();
}

std::shared_ptr<HttpHandler> transfers(ApiRequest request) {
  request.context.server.gather(
      request.loop, {request.sees(), 0, kMostShown}, request.port.while_open([request](const LiveView& view) mutable {
        reply_json(request,
                   {{"active", transfers_json(view.transfers)},
                    {"recent", transfers_json(request.context.server.recent_transfers().list(request.sees()))}});
      }));
  return answered();
}

std::shared_ptr<HttpHandler> cancel_transfer(ApiRequest request) {
  const auto name = transfer_name(request.path);
  std::optional<HttpProblem> problem = may_end(request);
  if (!name) problem = HttpProblem{404, {Code::kNotFound, "There is no such transfer."}};
  if (problem) {
    reply_problem(request, *problem);
    return answered();
  }
  request.context.server.cancel_transfer(request.loop, *name, request.ends(), ended_by_operator(),
                                         request.port.while_open(say_whether(request, "There is no such transfer.")));
  return answered();
}

std::shared_ptr<HttpHandler> sessions(ApiRequest request) {
  request.context.server.gather(request.loop, {request.sees(), kMostSessions, 0},
                                request.port.while_open([request](const LiveView& view) mutable {
                                  reply_json(request, {{"sessions", sessions_json(view.sessions)}});
                                }));
  return answered();
}

std::shared_ptr<HttpHandler> close_session(ApiRequest request) {
  const auto id = whole_number(request.path);
  std::optional<HttpProblem> problem = may_end(request);
  if (!id) problem = HttpProblem{404, {Code::kNotFound, "There is no such session."}};
  if (problem) {
    reply_problem(request, *problem);
    return answered();
  }
  request.context.server.close_session(request.loop, *id, request.ends(),
                                       {Code::kCancelled, "The connection was ended on the server."},
                                       request.port.while_open(say_whether(request, "There is no such session.")));
  return answered();
}

std::shared_ptr<HttpHandler> accounts(ApiRequest request) {
  nlohmann::json out = nlohmann::json::array();
  for (const AccountView& one : request.context.accounts->list()) {
    if (request.sees() && one.name != *request.sees()) continue;
    const Usage usage = request.context.usage(one.name);
    out.push_back({{"name", one.name},
                   {"bytes", usage.bytes},
                   {"files", usage.files},
                   {"quota_bytes", one.limits.quota.bytes},
                   {"quota_files", one.limits.quota.files},
                   {"connections", one.connections}});
  }
  reply_json(request, {{"accounts", std::move(out)}});
  return answered();
}

std::shared_ptr<HttpHandler> problems(ApiRequest request) {
  const std::string after = query_value(request.request.query, "after").value_or("0");
  // They may speak of anybody.
  const bool sees_all = !request.sees();
  const auto list =
      sees_all ? request.context.server.problems().list(whole_number(after).value_or(0)) : std::vector<Problem>();
  reply_json(request, {{"problems", problems_json(list)}});
  return answered();
}

}  // namespace millrace
