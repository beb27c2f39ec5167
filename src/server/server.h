// millraced put together: one loop that accepts, loops that serve, the store behind them.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "net/listener.h"
#include "server/history_keeper.h"
#include "server/live_server.h"
#include "server/load_sampler.h"
#include "server/refusals.h"
#include "server/server_limits.h"
#include "server/serving_loop.h"

namespace millrace {

/// What a server is put together from. What is referred to outlives it.
struct ServerSetup {
  ServerContext context;
  LocalStore& store;
  std::shared_ptr<Accounts> accounts;
  std::shared_ptr<const ServerTls> tls;       ///< null: connections are plain
  std::shared_ptr<const ServerTls> http_tls;  ///< the same for HTTP
  std::string http_host;                      ///< where HTTP is served; empty: nowhere
  std::shared_ptr<MemoryBudget> budget;
  ServerLimits limits;
  Journal journal;
  const ProblemList& problems;
  HistoryKeeper& history_keeper;
  ProcessWatch& process;
};

class Server final : public LiveServer {
 public:
  static constexpr std::size_t kRecentTransfers = 200;

  /// `acceptor` accepts connections; serving happens on `limits.loops` threads of the server's own.
  Server(Loop& acceptor, ServerSetup setup);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  /// Errors: the listener's.
  Status listen(const std::string& host, std::uint16_t port);
  /// The same for HTTP.
  Status listen_http(const std::string& host, std::uint16_t port);
  /// On a socket that listens already.
  Status listen_on(Socket socket);
  /// Where it listens, or did.
  std::uint16_t port() const { return port_; }
  /// 0: HTTP is not served.
  std::uint16_t http_port() const { return http_port_; }
  /// Of the pages.
  std::string http_url() const { return (setup_.http_tls ? "https://" : "http://") + http_address_ + "/"; }
  /// One line for people: sessions, transfers, queues, memory, loop lag and what was refused; waits and lag since the
  /// last such line.
  std::string summary();
  /// No new connections, GOAWAY to those that are there; what is under way may end. After `patience` the rest is closed
  /// as stop() does.
  void drain(std::chrono::milliseconds patience);
  bool is_draining() const { return draining_; }
  /// Any thread. About once a second.
  void set_store_figures(StoreFigures figures);
  void set_rules(const PeerRules& rules);
  /// All loops have turned since the last call.
  bool turns() { return have_turned(seen_by_watchdog_); }
  std::size_t sessions() const;
  ServerSnapshot snapshot() override;
  const History& history() const override { return history_; }
  HistoryPoint total() const override { return setup_.history_keeper.total(); }
  const RecentTransfers& recent_transfers() const override { return recent_; }
  const ProblemList& problems() const override { return setup_.problems; }
  void gather(Loop& asker, const LiveQuery& query, std::function<void(LiveView)> done) override;
  void close_session(Loop& asker, std::uint64_t id, const std::optional<std::string>& account, const Error& why,
                     std::function<void(bool)> done) override;
  void cancel_transfer(Loop& asker, const TransferName& name, const std::optional<std::string>& account,
                       const Error& why, std::function<void(bool)> done) override;
  /// Closes everything; running jobs end by themselves. Idempotent.
  void stop();

 private:
  /// What a loop answers, called on the asker's thread.
  using Answer = std::function<void()>;
  void ask_loops(Loop& asker, std::function<Answer(ServingLoop&)> ask, std::function<void()> done);
  void on_connection(Socket client, Descriptors descriptors);
  Status may_begin_session() const;
  void on_http_connection(Socket client, Descriptors descriptors);
  void refuse(Socket client, const Error& error);
  void on_refusal_ended();
  TcpListener::OnConnection on_connection_call();
  std::uint64_t active_transfers() const;
  ServingLoop& least_burdened();
  /// All loops have turned since `seen` was brought up to date.
  bool have_turned(std::vector<std::uint64_t>& seen) const;
  void sample();
  std::vector<HealthCheck> health(const StoreFigures& store) const;

  Loop& acceptor_;
  const ServerSetup setup_;
  ServerCounts counts_;
  RecentTransfers recent_{kRecentTransfers};
  const std::shared_ptr<Lanes> lanes_;
  const ApiContext api_;
  History history_;
  Refusals refusals_;
  std::unique_ptr<TcpListener> listener_;
  std::unique_ptr<TcpListener> http_listener_;
  std::vector<std::unique_ptr<ServingLoop>> loops_;
  LoadSampler sampler_{*lanes_, loops_};
  std::unique_ptr<Timer> sampling_;
  std::vector<std::uint64_t> seen_by_watchdog_;
  std::vector<std::uint64_t> seen_by_sampling_;
  unsigned samples_ = 0;
  std::string address_;
  std::string http_address_;
  std::uint16_t port_ = 0;
  std::uint16_t http_port_ = 0;
  const std::int64_t started_ms_;
  std::atomic<bool> loops_turn_{true};
  mutable std::mutex figures_mutex_;
  StoreFigures store_figures_;      // guarded by figures_mutex_
  ProcessFigures process_figures_;  // likewise
  std::unique_ptr<Timer> drain_watch_;
  std::atomic<bool> draining_{false};
  bool stopped_ = false;
};

}  // namespace millrace
