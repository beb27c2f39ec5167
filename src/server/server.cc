#include "server/server.h"

#include <algorithm>
#include <cstdio>

#include "base/counted_hasher.h"
#include "base/units.h"
#include "monitor/wall_clock.h"

namespace millrace {

namespace {
constexpr std::chrono::milliseconds kAcceptorLook{20};
constexpr std::chrono::milliseconds kSampling{1000};
constexpr unsigned kSamplesOfTurning = 5;      ///< a loop that has not turned for so many is stuck
constexpr std::uint64_t kRetryAfterMs = 1000;  ///< a server that is started again is there by then

void add_events(ServerSnapshot& to, const LoopCounts& counts) {
  to.resumed += counts.resumed.value();
  to.resumed_failed += counts.resumed_failed.value();
  to.wrong_roots += counts.wrong_roots.value();
  to.asked_chunks += counts.asked_chunks.value();
  to.asked_all += counts.asked_all.value();
  to.handshakes_full.add(counts.handshakes_full.read());
  to.handshakes_resumed.add(counts.handshakes_resumed.read());
  to.handshakes_failed += counts.handshakes_failed.value();
}
}  // namespace

Server::Server(Loop& acceptor, ServerSetup setup)
    : acceptor_(acceptor),
      setup_(std::move(setup)),
      lanes_(std::make_shared<Lanes>(LaneSizes::for_server(std::thread::hardware_concurrency()))),
      api_{setup_.context.store,
           [&store = setup_.store](const std::string& account) { return store.usage(account); },
           counted(setup_.hasher, setup_.hashed.http),
           setup_.accounts,
           setup_.budget,
           setup_.journal,
           *this,
           [this] { return may_begin_session(); },
           setup_.http_host,
           setup_.http_tls != nullptr,
           counts_.not_authenticated,
           counts_.authenticated,
           counts_.too_slow},
      history_(
          [&keeper = setup_.history_keeper](HistoryStep step, const HistoryPoint& point) { keeper.take(step, point); }),
      refusals_(acceptor, setup_.tls, [this] { on_refusal_ended(); }),
      started_ms_(wall_clock_ms()) {
  ServingParts parts{setup_.context, setup_.accounts, setup_.tls, lanes_,
                     setup_.budget,  counts_,         recent_,    setup_.journal};
  if (!setup_.http_host.empty()) parts.api = &api_;
  parts.http_tls = setup_.http_tls;
  parts.http_limits.peers = setup_.limits.peers;
  parts.http_limits.head_seconds = setup_.limits.peers.auth_seconds;
  parts.http_limits.idle_seconds = setup_.limits.http_idle_seconds;
  for (unsigned i = 0; i < setup_.limits.loops; ++i)
    loops_.push_back(std::make_unique<ServingLoop>(parts, setup_.limits.peers));
  const Status restored = setup_.history_keeper.restore(history_);
  if (!restored)
    setup_.journal.log->warn("What was kept of the server's history is lost: " + restored.error().sentence);
  sampling_ = std::make_unique<Timer>(acceptor_, kSampling, [this] { sample(); });
  sample();
  // While accepting is paused nothing else may keep the loop alive; the answer comes from stop().
  acceptor_.mailbox().expect();
}

Server::~Server() {
  stop();
  // What they serve by HTTP asks this server, and through it the other loops.
  for (const auto& loop : loops_) loop->wait();
}

TcpListener::OnConnection Server::on_connection_call() {
  return [this](Socket client, Descriptors descriptors) { on_connection(std::move(client), descriptors); };
}

Status Server::listen(const std::string& host, std::uint16_t port) {
  MILLRACE_ASSIGN(listener_, TcpListener::listen(acceptor_, host, port, on_connection_call()));
  port_ = listener_->port();
  address_ = host + ":" + std::to_string(port_);
  return {};
}

Status Server::listen_http(const std::string& host, std::uint16_t port) {
  MILLRACE_ASSIGN(http_listener_,
                  TcpListener::listen(acceptor_, host, port, [this](Socket client, Descriptors descriptors) {
                    on_http_connection(std::move(client), descriptors);
                  }));
  http_port_ = http_listener_->port();
  http_address_ = host + ":" + std::to_string(http_port_);
  return {};
}

Status Server::listen_on(Socket socket) {
  address_ = socket.host();
  MILLRACE_ASSIGN(listener_, TcpListener::adopt(acceptor_, std::move(socket), on_connection_call()));
  port_ = listener_->port();
  return {};
}

void Server::on_connection(Socket client, Descriptors descriptors) {
  if (descriptors == Descriptors::kExhausted)
    return refuse(std::move(client), {Code::kBusy, "The server has no descriptors left; try again later."});
  if (const Status may = may_begin_session(); !may) return refuse(std::move(client), may.error());
  least_burdened().take(std::move(client));
}

Status Server::may_begin_session() const {
  if (draining_) return fail(Code::kBusy, "The server is shutting down; try again in a moment.");
  if (sessions() < setup_.limits.max_connections) return {};
  return fail(Code::kBusy, "The server takes no more than " + std::to_string(setup_.limits.max_connections) +
                               " connections at once; try again later.");
}

void Server::on_http_connection(Socket client, Descriptors descriptors) {
  std::size_t connections = 0;
  for (const auto& loop : loops_) connections += loop->http_connections();
  if (descriptors == Descriptors::kExhausted || connections >= setup_.limits.max_http_connections) {
    // The listener stands still until a descriptor is free again.
    counts_.refused.fetch_add(1, std::memory_order_relaxed);
    client = {};
    return http_listener_->resume();
  }
  counts_.http_connections.fetch_add(1, std::memory_order_relaxed);
  least_burdened().take_http(std::move(client));
}

void Server::refuse(Socket client, const Error& error) {
  counts_.refused.fetch_add(1, std::memory_order_relaxed);
  setup_.journal.log->warn_of_client("a client was refused",
                                     LogFields().add("peer", client.peer()).add("reason", error.sentence));
  refusals_.refuse(std::move(client), error);
  if (listener_ && refusals_.count() >= setup_.limits.max_refusals) listener_->pause();
}

void Server::on_refusal_ended() {
  if (listener_) listener_->resume();
}

std::size_t Server::sessions() const {
  std::size_t count = 0;
  for (const auto& loop : loops_) count += loop->sessions();
  return count;
}

std::uint64_t Server::active_transfers() const {
  std::uint64_t active = 0;
  for (const auto& loop : loops_)
    for (const auto& one : loop->monitor().counts.active) active += one.load(std::memory_order_relaxed);
  return active;
}

std::string Server::summary() {
  const auto ms = [](std::uint64_t us) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f ms", static_cast<double>(us) / 1000);
    return std::string(text);
  };
  sampler_.sample();
  const LoadSampler::Sum sum = sampler_.take();
  const auto queues = sampler_.last().queues;
  std::string out = "sessions " + std::to_string(sessions()) + "; transfers " +
                    std::to_string(setup_.budget->transfers()) + ", waiting for memory " +
                    std::to_string(setup_.budget->waiting());
  for (std::size_t i = 0; i < kWorkersCount; ++i) {
    const Histogram& waits = sum.waits[i];
    out += "; " + std::string(queues[i].name) + " queue " + std::to_string(queues[i].length) + ", waits p50 " +
           ms(waits.value_at(0.5)) + " p99 " + ms(waits.value_at(0.99)) + " of " + std::to_string(waits.count());
  }
  out += "; memory " + human_size(setup_.budget->used()) + " of " + human_size(setup_.budget->limit()) + ", most " +
         human_size(setup_.budget->most_used()) + "; loop lag p99 " + ms(sum.lag.value_at(0.99)) + "; refused " +
         std::to_string(counts_.refused) + ", busy " + std::to_string(counts_.requests_busy) + ", too slow " +
         std::to_string(counts_.too_slow) + ", not authenticated " + std::to_string(counts_.not_authenticated);
  return out;
}

