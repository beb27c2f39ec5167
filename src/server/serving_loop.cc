#include "server/serving_loop.h"

#include "monitor/wall_clock.h"
#include "net/short_slices.h"

namespace millrace {

namespace {
constexpr std::chrono::seconds kPeerTick{1};
constexpr std::chrono::milliseconds kDrainLook{20};
constexpr std::uint64_t kBurdenOfSession = 4096;
}  // namespace

ServingLoop::ServingLoop(const ServingParts& parts, const PeerRules& rules)
    : parts_(parts),
      monitor_(parts.recent),
      loop_(std::make_unique<Loop>(parts.lanes)),
      rules_(rules),
      turns_(std::make_unique<ReadingTurns>(*loop_, parts.budget)) {
  if (parts_.api != nullptr)
    http_ = std::make_unique<HttpServing>(*loop_, *parts_.api, monitor_, parts_.http_tls, parts_.http_limits,
                                          [this](Arrival arrival) {
                                            count_.fetch_add(1, std::memory_order_relaxed);
                                            serve(std::move(arrival));
                                          });
  lag_ = std::make_unique<LagMeter>(*loop_);
  timer_ = std::make_unique<Timer>(*loop_, kPeerTick, [this] { tick(); });
  // The answer comes from stop().
  loop_->mailbox().expect();
  thread_ = std::thread([this] {
    ask_for_short_slices();
    loop_->run();
  });
}

ServingLoop::~ServingLoop() {
  wait();
  lag_.reset();
}

void ServingLoop::wait() {
  if (thread_.joinable()) thread_.join();
}

void ServingLoop::take(Socket client) {
  count_.fetch_add(1, std::memory_order_relaxed);
  const auto held = std::make_shared<Socket>(std::move(client));
  loop_->mailbox().post([this, held] { serve(std::move(*held)); });
}

void ServingLoop::take_http(Socket client) {
  http_count_.fetch_add(1, std::memory_order_relaxed);
  const auto held = std::make_shared<Socket>(std::move(client));
  loop_->mailbox().post([this, held] {
    if (!stopping_) http_->take(std::move(*held), parts_.counts.connections.fetch_add(1) + 1);
    http_count_.store(http_->connections(), std::memory_order_relaxed);
  });
}

void ServingLoop::serve(Socket client) {
  Arrival arrival;
  arrival.id = parts_.counts.connections.fetch_add(1, std::memory_order_relaxed) + 1;
  parts_.counts.sync_connections.fetch_add(1, std::memory_order_relaxed);
  arrival.kind = "sync";
  arrival.peer = client.peer();
  arrival.address = attempt_address(client.descriptor());
  arrival.is_encrypted = parts_.tls != nullptr;
  auto tcp = std::make_unique<TcpStream>(*loop_);
  if (tcp->adopt(std::move(client))) arrival.stream = secure(std::move(tcp), parts_.tls.get(), &monitor_);
  serve(std::move(arrival));
}

void ServingLoop::serve(Arrival arrival) {
  const std::uint64_t number = next_number_++;
  Served& served = served_[number];
  served.id = arrival.id;
  served.kind = arrival.kind;
  served.peer = std::move(arrival.peer);
  served.address = std::move(arrival.address);
  served.is_encrypted = arrival.is_encrypted;
  served.since_ms = wall_clock_ms();
  if (parts_.journal.log->wants(LogLevel::kInfo))
    parts_.journal.log->write(LogLevel::kInfo, "connection opened",
                              LogFields().add("connection", served.id).add("peer", served.peer));
  if (stopping_ || !arrival.stream) return end(number, {Code::kNetwork, "The connection was lost before it began."});
  // The table outlives the session's calls, which come before its end.
  const auto accept = [this, &served, grant = served.grant](FrameType type, ByteView payload, StreamPort& port) {
    const Principal& principal = grant->principal;
    return watch_request(parts_.journal, monitor_, {served.id, ++served.requests, principal.account}, type, payload,
                         port, [&](StreamPort& its_port) {
                           return make_server_conversation(parts_.context, principal, type, payload, its_port);
                         });
  };
  served.session = std::make_shared<Session>(
      *loop_, std::move(arrival.stream), Mux::Role::kServer, accept,
      [this, number](const Error& error) { end(number, error); }, parts_.budget);
  const auto session = served.session;
  session->set_on_starved([this, weak = std::weak_ptr<Session>(session)] {
    if (const auto starved = weak.lock(); starved && turns_) turns_->add(starved);
  });
  if (parts_.accounts)
    session->set_gate([this, number, shown = std::move(arrival.token)](std::optional<std::string> token) {
      authenticate(number, std::move(token), shown);
    });
  session->start();
  if (draining_) session->leave(*draining_);
}

std::vector<std::shared_ptr<Session>> ServingLoop::all_sessions() const {
  std::vector<std::shared_ptr<Session>> all;
  all.reserve(served_.size());
  for (const auto& [number, served] : served_)
    if (served.session) all.push_back(served.session);
  return all;
}

void ServingLoop::drain(const wire::GoAway& message) {
  if (http_) answering_http_.store(true, std::memory_order_relaxed);  // until it was looked at
  loop_->mailbox().post([this, message] {
    if (stopping_) return;
    draining_ = message;
    let_leave();
    drain_look_ = std::make_unique<Timer>(*loop_, kDrainLook, [this] { let_leave(); });
  });
}

void ServingLoop::let_leave() {
  for (const auto& session : all_sessions()) session->leave(*draining_);
  if (!http_) return;
  http_->drain();
  answering_http_.store(http_->is_busy(), std::memory_order_relaxed);
}

void ServingLoop::set_rules(const PeerRules& rules) {
  loop_->mailbox().post([this, rules] {
    rules_ = rules;
    if (http_) http_->set_rules(rules);
  });
}

void ServingLoop::authenticate(std::uint64_t number, std::optional<std::string> token,
                               const std::optional<std::string>& shown) {
  const Token which = token ? Token::kSent : shown ? Token::kShown : Token::kNone;
  if (!token) token = shown;
  const auto decided = std::make_shared<Result<Grant>>(Grant{});
  served_.at(number).session->run(
      Lane::kCatalogue,
      [accounts = parts_.accounts, token = std::move(token), decided] { *decided = accounts->admit(token); },
      [this, number, which, decided] { on_decided(number, which, *decided); });
}

void ServingLoop::on_decided(std::uint64_t number, Token token, const Result<Grant>& decided) {
  const auto found = served_.find(number);
  if (found == served_.end()) return;
  Served& served = found->second;
  const bool has_token = token != Token::kNone;
  if (parts_.journal.audit != nullptr && (has_token || !decided)) {
    const LogFields who = LogFields().add("connection", served.id).add("peer", served.peer);
    if (decided) {
      parts_.journal.audit->record(decided->principal.account, "authenticate", "", "ok", who);
    } else {
      parts_.journal.audit->record_refused("authenticate", code_name(decided.error().code), who);
    }
  }
  if (!decided) {
    const bool is_attempt = has_token && decided.error().code == Code::kNotAuthenticated;
    if (!is_attempt) return turn_away(number, decided.error());
    const auto delay = parts_.accounts->delay_of_failure(served.address, uv_now(loop_->raw()));
    served.held_back =
        std::make_unique<Timer>(*loop_, delay, [this, number, error = decided.error()] { turn_away(number, error); });
    return;
  }
  if (has_token) parts_.counts.authenticated.fetch_add(1, std::memory_order_relaxed);
  *served.grant = *decided;
  const Grant& grant = *served.grant;
  auto place = take_place(grant);
  if (!place) return turn_away(number, place.error());
  served.place = std::move(*place);
  // Always: a limit may be set while it is served.
  if (grant.use)
    served.session->set_meter([grant = served.grant](std::uint64_t bytes) { return rest_after(*grant, bytes); });
  std::optional<wire::Authenticated> answer;
  if (token == Token::kSent) {
    const Scope& scope = grant.principal.scope;
    answer.emplace();
    answer->account = grant.principal.account;
    answer->scope =
        (scope.read ? 1u : 0u) | (scope.write ? 2u : 0u) | (scope.remove ? 4u : 0u) | (scope.monitor ? 8u : 0u);
    answer->prefix = scope.prefix;
    answer->expires_s = grant.expires_s;
  }
  const auto session = served.session;
  session->admit(answer);
}

/// Never called where the session's own code goes on with what ends here.
void ServingLoop::turn_away(std::uint64_t number, const Error& error) {
  const auto found = served_.find(number);
  if (found == served_.end()) return;
  if (error.code == Code::kNotAuthenticated) parts_.counts.not_authenticated.fetch_add(1, std::memory_order_relaxed);
  const auto session = found->second.session;
  const Error told = error;  // the timer that holds it may go
  found->second.held_back.reset();
  session->turn_away(told);
}

/// Tokens that were revoked or have ended, accounts that are no more or have other limits.
void ServingLoop::watch_grants() {
  if (!parts_.accounts) return;
  std::vector<std::pair<std::uint64_t, Error>> over;
  for (auto& [number, served] : served_) {
    if (!served.session || !served.session->mux().is_admitted() || served.session->is_closing()) continue;
    if (const Status counts = parts_.accounts->renew(*served.grant); !counts) over.emplace_back(number, counts.error());
  }
  for (const auto& [number, error] : over) turn_away(number, error);
}

void ServingLoop::end(std::uint64_t number, const Error& error) {
  if (error.code == Code::kTooSlow) parts_.counts.too_slow.fetch_add(1, std::memory_order_relaxed);
  if (const auto ended = served_.find(number); ended != served_.end()) {
    count_moved(ended->second);
    note_end(ended->second, error);
    served_.erase(ended);
  }
  count_.fetch_sub(1, std::memory_order_relaxed);
}

void ServingLoop::note_end(const Served& served, const Error& error) const {
  const bool is_their_fault = error.code == Code::kTooSlow || error.code == Code::kProtocol ||
                              error.code == Code::kVersion || error.code == Code::kTls;
  if (!parts_.journal.log->wants(is_their_fault ? LogLevel::kWarning : LogLevel::kInfo)) return;
  LogFields fields;
  fields.add("connection", served.id).add("peer", served.peer).add("result", code_name(error.code));
  fields.add("reason", error.sentence).add("requests", served.requests);
  if (is_their_fault) return parts_.journal.log->warn_of_client("a client's connection was ended", fields);
  parts_.journal.log->write(LogLevel::kInfo, "connection closed", fields);
}

void ServingLoop::stop() {
  loop_->mailbox().answer([this] {
    stopping_ = true;
    timer_.reset();
    drain_look_.reset();
    turns_.reset();
    if (http_) http_->stop();
    while (!served_.empty()) {
      const auto session = served_.begin()->second.session;
      session->close({Code::kBusy, "The server is shutting down"});
    }
  });
}

void ServingLoop::watch_peers() {
  const std::uint64_t now_ms = uv_now(loop_->raw());
  std::uint64_t busy = 0;
  PeerRules rules = rules_;
  rules.needs_token = parts_.accounts && parts_.accounts->is_required();
  for (const auto& session : all_sessions()) busy += session->watch(rules, now_ms) + session->mux().take_refusals();
  parts_.counts.requests_busy.fetch_add(busy, std::memory_order_relaxed);
}

std::uint64_t ServingLoop::count_moved(Served& served) {
  if (!served.session) return 0;
  return served.moved.count(served.session->stream(), monitor_);
}

void ServingLoop::look(const LiveQuery& query, LiveView& into) const {
  std::size_t left = query.most_sessions;
  for (auto one = served_.rbegin(); one != served_.rend() && left > 0; ++one) {
    const Served& served = one->second;
    if (!served.session || (query.account && served.grant->principal.account != *query.account)) continue;
    const Stream& stream = served.session->stream();
    into.sessions.push_back({served.id, served.kind, served.peer, served.grant->principal.account, served.requests,
                             stream.bytes_read(), stream.bytes_written(), served.since_ms, served.is_encrypted});
    --left;
  }
  if (http_) http_->look(query, into);
  for (TransferView& transfer : monitor_.active(query.account, query.most_transfers))
    into.transfers.push_back(std::move(transfer));
}

bool ServingLoop::close_session(std::uint64_t id, const std::optional<std::string>& account, const Error& why) {
  for (const auto& [number, served] : served_) {
    if (served.id != id || !served.session) continue;
    if (account && served.grant->principal.account != *account) return false;
    const auto session = served.session;
    session->close(why);
    return true;
  }
  return http_ && http_->close_session(id, account, why);
}

bool ServingLoop::cancel_transfer(const TransferName& name, const std::optional<std::string>& account,
                                  const Error& why) {
  ActiveTransfer* const transfer = monitor_.find(name.connection, name.request);
  if (transfer == nullptr || (account && transfer->view.account != *account)) return false;
  transfer->cancel(why);
  return true;
}

void ServingLoop::tick() {
  ticks_.fetch_add(1, std::memory_order_relaxed);
  watch_peers();
  watch_grants();
  std::uint64_t bytes = 0;
  for (auto& [number, served] : served_) bytes += count_moved(served);
  if (http_) {
    http_->tick();
    http_count_.store(http_->connections(), std::memory_order_relaxed);
  }
  last_bytes_.store(bytes, std::memory_order_relaxed);
  recent_bytes_.store(recent_bytes_.load(std::memory_order_relaxed) / 2 + bytes, std::memory_order_relaxed);
}

std::uint64_t ServingLoop::burden() const {
  return recent_bytes_.load(std::memory_order_relaxed) + sessions() * kBurdenOfSession;
}

}  // namespace millrace
