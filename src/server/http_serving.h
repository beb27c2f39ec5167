// The HTTP connections of one event loop.
#pragma once

#include <map>
#include <memory>

#include "http/connection.h"
#include "net/timer.h"
#include "server/api/api_request.h"
#include "server/live_view.h"
#include "server/moved_bytes.h"
#include "server/server_tls.h"

namespace millrace {

/// Lives on one loop; stop() before the loop ends.
class HttpServing {
 public:
  /// `tls`: null where connections are plain. `context` and `monitor` outlive this. `begin_session` takes connections
  /// that go on as sessions of the protocol.
  HttpServing(Loop& loop, const ApiContext& context, LoopMonitor& monitor, std::shared_ptr<const ServerTls> tls,
              const HttpLimits& limits, BeginSession begin_session);
  ~HttpServing();
  HttpServing(const HttpServing&) = delete;
  HttpServing& operator=(const HttpServing&) = delete;

  void take(Socket client, std::uint64_t id);
  void set_rules(const PeerRules& rules) { limits_.peers = rules; }
  /// About once a second.
  void tick();
  /// What is under way may end, answers that have no end are cut. Called again and again.
  void drain();
  /// Something is being answered, or an answer travels.
  bool is_busy() const;
  void stop();
  std::size_t connections() const { return served_.size(); }
  void look(const LiveQuery& query, LiveView& into) const;
  bool close_session(std::uint64_t id, const std::optional<std::string>& account, const Error& why);

 private:
  struct Served {
    std::shared_ptr<HttpConnection> connection;
    std::string peer;
    std::string address;                ///< see attempt_address()
    std::string account;                ///< of the last request
    std::shared_ptr<AccountUse> use{};  ///< whose connections `place` is among
    std::shared_ptr<void> place{};
    MovedBytes moved{};
    std::int64_t since_ms = 0;
  };
  /// A request turned out to be theirs. Errors: kBusy when they have as many connections as they may.
  static Status on_grant(Served& served, const Grant& grant);
  void end(std::uint64_t id, const Error& why);

  Loop& loop_;
  const ApiContext& context_;
  LoopMonitor& monitor_;
  const std::shared_ptr<const ServerTls> tls_;
  HttpLimits limits_;
  const BeginSession begin_session_;
  std::map<std::uint64_t, Served> served_;
  bool draining_ = false;
};

}  // namespace millrace