void Server::sample() {
  sampler_.sample();
  ProcessFigures process = setup_.process.look();
  {
    const std::lock_guard lock(figures_mutex_);
    process_figures_ = process;
  }
  if (samples_++ % kSamplesOfTurning == 0) loops_turn_ = have_turned(seen_by_sampling_) || samples_ == 1;
  const ServerSnapshot now = snapshot();
  HistorySample sample;
  sample.at_s = now.now_ms / 1000;
  sample.in_bytes = now.transfers[static_cast<std::size_t>(Direction::kIn)].wire;
  sample.out_bytes = now.transfers[static_cast<std::size_t>(Direction::kOut)].wire;
  sample.saved_bytes = now.saved_bytes();
  sample.requests = now.requests_done() + now.requests_failed();
  sample.errors = now.requests_failed();
  sample.durations = now.all_durations();
  sample.connections = now.connections();
  for (const TransferTotals& one : now.transfers) sample.transfers += one.active;
  for (const LoopView& loop : now.loops) sample.lag_p99_s = std::max(sample.lag_p99_s, loop.lag_p99_s);
  history_.add(sample);
}

void Server::set_store_figures(StoreFigures figures) {
  const std::lock_guard lock(figures_mutex_);
  store_figures_ = std::move(figures);
}

std::vector<HealthCheck> Server::health(const StoreFigures& store) const {
  std::vector<HealthCheck> out;
  out.push_back({"loops", loops_turn_, std::to_string(loops_.size()) + " event loops"});
  out.push_back({"store", !store.stopped, store.stopped ? store.stopped->sentence : "writes"});
  const bool has_room = store.total_bytes == 0 || store.free_bytes >= setup_.limits.reserve_bytes;
  out.push_back(
      {"room", has_room, human_size(store.free_bytes) + " free, reserve " + human_size(setup_.limits.reserve_bytes)});
  out.push_back({"draining", !draining_, draining_ ? "the server is shutting down" : "no"});
  return out;
}

