// One of the server's event loops, with the sessions that live on it and a thread of its own.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "net/lag_meter.h"
#include "net/timer.h"
#include "server/accounts.h"
#include "server/http_serving.h"
#include "server/live_view.h"
#include "server/reading_turns.h"
#include "server/server_counts.h"
#include "server/server_tls.h"
#include "server/watched_request.h"
#include "session/session.h"
#include "sync/server_conversations.h"

namespace millrace {

/// What the loops of a server share. Whoever makes them keeps it all alive.
struct ServingParts {
  const ServerContext& context;
  std::shared_ptr<Accounts> accounts;
  std::shared_ptr<const ServerTls> tls;  ///< null: connections are plain
  std::shared_ptr<Lanes> lanes;
  std::shared_ptr<MemoryBudget> budget;
  ServerCounts& counts;
  RecentTransfers& recent;
  Journal journal;
  const ApiContext* api = nullptr;                      ///< null: nothing is served by HTTP
  std::shared_ptr<const ServerTls> http_tls = nullptr;  ///< as `tls`, of HTTP
  HttpLimits http_limits = {};
};

class ServingLoop {
 public:
  ServingLoop(const ServingParts& parts, const PeerRules& rules);
  /// Waits for the thread, which stop() must have been asked to end.
  ~ServingLoop();
  ServingLoop(const ServingLoop&) = delete;
  ServingLoop& operator=(const ServingLoop&) = delete;

  /// Waits for the thread, as the destructor does: where others are to outlive it that have none.
  void wait();
  /// Any thread. The session begins, lives and ends on this loop.
  void take(Socket client);
  /// Any thread. The same for HTTP.
  void take_http(Socket client);
  /// Any thread. Says GOAWAY to all sessions, those that still come too; each closes when nothing is open any more.
  void drain(const wire::GoAway& message);
  /// Any thread.
  void set_rules(const PeerRules& rules);
  /// Any thread. Grows about once a second, as long as the loop turns.
  std::uint64_t ticks() const { return ticks_.load(std::memory_order_relaxed); }
  /// Any thread. `call` on the loop's thread, unless it has ended.
  void post(std::function<void()> call) { loop_->mailbox().post(std::move(call)); }
  /// Any thread may read its counters.
  LoopMonitor& monitor() { return monitor_; }
  /// The loop's thread: adds what is here.
  void look(const LiveQuery& query, LiveView& into) const;
  /// The loop's thread. False: there is no such session or transfer here, or it is not this account's.
  bool close_session(std::uint64_t id, const std::optional<std::string>& account, const Error& why);
  bool cancel_transfer(const TransferName& name, const std::optional<std::string>& account, const Error& why);
  /// Any thread. Closes all sessions; jobs that run end by themselves.
  void stop();
  /// Any thread. Sessions, those on their way here counted.
  std::size_t sessions() const { return count_.load(std::memory_order_relaxed); }
  /// Any thread. HTTP connections, counted now and then.
  std::size_t http_connections() const { return http_count_.load(std::memory_order_relaxed); }
  /// Any thread, while it drains: some answer by HTTP is not whole yet, or has not left.
  bool is_answering_http() const { return answering_http_.load(std::memory_order_relaxed); }
  /// Any thread. Moved by sessions.
  std::uint64_t bytes_in_last_second() const { return last_bytes_.load(std::memory_order_relaxed); }
  /// Any thread. What decides where the next connection goes: bytes that were moved in the last seconds, and a little
  /// for each session, since many may come at once before any has moved something.
  std::uint64_t burden() const;
  /// Any thread. Adds how late this loop was, since the last call.
  void take_lag(Histogram& into) { lag_->take(into); }

 private:
  struct Served {
    std::shared_ptr<Session> session;
    std::uint64_t id = 0;   ///< of this process
    std::string_view kind;  ///< as in SessionView
    std::string peer;       ///< its address
    bool is_encrypted = false;
    std::uint64_t requests = 0;
    MovedBytes moved;
    std::int64_t since_ms = 0;  ///< since 1970
    std::string address;        ///< see attempt_address()
    std::shared_ptr<Grant> grant = std::make_shared<Grant>();
    std::shared_ptr<void> place{};       ///< among its account's connections
    std::unique_ptr<Timer> held_back{};  ///< the answer to a failed authentication
  };
  void serve(Socket client);
  void serve(Arrival arrival);
  /// `shown`: what came with the request that the connection began as.
  void authenticate(std::uint64_t number, std::optional<std::string> token, const std::optional<std::string>& shown);
  enum class Token : std::uint8_t { kNone, kShown, kSent };
  void on_decided(std::uint64_t number, Token token, const Result<Grant>& decided);
  void turn_away(std::uint64_t number, const Error& error);
  void watch_grants();
  void end(std::uint64_t number, const Error& error);
  /// How it ended, for whoever reads the log.
  void note_end(const Served& served, const Error& error) const;
  void tick();
  /// Counts what it has moved since it was counted last; says how much.
  std::uint64_t count_moved(Served& served);
  void watch_peers();
  void let_leave();
  /// A copy: a session that ends leaves the table.
  std::vector<std::shared_ptr<Session>> all_sessions() const;

  const ServingParts parts_;
  LoopMonitor monitor_;
  std::unique_ptr<Loop> loop_;
  PeerRules rules_;                    // the loop's thread only
  std::unique_ptr<HttpServing> http_;  // likewise; null: none
  std::unique_ptr<ReadingTurns> turns_;
  std::unique_ptr<LagMeter> lag_;  ///< kept until the loop has ended
  std::unique_ptr<Timer> timer_;
  std::unique_ptr<Timer> drain_look_;
  std::map<std::uint64_t, Served> served_;  // the loop's thread only
  std::uint64_t next_number_ = 0;
  bool stopping_ = false;
  std::optional<wire::GoAway> draining_;
  std::atomic<std::uint64_t> ticks_{0};
  std::atomic<std::size_t> count_{0};
  std::atomic<std::size_t> http_count_{0};
  std::atomic<bool> answering_http_{false};
  std::atomic<std::uint64_t> recent_bytes_{0};
  std::atomic<std::uint64_t> last_bytes_{0};
  std::thread thread_;
};

}  // namespace millrace
