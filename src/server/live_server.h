// What the HTTP side may ask of the server as a whole.
#pragma once

#include <functional>

#include "monitor/history.h"
#include "net/loop.h"
#include "server/live_view.h"
#include "server/problem_list.h"
#include "server/snapshot.h"

namespace millrace {

class LiveServer {
 public:
  virtual ~LiveServer() = default;
  /// Any thread.
  virtual ServerSnapshot snapshot() = 0;
  virtual const History& history() const = 0;
  /// Of all time, restarts included.
  virtual HistoryPoint total() const = 0;
  virtual const RecentTransfers& recent_transfers() const = 0;
  virtual const ProblemList& problems() const = 0;

  /// The following on the thread of `asker`, where `done` is called later, unless the server ends before.
  virtual void gather(Loop& asker, const LiveQuery& query, std::function<void(LiveView)> done) = 0;
  /// Of `account` alone where one is given. `done(false)`: there is none.
  virtual void close_session(Loop& asker, std::uint64_t id, const std::optional<std::string>& account, const Error& why,
                             std::function<void(bool)> done) = 0;
  virtual void cancel_transfer(Loop& asker, const TransferName& name, const std::optional<std::string>& account,
                               const Error& why, std::function<void(bool)> done) = 0;
};

}  // namespace millrace
