// The command's connection: made and used by calls that block on the command's own loop, until they are done, the
// connection is lost, the server says nothing for too long, or a signal ends the run. A server that says GOAWAY is
// asked again on a new connection, after growing pauses.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/address.h"
#include "client/dial.h"
#include "net/timer.h"
#include "session/session.h"

namespace millrace {

class Connection {
 public:
  /// `timeout` of a silent server, 0: none. From here on SIGINT, SIGTERM and SIGHUP end what runs instead of the
  /// process.
  /// `retries`: how often a connection that was lost is made anew; see renew().
  explicit Connection(std::chrono::seconds timeout, unsigned retries = 0);
  /// Open calls end with kCancelled.
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Called about five times a second while a call waits.
  void set_on_tick(std::function<void()> on_tick) { on_tick_ = std::move(on_tick); }

  /// Returns when the connection stands; neither TLS nor HELLO is waited for, nor that the server takes the token,
  /// unless the address names an account. Errors: kNotAuthenticated when the token is another account's or cannot be
  /// found, kNetwork, kTls, kCancelled (a signal). Once only; renew() makes the next one.
  Status connect(const Url& url, const Security& security);
  /// Waits until the server has taken the token. Errors: kNotAuthenticated where it does not, or there is none; as
  /// connect().
  Result<wire::Authenticated> wait_authenticated();
  /// Runs the loop until `over()`, which is asked after every wake(), holds; or until the connection is lost or a
  /// signal came.
  void wait_until(const std::function<bool()>& over);
  /// Has the waiting call look again.
  void wake() { loop_.stop(); }
  /// Runs `work` on a worker thread and waits for its end. `work` must look at interrupted() where it may take long.
  void run_job(std::function<void()> work);

  /// Runs `work` on a worker thread, then `done` on the loop, unless the connection is lost by then. `work` must own
  /// (share) all that it touches.
  void start_job(std::function<void()> work, std::function<void()> done);

  /// The server said GOAWAY on this connection and takes no new requests, or the connection was lost while it stood.
  /// renew() when nothing is open any more.
  bool leaving() const { return leaving_.has_value(); }
  /// So, and not tried often enough yet.
  bool may_renew() const;
  /// What failed because the server goes away, or the connection was lost, is called again behind renew(), whether that
  /// succeeds or not. False: it failed for another reason, or it was tried often enough.
  bool try_later(const Error& error, std::function<void()> again);
  /// A new connection instead of one that is leaving(); waits, and tries again, with growing pauses. Errors: as
  /// connect(); then the connection is lost.
  Status renew();

  Mux& mux() { return session_->mux(); }
  Link link() const { return session_->link(); }
  /// On all connections of this run.
  std::uint64_t bytes_sent() const { return sent_before_ + (session_ ? session_->stream().bytes_written() : 0); }
  std::uint64_t bytes_received() const { return received_before_ + (session_ ? session_->stream().bytes_read() : 0); }
  /// Why there is no connection any more.
  const std::optional<Error>& lost() const { return lost_; }
  /// The number of the signal that ended the run, 0 for none. Any thread.
  int interrupted() const { return signal_.load(); }

 private:
  void on_signal(int number);
  void tick();
  /// One attempt, within connect() and renew().
  Status open();
  /// Notes a lost connection as leaving(), if it may be made anew.
  void note_loss(const Error& error);
  void pause(std::chrono::milliseconds time);

  std::optional<Error> lost_;  ///< outlives the loop, whose last jobs ask for it
  Loop loop_;
  SignalWatch interrupt_;
  SignalWatch terminate_;
  SignalWatch hang_up_;
  Timer timer_;
  std::chrono::seconds timeout_;
  unsigned retries_;  ///< of lost connections, still to come
  std::function<void()> on_tick_;
  std::shared_ptr<Session> session_;
  Url url_;
  Security security_;
  std::optional<wire::GoAway> leaving_;
  bool was_lost_ = false;  ///< leaving_ is this side's word for it
  std::vector<std::function<void()>> later_;
  int renewals_ = 0;
  std::uint64_t sent_before_ = 0;
  std::uint64_t received_before_ = 0;
  bool has_token_ = false;
  std::optional<wire::Authenticated> authenticated_;
  std::atomic<int> signal_ = 0;
  std::uint64_t seen_read_ = 0;
  std::size_t seen_pending_ = 0;
  std::chrono::steady_clock::time_point last_sign_of_life_;
  bool pinged_ = false;
};

}  // namespace millrace
