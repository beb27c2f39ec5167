// millraced put together: one loop that accepts, loops that serve, the store behind them.
#pragma once

#include <chrono>
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
  static constexpr std::size_t kRecentTransfers = 200;


  /// `acceptor` accepts connections; serving happens on `limits.loops` threads of the server's own.
  /// `tls`: null for plain connections. `accounts`: null where everybody is served.
  Server(Loop& acceptor, ServerContext context, std::shared_ptr<Accounts> accounts,
         std::shared_ptr<const ServerTls> tls, std::shared_ptr<MemoryBudget> budget, const ServerLimits& limits,
         const Journal& journal);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  /// Errors: the listener's.
  Status listen(const std::string& host, std::uint16_t port);
  /// On a socket that listens already.
  Status listen_on(Socket socket);
  /// Where it listens, or did.
  std::uint16_t port() const { return port_; }
  /// One line for people: sessions, transfers, queues, memory, loop lag and what was refused; waits and lag since the
  /// last such line.
  std::string summary();
  /// No new connections, GOAWAY to those that are there; what is under way may end. After `patience` the rest is closed
  /// as stop() does.
  void drain(std::chrono::milliseconds patience);
  bool is_draining() const { return drain_watch_ != nullptr; }
  void set_rules(const PeerRules& rules);
  /// All loops have turned since the last call.
  bool turns();
  std::size_t sessions() const;
  /// Closes everything; running jobs end by themselves. Idempotent.
  void stop();

 private:
  void on_connection(Socket client, Descriptors descriptors);
  void refuse(Socket client, const Error& error);
  void on_refusal_ended();
  TcpListener::OnConnection on_connection_call();
  ServingLoop& least_burdened();

  Loop& acceptor_;
  const ServerContext context_;
  const ServerLimits limits_;
  ServerCounts counts_;
  RecentTransfers recent_{kRecentTransfers};
  const Journal journal_;
  const std::shared_ptr<MemoryBudget> budget_;
  const std::shared_ptr<Lanes> lanes_;
  Refusals refusals_;
  std::unique_ptr<TcpListener> listener_;
  std::vector<std::unique_ptr<ServingLoop>> loops_;
  std::vector<std::uint64_t> seen_ticks_;
  std::uint16_t port_ = 0;
  std::unique_ptr<Timer> drain_watch_;
  bool stopped_ = false;
};

}  // namespace millrace
