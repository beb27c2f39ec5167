#include "client/connection.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include "base/path.h"
#include "client/credentials.h"
#include "client/retry_pauses.h"

namespace millrace {

namespace {

constexpr std::chrono::milliseconds kTick{200};
constexpr std::chrono::milliseconds kRetryPause{1000};
constexpr int kMostRenewals = 8;

Error silent(std::chrono::seconds timeout) {
  return {Code::kNetwork,
          "The server has not answered for " + std::to_string(timeout.count()) +
              " seconds; check that it runs and that nothing in between drops the connection, then try again."};
}

}  // namespace

Connection::Connection(std::chrono::seconds timeout, unsigned retries)
    : loop_(std::make_shared<Lanes>(LaneSizes::for_command())),
      interrupt_(loop_, SIGINT, [this] { on_signal(SIGINT); }),
      terminate_(loop_, SIGTERM, [this] { on_signal(SIGTERM); }),
      hang_up_(loop_, SIGHUP, [this] { on_signal(SIGHUP); }),
      timer_(loop_, kTick, [this] { tick(); }),
      timeout_(timeout),
      retries_(retries) {}

Connection::~Connection() {
  on_tick_ = nullptr;
  if (!lost_) lost_ = Error{Code::kCancelled, "The command is over."};
  if (session_) session_->close({Code::kCancelled, "The command is over."});
}

void Connection::on_signal(int number) {
  signal_ = number;
  if (!lost_) lost_ = Error{Code::kCancelled, "Interrupted; nothing that was under way was replaced."};
  if (session_) session_->close(*lost_);
  loop_.stop();
}

void Connection::tick() {
  if (on_tick_) on_tick_();
  if (!session_ || lost_ || timeout_.count() == 0) return;
  const auto now = std::chrono::steady_clock::now();
  const Stream& stream = session_->stream();
  if (stream.bytes_read() != seen_read_ || stream.pending_bytes() != seen_pending_) {
    seen_read_ = stream.bytes_read();
    seen_pending_ = stream.pending_bytes();
    last_sign_of_life_ = now;
    pinged_ = false;
    return;
  }
  if (now - last_sign_of_life_ >= timeout_) {
    // Not tried again: a new connection would be as silent, for as long.
    lost_ = silent(timeout_);
    session_->close(*lost_);
  } else if (!pinged_ && now - last_sign_of_life_ >= timeout_ / 2 && session_->mux().hello_received()) {
    // A server that hashes a large file is silent but answers this.
    pinged_ = true;
    session_->mux().ping(1);
  }
}

Status Connection::connect(const Url& url, const Security& security) {
  url_ = url;
  security_ = security;
  return open();
}

bool Connection::may_renew() const {
  return leaving_ && signal_ == 0 && renewals_ < kMostRenewals;
}

void Connection::note_loss(const Error& error) {
  const bool stood = session_ && session_->mux().hello_received();
  if (error.code != Code::kNetwork || !stood || lost_ || leaving_ || retries_ == 0) return;
  --retries_;
  was_lost_ = true;
  leaving_ = wire::GoAway{0, static_cast<std::uint64_t>(kRetryPause.count()), error.sentence};
}

bool Connection::try_later(const Error& error, std::function<void()> again) {
  note_loss(error);
  const bool is_of_leaving = error.code == Code::kBusy || error.code == Code::kNetwork;
  if (!is_of_leaving || !may_renew()) return false;
  later_.push_back(std::move(again));
  wake();
  return true;
}

void Connection::pause(std::chrono::milliseconds time) {
  bool over = false;
  const Timer timer(
      loop_, time,
      [this, &over] {
        over = true;
        wake();
      },
      KeepsLoop::kYes);
  wait_until([&over] { return over; });
}

Status Connection::renew() {
  ++renewals_;
  const std::chrono::milliseconds asked(
      std::min<std::uint64_t>(leaving_->retry_after_ms, RetryPauses::kLongest.count()));
  const char* const what = std::exchange(was_lost_, false) ? "The connection was lost (" : "The server goes away (";
  if (security_.notice) security_.notice(what + printable(leaving_->reason) + "); trying again.");
  session_->close({Code::kBusy, "The server goes away."});
  Status opened;
  RetryPauses pauses(asked);
  while (const auto wait = signal_ == 0 ? pauses.next() : std::nullopt) {
    lost_.reset();
    pause(*wait);
    if (signal_ != 0) break;
    opened = open();
    if (opened || opened.error().code == Code::kTls) break;
  }
  if (opened && signal_ == 0) {
    leaving_.reset();
  } else {
    renewals_ = kMostRenewals;  // nobody tries later any more
  }
  for (const auto& again : std::exchange(later_, {})) again();
  return lost_ ? Status(fail(*lost_)) : Status();
}

Status Connection::open() {
  if (lost_) return fail(*lost_);
  seen_read_ = 0;
  seen_pending_ = 0;
  pinged_ = false;
  authenticated_.reset();
  const Url& url = url_;
  std::optional<std::string> token;
  if (!security_.token.empty()) token = security_.token;
  if (!token) {
    MILLRACE_ASSIGN(token, find_token(url, security_.token_file));
  }
  has_token_ = token.has_value();
  if (!url.account.empty() && !has_token_)
    return fail(Code::kNotAuthenticated, "There is no token for the account '" + url.account + "' on " + url.host +
                                             ":" + url.port +
                                             "; store one with `millrace login`, or name it with --token-file.");
  auto dialled_now = dial(loop_, url, security_);
  if (!dialled_now) {
    lost_ = dialled_now.error();
    return fail(*lost_);
  }
  Dialled dialled = std::move(*dialled_now);
  last_sign_of_life_ = std::chrono::steady_clock::now();
  sent_before_ = bytes_sent();
  received_before_ = bytes_received();
  session_ = std::make_shared<Session>(loop_, std::move(dialled.stream), Mux::Role::kClient, nullptr,
                                       [this](const Error& error) {
                                         note_loss(error);
                                         if (!lost_) lost_ = error;
                                         loop_.stop();
                                       });
  session_->set_on_goaway([this](const wire::GoAway& message) {
    leaving_ = message;
    wake();
  });
  session_->set_on_authenticated([this](const wire::Authenticated& message) {
    authenticated_ = message;
    wake();
  });
  if (token) session_->mux().authenticate(*token);
  bool connected = false;
  dialled.tcp->connect(url.host, url.port, [this, &connected](Status result) {
    connected = static_cast<bool>(result);
    if (connected) {
      session_->start();
      loop_.stop();
    } else {
      session_->close(result.error());
    }
  });
  wait_until([&connected] { return connected; });
  if (lost_) return fail(*lost_);
  if (url.account.empty()) return {};
  MILLRACE_ASSIGN(const auto who, wait_authenticated());
  if (who.account == url.account) return {};
  session_->close({Code::kNotAuthenticated, "The token is one of the account '" + who.account +
                                                "', the address names '" + url.account + "'; log in with its own."});
  return fail(*lost_);
}

Result<wire::Authenticated> Connection::wait_authenticated() {
  if (!has_token_) return fail(Code::kNotAuthenticated, "There is no token; store one with `millrace login`.");
  wait_until([this] { return authenticated_.has_value(); });
  if (authenticated_) return *authenticated_;
  return fail(*lost_);
}

void Connection::wait_until(const std::function<bool()>& over) {
  while (!lost_ && !over()) loop_.run();
}

void Connection::start_job(std::function<void()> work, std::function<void()> done) {
  loop_.run_job(Workers::kDisk, std::move(work), [this, done = std::move(done)] {
    if (!lost_ || (leaving_ && signal_ == 0)) done();
  });
}

void Connection::run_job(std::function<void()> work) {
  bool ended = false;
  loop_.run_job(Workers::kDisk, std::move(work), [this, &ended] {
    ended = true;
    loop_.stop();
  });
  while (!ended) loop_.run();
}

}  // namespace millrace
