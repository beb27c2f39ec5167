// What one event loop knows of its requests: counters that anybody may read, and the transfers under way, which are its
// own thread's business.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "monitor/loop_counts.h"
#include "monitor/transfers.h"

namespace millrace {

class LoopMonitor;

/// A transfer under way. On its loop's thread; its monitor outlives it.
class ActiveTransfer {
 public:
  /// `cancel` ends it with an error that its client is told.
  ActiveTransfer(LoopMonitor& monitor, TransferView view, std::function<void(const Error&)> cancel);
  ~ActiveTransfer();
  ActiveTransfer(const ActiveTransfer&) = delete;
  ActiveTransfer& operator=(const ActiveTransfer&) = delete;

  TransferView view;  ///< brought up to date by whoever moves the bytes
  void cancel(const Error& why) const {
    const auto call = cancel_;  // this may be gone before it returns
    call(why);
  }
  /// It is over: counted, and remembered as one of the last. Called once, and nothing is called afterwards.
  void end(const std::optional<Code>& error);

 private:
  friend class LoopMonitor;
  using Key = std::pair<std::uint64_t, std::uint64_t>;
  Key key() const { return {view.connection, view.request}; }
  double seconds() const;
  LoopMonitor& monitor_;
  std::function<void(const Error&)> cancel_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

class LoopMonitor {
 public:
  explicit LoopMonitor(RecentTransfers& recent) : recent_(recent) {}
  LoopCounts counts;

  /// Of TLS; nothing: it failed.
  struct Handshake {
    bool is_resumed = false;
    std::chrono::nanoseconds took{0};
  };
  void count_handshake(const std::optional<Handshake>& done);
  void count_request(Operation operation, const std::optional<Code>& error, std::chrono::nanoseconds took);
  /// The newest first, at most so many; of `account` alone where one is given.
  std::vector<TransferView> active(const std::optional<std::string>& account, std::size_t most) const;
  /// Null: there is none of that name.
  ActiveTransfer* find(std::uint64_t connection, std::uint64_t request) const;

 private:
  friend class ActiveTransfer;
  RecentTransfers& recent_;
  std::map<ActiveTransfer::Key, ActiveTransfer*> active_;
};

}  // namespace millrace
