#include "server/server.h"

#include <algorithm>
#include <cstdio>

#include "base/units.h"

namespace millrace {

Server::Server(Loop& acceptor, ServerContext context, std::shared_ptr<Accounts> accounts,
               std::shared_ptr<const ServerTls> tls, std::shared_ptr<MemoryBudget> budget, const ServerLimits& limits)
    : acceptor_(acceptor),
      context_(std::move(context)),
      limits_(limits),
      budget_(std::move(budget)),
      lanes_(std::make_shared<Lanes>(LaneSizes::for_server(std::thread::hardware_concurrency()))),
      refusals_(acceptor, tls, [this] { on_refusal_ended(); }) {
  for (unsigned i = 0; i < limits_.loops; ++i)
    loops_.push_back(std::make_unique<ServingLoop>(context_, accounts, tls, lanes_, budget_, limits_.peers, counts_));
  // While accepting is paused nothing else may keep the loop alive; the answer comes from stop().
  acceptor_.mailbox().expect();
}

Server::~Server() {
  stop();
}

Status Server::listen(const std::string& host, std::uint16_t port) {
  MILLRACE_ASSIGN(listener_, TcpListener::listen(acceptor_, host, port, [this](Socket client, Descriptors descriptors) {
                    on_connection(std::move(client), descriptors);
                  }));
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
  refusals_.refuse(std::move(client), error);
  if (refusals_.count() >= limits_.max_refusals) listener_->pause();
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

void Server::stop() {
  if (std::exchange(stopped_, true)) return;
  listener_.reset();
  refusals_.close_all();
  for (const auto& loop : loops_) loop->stop();
  acceptor_.mailbox().answer([] {});
}

}  // namespace millrace
