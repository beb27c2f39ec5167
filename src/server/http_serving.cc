#include "server/http_serving.h"

#include <algorithm>

#include "monitor/wall_clock.h"
#include "server/api/router.h"
#include "server/attempt_delays.h"

namespace millrace {

HttpServing::HttpServing(Loop& loop, const ApiContext& context, LoopMonitor& monitor,
                         std::shared_ptr<const ServerTls> tls, const HttpLimits& limits, BeginSession begin_session)
    : loop_(loop),
      context_(context),
      monitor_(monitor),
      tls_(std::move(tls)),
      limits_(limits),
      begin_session_(std::move(begin_session)) {}

HttpServing::~HttpServing() = default;

void HttpServing::take(Socket client, std::uint64_t id) {
  Served& served = served_[id];
  served.peer = client.peer();
  served.address = attempt_address(client.descriptor());
  served.since_ms = wall_clock_ms();
  auto tcp = std::make_unique<TcpStream>(loop_);
  if (!tcp->adopt(std::move(client))) {
    served_.erase(id);
    return;
  }
  // The table outlives the connection's calls.
  const auto make = [this, id, &served](const HttpRequest& request, HttpPort& port) {
    return route({context_,
                  loop_,
                  monitor_,
                  {id, served.connection->requests(), {}},
                  request,
                  port,
                  served.peer,
                  served.address,
                  begin_session_,
                  {},
                  {},
                  std::chrono::steady_clock::now(),
                  limits_.peers.memory_wait_seconds},
                 [&served](const Grant& grant) { return on_grant(served, grant); });
  };
  served.connection = std::make_shared<HttpConnection>(loop_, secure_http(std::move(tcp), tls_.get(), &monitor_),
                                                       limits_, make, [this, id](const Error& why) { end(id, why); });
  const auto connection = served.connection;
  connection->start();
  if (draining_) connection->set_last();  // whoever asks whether the server is ready still hears
}

Status HttpServing::on_grant(Served& served, const Grant& grant) {
  served.account = grant.principal.account;
  if (served.use != grant.use) {
    served.place.reset();
    served.use.reset();
    MILLRACE_ASSIGN(served.place, take_place(grant));
    served.use = grant.use;
  }
  const bool is_limited = grant.use && grant.limits.max_rate > 0;
  served.connection->set_meter(is_limited ? [grant](std::uint64_t bytes) { return rest_after(grant, bytes); }
                                          : Meter());
  return {};
}

void HttpServing::tick() {
  std::vector<std::shared_ptr<HttpConnection>> all;
  all.reserve(served_.size());
  for (auto& [id, served] : served_) {
    served.moved.count(served.connection->stream(), monitor_);
    all.push_back(served.connection);
  }
  for (const auto& connection : all) connection->watch(uv_now(loop_.raw()));
}

void HttpServing::end(std::uint64_t id, const Error& why) {
  const auto ended = served_.find(id);
  if (ended == served_.end()) return;
  if (why.code == Code::kTooSlow) {
    context_.too_slow.fetch_add(1, std::memory_order_relaxed);
    context_.journal.log->warn_of_client("a client's connection was ended", LogFields()
                                                                                .add("connection", id)
                                                                                .add("peer", ended->second.peer)
                                                                                .add("result", code_name(why.code))
                                                                                .add("reason", why.sentence));
  }
  if (Served& served = ended->second; served.connection) served.moved.count(served.connection->stream(), monitor_);
  served_.erase(ended);
}

void HttpServing::drain() {
  draining_ = true;
  std::vector<std::shared_ptr<HttpConnection>> all;
  for (auto& [id, served] : served_) all.push_back(served.connection);
  for (const auto& connection : all) connection->leave();
}

bool HttpServing::is_busy() const {
  return std::any_of(served_.begin(), served_.end(), [](const auto& one) { return one.second.connection->is_busy(); });
}

void HttpServing::stop() {
  while (!served_.empty()) {
    const auto connection = served_.begin()->second.connection;
    connection->close({Code::kBusy, "The server is shutting down"});
  }
}

void HttpServing::look(const LiveQuery& query, LiveView& into) const {
  std::size_t left = query.most_sessions;
  for (auto one = served_.rbegin(); one != served_.rend() && left > 0; ++one) {
    const Served& served = one->second;
    if (!served.connection || (query.account && served.account != *query.account)) continue;
    const Stream& stream = served.connection->stream();
    into.sessions.push_back({one->first, "http", served.peer, served.account, served.connection->requests(),
                             stream.bytes_read(), stream.bytes_written(), served.since_ms, tls_ != nullptr});
    --left;
  }
}

bool HttpServing::close_session(std::uint64_t id, const std::optional<std::string>& account, const Error& why) {
  const auto found = served_.find(id);
  if (found == served_.end() || !found->second.connection) return false;
  if (account && found->second.account != *account) return false;
  const auto connection = found->second.connection;
  connection->close(why);
  return true;
}

}  // namespace millrace
