#include "server/server.h"

#include <algorithm>
#include <cstdio>

#include "base/units.h"

namespace millrace {

namespace {
constexpr std::chrono::milliseconds kAcceptorLook{20};
constexpr std::uint64_t kRetryAfterMs = 1000;  ///< a server that is started again is there by then
}  // namespace

Server::Server(Loop& acceptor, ServerContext context, std::shared_ptr<Accounts> accounts,
               std::shared_ptr<const ServerTls> tls, std::shared_ptr<MemoryBudget> budget, const ServerLimits& limits,
               const Journal& journal)
    : acceptor_(acceptor),
      context_(std::move(context)),
      limits_(limits),
      journal_(journal),
      budget_(std::move(budget)),
      lanes_(std::make_shared<Lanes>(LaneSizes::for_server(std::thread::hardware_concurrency()))),
      refusals_(acceptor, tls, [this] { on_refusal_ended(); }) {
  for (unsigned i = 0; i < limits_.loops; ++i)
    loops_.push_back(
        std::make_unique<ServingLoop>(context_, accounts, tls, lanes_, budget_, limits_.peers, counts_, journal_));
  // While accepting is paused nothing else may keep the loop alive; the answer comes from stop().
  acceptor_.mailbox().expect();
}

Server::~Server() {
  stop();
}

TcpListener::OnConnection Server::on_connection_call() {
  return [this](Socket client, Descriptors descriptors) { on_connection(std::move(client), descriptors); };
}

Status Server::listen(const std::string& host, std::uint16_t port) {
  MILLRACE_ASSIGN(listener_, TcpListener::listen(acceptor_, host, port, on_connection_call()));
  port_ = listener_->port();
  return {};
}

Status Server::listen_on(Socket socket) {
  MILLRACE_ASSIGN(listener_, TcpListener::adopt(acceptor_, std::move(socket), on_connection_call()));
  port_ = listener_->port();
  return {};
}

void Server::on_connection(Socket client, Descriptors descriptors) {
  if (descriptors == Descriptors::kExhausted)
    return refuse(std::move(client), {Code::kBusy, "The server has no descriptors left; try again later."});
  if (sessions() >= limits_.max_connections)
    return refuse(std::move(client),
                  {Code::kBusy, "The server takes no more than " + std::to_string(limits_.max_connections) +
                                    " connections at once; try again later."});
  least_burdened().take(std::move(client));
}

void Server::refuse(Socket client, const Error& error) {
  counts_.refused.fetch_add(1, std::memory_order_relaxed);
  journal_.log->warn_of_client("a client was refused",
                               LogFields().add("peer", client.peer()).add("reason", error.sentence));
  refusals_.refuse(std::move(client), error);
  if (listener_ && refusals_.count() >= limits_.max_refusals) listener_->pause();
}

void Server::on_refusal_ended() {
  if (listener_) listener_->resume();
}

std::size_t Server::sessions() const {
  std::size_t count = 0;
  for (const auto& loop : loops_) count += loop->sessions();
  return count;
}

std::string Server::summary() {
  const auto ms = [](std::uint64_t us) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f ms", static_cast<double>(us) / 1000);
    return std::string(text);
  };
  std::string out = "sessions " + std::to_string(sessions()) + "; transfers " + std::to_string(budget_->transfers()) +
                    ", waiting for memory " + std::to_string(budget_->waiting());
  for (const Workers workers : {Workers::kCpu, Workers::kDisk, Workers::kCatalogue}) {
    const Lanes::Look look = lanes_->look(workers);
    out += "; " + std::string(workers_name(workers)) + " queue " + std::to_string(look.length) + ", waits p50 " +
           ms(look.wait_p50) + " p99 " + ms(look.wait_p99) + " of " + std::to_string(look.begun);
  }
  Histogram lag;
  for (const auto& loop : loops_) loop->take_lag(lag);
  out += "; memory " + human_size(budget_->used()) + " of " + human_size(budget_->limit()) + ", most " +
         human_size(budget_->most_used()) + "; loop lag p99 " + ms(lag.value_at(0.99)) + "; refused " +
         std::to_string(counts_.refused) + ", busy " + std::to_string(counts_.requests_busy) + ", too slow " +
         std::to_string(counts_.too_slow) + ", not authenticated " + std::to_string(counts_.not_authenticated);
  return out;
}

ServingLoop& Server::least_burdened() {
  const auto least = std::min_element(loops_.begin(), loops_.end(),
                                      [](const auto& a, const auto& b) { return a->burden() < b->burden(); });
  return **least;
}

void Server::drain(std::chrono::milliseconds patience) {
  if (stopped_ || is_draining()) return;
  listener_.reset();
  wire::GoAway message;
  message.deadline_ms = static_cast<std::uint64_t>(patience.count());
  message.retry_after_ms = kRetryAfterMs;
  message.reason = "The server is shutting down.";
  for (const auto& loop : loops_) loop->drain(message);
  const auto end = std::chrono::steady_clock::now() + patience;
  drain_watch_ = std::make_unique<Timer>(acceptor_, kAcceptorLook, [this, end] {
    if (sessions() == 0 || std::chrono::steady_clock::now() >= end) stop();
  });
}

void Server::set_rules(const PeerRules& rules) {
  for (const auto& loop : loops_) loop->set_rules(rules);
}

bool Server::turns() {
  seen_ticks_.resize(loops_.size());
  bool all = true;
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    const std::uint64_t ticks = loops_[i]->ticks();
    all = std::exchange(seen_ticks_[i], ticks) != ticks && all;
  }
  return all;
}

void Server::stop() {
  if (std::exchange(stopped_, true)) return;
  drain_watch_.reset();
  listener_.reset();
  refusals_.close_all();
  for (const auto& loop : loops_) loop->stop();
  acceptor_.mailbox().answer([] {});
}

}  // namespace millrace
