#include "server/serving_loop.h"

namespace millrace {

namespace {
constexpr std::chrono::seconds kTick{1};
constexpr std::chrono::milliseconds kDrainLook{20};
constexpr std::uint64_t kBurdenOfSession = 4096;
}  // namespace

ServingLoop::ServingLoop(const ServerContext& context, std::shared_ptr<const ServerTls> tls,
                         std::shared_ptr<Lanes> lanes, std::shared_ptr<MemoryBudget> budget, const PeerRules& rules,
                         ServerCounts& counts, const Journal& journal)
    : context_(context),
      tls_(std::move(tls)),
      loop_(std::make_unique<Loop>(std::move(lanes))),
      budget_(std::move(budget)),
      rules_(rules),
      counts_(counts),
      journal_(journal),
      turns_(std::make_unique<ReadingTurns>(*loop_, budget_)) {
  lag_ = std::make_unique<LagMeter>(*loop_);
  timer_ = std::make_unique<Timer>(*loop_, kTick, [this] { tick(); });
  // The answer comes from stop().
  loop_->mailbox().expect();
  thread_ = std::thread([this] { loop_->run(); });
}

ServingLoop::~ServingLoop() {
  thread_.join();
  lag_.reset();
}

void ServingLoop::take(Socket client) {
  count_.fetch_add(1, std::memory_order_relaxed);
  const auto held = std::make_shared<Socket>(std::move(client));
  loop_->mailbox().post([this, held] { serve(std::move(*held)); });
}

void ServingLoop::serve(Socket client) {
  const std::uint64_t number = next_number_++;
  Served& served = served_[number];
  served.id = counts_.connections.fetch_add(1, std::memory_order_relaxed) + 1;
  served.peer = client.peer();
  if (journal_.log->wants(LogLevel::kInfo))
    journal_.log->write(LogLevel::kInfo, "connection opened",
                        LogFields().add("connection", served.id).add("peer", served.peer));
  auto tcp = std::make_unique<TcpStream>(*loop_);
  if (stopping_ || !tcp->adopt(std::move(client)))
    return end(number, {Code::kNetwork, "The connection was lost before it began."});
  // The table outlives the session's calls, which come before its end.
  const auto accept = [this, &served](FrameType type, ByteView payload, StreamPort& port) {
    const Principal principal;
    return with_journal(
        journal_, {served.id, ++served.requests, principal.account}, type, payload, port,
        [&](StreamPort& its_port) { return make_server_conversation(context_, principal, type, payload, its_port); });
  };
  served.session = std::make_shared<Session>(
      *loop_, secure(std::move(tcp), tls_.get()), Mux::Role::kServer, accept,
      [this, number](const Error& error) { end(number, error); }, budget_);
  const auto session = served.session;
  session->set_on_starved([this, weak = std::weak_ptr<Session>(session)] {
    if (const auto starved = weak.lock(); starved && turns_) turns_->add(starved);
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
  loop_->mailbox().post([this, message] {
    if (stopping_) return;
    draining_ = message;
    let_leave();
    drain_look_ = std::make_unique<Timer>(*loop_, kDrainLook, [this] { let_leave(); });
  });
}

void ServingLoop::let_leave() {
  for (const auto& session : all_sessions()) session->leave(*draining_);
}

void ServingLoop::set_rules(const PeerRules& rules) {
  loop_->mailbox().post([this, rules] { rules_ = rules; });
}

void ServingLoop::end(std::uint64_t number, const Error& error) {
  if (error.code == Code::kTooSlow) counts_.too_slow.fetch_add(1, std::memory_order_relaxed);
  if (const auto ended = served_.find(number); ended != served_.end()) {
    note_end(ended->second, error);
    served_.erase(ended);
  }
  count_.fetch_sub(1, std::memory_order_relaxed);
}

void ServingLoop::note_end(const Served& served, const Error& error) const {
  const bool is_their_fault = error.code == Code::kTooSlow || error.code == Code::kProtocol ||
                              error.code == Code::kVersion || error.code == Code::kTls;
  if (!journal_.log->wants(is_their_fault ? LogLevel::kWarning : LogLevel::kInfo)) return;
  LogFields fields;
  fields.add("connection", served.id).add("peer", served.peer).add("result", code_name(error.code));
  fields.add("reason", error.sentence).add("requests", served.requests);
  if (is_their_fault) return journal_.log->warn_of_client("a client's connection was ended", fields);
  journal_.log->write(LogLevel::kInfo, "connection closed", fields);
}

void ServingLoop::stop() {
  loop_->mailbox().answer([this] {
    stopping_ = true;
    timer_.reset();
    drain_look_.reset();
    turns_.reset();
    while (!served_.empty()) {
      const auto session = served_.begin()->second.session;
      session->close({Code::kBusy, "The server is shutting down"});
    }
  });
}

void ServingLoop::watch_peers() {
  const std::uint64_t now_ms = uv_now(loop_->raw());
  std::uint64_t busy = 0;
  for (const auto& session : all_sessions()) busy += session->watch(rules_, now_ms) + session->mux().take_refusals();
  counts_.requests_busy.fetch_add(busy, std::memory_order_relaxed);
}

void ServingLoop::tick() {
  ticks_.fetch_add(1, std::memory_order_relaxed);
  watch_peers();
  std::uint64_t bytes = 0;
  for (auto& [number, served] : served_) {
    const Stream& stream = served.session->stream();
    const std::uint64_t moved = stream.bytes_read() + stream.bytes_written();
    bytes += moved - std::exchange(served.moved, moved);
  }
  recent_bytes_.store(recent_bytes_.load(std::memory_order_relaxed) / 2 + bytes, std::memory_order_relaxed);
}

std::uint64_t ServingLoop::burden() const {
  return recent_bytes_.load(std::memory_order_relaxed) + sessions() * kBurdenOfSession;
}

}  // namespace millrace