ServerSnapshot Server::snapshot() {
  ServerSnapshot now;
  now.now_ms = wall_clock_ms();
  now.started_ms = started_ms_;
  now.revision = setup_.revision;
  {
    const std::lock_guard lock(figures_mutex_);
    now.store = store_figures_;
    now.process = process_figures_;
  }
  ListenerView sync{"sync", address_, setup_.tls != nullptr, sessions(),
                    counts_.sync_connections.load(std::memory_order_relaxed)};
  ListenerView http{"http", http_address_, setup_.http_tls != nullptr, 0,
                    counts_.http_connections.load(std::memory_order_relaxed)};
  for (const auto& loop : loops_) {
    http.active += loop->http_connections();
    const LoopCounts& counts = loop->monitor().counts;
    for (std::size_t i = 0; i < kOperationNames.size(); ++i) {
      for (std::size_t result = 0; result < kResults; ++result)
        now.requests[i][result] += counts.requests[i][result].value();
      now.durations[i].add(counts.durations[i].read());
    }
    for (std::size_t i = 0; i < kDirectionNames.size(); ++i) {
      now.transfers[i].active += counts.active[i].load(std::memory_order_relaxed);
      now.transfers[i].logical += counts.transfers[i].logical.value();
      now.transfers[i].matched += counts.transfers[i].matched.value();
      now.transfers[i].literal += counts.transfers[i].literal.value();
      now.transfers[i].zero += counts.transfers[i].zero.value();
      now.transfers[i].wire += counts.wire_bytes[i].value();
    }
  }
  for (const auto& loop : loops_) add_events(now, loop->monitor().counts);
  now.hashed = {setup_.hashed.transfers.value(), setup_.hashed.http.value(), setup_.hashed.store.value(),
                setup_.hashed.scrub.value()};
  now.listeners.push_back(std::move(sync));
  now.listeners.push_back(std::move(http));
  LoadSampler::LastSecond last = sampler_.last();
  now.loops = std::move(last.loops);
  now.queues = std::move(last.queues);
  now.refused = counts_.refused;
  now.not_authenticated = counts_.not_authenticated;
  now.authenticated = counts_.authenticated;
  now.too_slow = counts_.too_slow;
  now.requests_busy = counts_.requests_busy;
  now.buffers = setup_.budget->used();
  now.buffers_limit = setup_.budget->limit();
  now.buffers_most = setup_.budget->most_used();
  now.waiting_for_memory = setup_.budget->waiting();
  if (setup_.context.signatures) now.signatures = setup_.context.signatures->counts();
  now.reserve_bytes = setup_.limits.reserve_bytes;
  now.health = health(now.store);
  return now;
}

