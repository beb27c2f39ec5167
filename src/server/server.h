// millraced put together: one loop that accepts, loops that serve, the store behind them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "net/listener.h"
#include "server/refusals.h"
#include "server/server_limits.h"
#include "server/serving_loop.h"

namespace millrace {

class Server {
 public:
  /// `acceptor` accepts connections; serving happens on `limits.loops` threads of the server's own.
  /// `tls`: null for plain connections. `accounts`: null where everybody is served.
  Server(Loop& acceptor, ServerContext context, std::shared_ptr<Accounts> accounts,
         std::shared_ptr<const ServerTls> tls, std::shared_ptr<MemoryBudget> budget, const ServerLimits& limits);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  /// Errors: the listener's.
  Status listen(const std::string& host, std::uint16_t port);
  std::uint16_t port() const { return listener_->port(); }
  /// One line for people: sessions, transfers, queues, memory, loop lag and what was refused; waits and lag since the
  /// last such line.
  std::string summary();
  /// Closes everything; running jobs end by themselves. Idempotent.
  void stop();

 private:
  void on_connection(Socket client, Descriptors descriptors);
  void refuse(Socket client, const Error& error);
  void on_refusal_ended();
  std::size_t sessions() const;
  ServingLoop& least_burdened();

  Loop& acceptor_;
  const ServerContext context_;
  const ServerLimits limits_;
  ServerCounts counts_;
  const std::shared_ptr<MemoryBudget> budget_;
  const std::shared_ptr<Lanes> lanes_;
  Refusals refusals_;
  std::unique_ptr<TcpListener> listener_;
  std::vector<std::unique_ptr<ServingLoop>> loops_;
  bool stopped_ = false;
};

}  // namespace millrace