void Server::ask_loops(Loop& asker, std::function<Answer(ServingLoop&)> ask, std::function<void()> done) {
  struct Round {
    std::size_t left;
    std::function<void()> done;
  };
  const auto round = std::make_shared<Round>(Round{loops_.size(), std::move(done)});
  for (const auto& loop : loops_) {
    loop->post([&loop = *loop, ask, round, mailbox = asker.shared_mailbox()] {
      mailbox->post([answer = ask(loop), round] {
        answer();
        if (--round->left == 0) round->done();
      });
    });
  }
}

void Server::gather(Loop& asker, const LiveQuery& query, std::function<void(LiveView)> done) {
  const auto all = std::make_shared<LiveView>();
  ask_loops(
      asker,
      [query, all](ServingLoop& loop) -> Answer {
        const auto part = std::make_shared<LiveView>();
        loop.look(query, *part);
        return [part, all] {
          std::move(part->sessions.begin(), part->sessions.end(), std::back_inserter(all->sessions));
          std::move(part->transfers.begin(), part->transfers.end(), std::back_inserter(all->transfers));
        };
      },
      [all, query, done = std::move(done)] {
        const auto newest = [](auto& list, std::size_t most, auto key) {
          std::sort(list.begin(), list.end(), [key](const auto& a, const auto& b) { return key(a) > key(b); });
          if (list.size() > most) list.resize(most);
        };
        newest(all->sessions, query.most_sessions, [](const SessionView& one) { return one.id; });
        newest(all->transfers, query.most_transfers,
               [](const TransferView& one) { return std::pair(one.connection, one.request); });
        done(std::move(*all));
      });
}

void Server::close_session(Loop& asker, std::uint64_t id, const std::optional<std::string>& account, const Error& why,
                           std::function<void(bool)> done) {
  const auto found = std::make_shared<bool>(false);
  ask_loops(
      asker,
      [id, account, why, found](ServingLoop& loop) -> Answer {
        const bool here = loop.close_session(id, account, why);
        return [here, found] { *found = *found || here; };
      },
      [found, done = std::move(done)] { done(*found); });
}

void Server::cancel_transfer(Loop& asker, const TransferName& name, const std::optional<std::string>& account,
                             const Error& why, std::function<void(bool)> done) {
  const auto found = std::make_shared<bool>(false);
  ask_loops(
      asker,
      [name, account, why, found](ServingLoop& loop) -> Answer {
        const bool here = loop.cancel_transfer(name, account, why);
        return [here, found] { *found = *found || here; };
      },
      [found, done = std::move(done)] { done(*found); });
}

ServingLoop& Server::least_burdened() {
  const auto least = std::min_element(loops_.begin(), loops_.end(),
                                      [](const auto& a, const auto& b) { return a->burden() < b->burden(); });
  return **least;
}

void Server::drain(std::chrono::milliseconds patience) {
  if (stopped_ || is_draining()) return;
  draining_ = true;
  listener_.reset();
  wire::GoAway message;
  message.deadline_ms = static_cast<std::uint64_t>(patience.count());
  message.retry_after_ms = kRetryAfterMs;
  message.reason = "The server is shutting down.";
  for (const auto& loop : loops_) loop->drain(message);
  const auto end = std::chrono::steady_clock::now() + patience;
  drain_watch_ = std::make_unique<Timer>(acceptor_, kAcceptorLook, [this, end] {
    const bool is_answering =
        std::any_of(loops_.begin(), loops_.end(), [](const auto& loop) { return loop->is_answering_http(); });
    const bool is_done = sessions() == 0 && active_transfers() == 0 && !is_answering;
    if (is_done || std::chrono::steady_clock::now() >= end) stop();
  });
}

void Server::set_rules(const PeerRules& rules) {
  for (const auto& loop : loops_) loop->set_rules(rules);
}

bool Server::have_turned(std::vector<std::uint64_t>& seen) const {
  seen.resize(loops_.size());
  bool all = true;
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    const std::uint64_t ticks = loops_[i]->ticks();
    all = std::exchange(seen[i], ticks) != ticks && all;
  }
  return all;
}

void Server::stop() {
  if (std::exchange(stopped_, true)) return;
  drain_watch_.reset();
  sampling_.reset();
  listener_.reset();
  http_listener_.reset();
  refusals_.close_all();
  for (const auto& loop : loops_) loop->stop();
  acceptor_.mailbox().answer([] {});
}

}  // namespace millrace
