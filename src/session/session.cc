#include "session/session.h"

#include <algorithm>

#include "net/deferred_answer.h"
#include "session/hello.h"

namespace millrace {

namespace {
constexpr std::size_t kWriteHighWater = 2u << 20;
constexpr std::size_t kWriteBatch = 1u << 20;
constexpr std::size_t kMeteredBatch = 64u << 10;  ///< a batch is what a limited rate overshoots by
constexpr std::size_t kShortMessage = 1024;
constexpr std::uint64_t kMostLeaveMs = 5000;

Workers workers_of(Lane lane) {
  return lane == Lane::kDisk ? Workers::kDisk : lane == Lane::kCatalogue ? Workers::kCatalogue : Workers::kCpu;
}
}  // namespace

Session::Session(Loop& loop, std::unique_ptr<Stream> stream, Mux::Role role, Accept accept,
                 std::function<void(const Error&)> on_closed, std::shared_ptr<MemoryBudget> budget)
    : loop_(loop),
      owner_(loop.lanes().new_owner()),
      stream_(std::move(stream)),
      accept_(std::move(accept)),
      on_closed_(std::move(on_closed)),
      budget_(std::move(budget)),
      throttle_(loop,
                [this] {
                  const auto self = shared_from_this();
                  flush();
                }),
      mux_(role, hello_for(budget_.get()), *this) {}

template <typename Call>
void Session::in_one_go(const Call& call) {
  ++gathering_;
  call();
  --gathering_;
  wants_write();
}

void Session::start() {
  started_ = true;
  stream_->start({[this](ByteView bytes) {
                    const auto self = shared_from_this();
                    if (closing_) return;
                    in_one_go([this, bytes] {
                      auto status = mux_.on_bytes(bytes);
                      if (status) return;
                      closing_ = status.error();
                      stream_->pause_reading();
                    });
                  },
                  [this] {
                    const auto self = shared_from_this();
                    flush();
                  },
                  [this](const Error& error) { close(closing_ ? *closing_ : error); },
                  budget_ ? std::function<bool()>([this] { return may_read(); }) : nullptr,
                  [this] {
                    const auto self = shared_from_this();
                    starved_ = true;
                    if (on_starved_) on_starved_();
                  },
                  [this] { return closing_ ? MutableBytes() : mux_.receive_space(); }});
  flush();
}

void Session::leave(const wire::GoAway& message) {
  const auto self = shared_from_this();
  if (closed_ || closing_) return;
  if (!std::exchange(leaving_, true)) mux_.send_goaway(message);
  flush();
  if (closed_ || closing_) return;
  if (stream_->pending_bytes() == 0 && mux_.standing().is_idle) close({Code::kBusy, "The server is shutting down"});
}

void Session::wants_write() {
  if (started_ && gathering_ == 0) flush();
}

bool Session::may_read() const {
  return is_guest_ || mux_.may_read();
}

void Session::admit(const std::optional<wire::Authenticated>& answer) {
  const auto self = shared_from_this();
  if (closed_ || closing_) return;
  if (auto status = mux_.admit(answer); !status) {
    closing_ = status.error();
    stream_->pause_reading();
  }
  flush();
}

void Session::turn_away(const Error& error) {
  const auto self = shared_from_this();
  if (closed_ || closing_) return;
  closing_ = error;
  lingers_ = true;
  mux_.abort(error);
  stream_->pause_reading();
  flush();
}

void Session::on_authenticated(const wire::Authenticated& message) {
  if (on_authenticated_) on_authenticated_(message);
}

void Session::read_again() {
  starved_ = false;
  flush();
}

std::size_t Session::watch(const PeerRules& rules, std::uint64_t now_ms) {
  const auto self = shared_from_this();
  if (closed_) return 0;
  if (closing_) {
    // It may never read its last words.
    if (!closing_since_) closing_since_ = now_ms;
    if (now_ms - *closing_since_ >= kMostLeaveMs) close(*closing_);
    return 0;
  }
  if (!begun_ms_) begun_ms_ = now_ms;
  const bool is_known = rules.needs_token ? mux_.is_admitted() : mux_.hello_received();
  if (gate_ && !is_known && !mux_.awaits_admission() && now_ms - *begun_ms_ >= rules.auth_seconds * 1000) {
    turn_away({Code::kTooSlow, "The connection was not " +
                                   std::string(rules.needs_token ? "authenticated" : "begun with HELLO") + " in " +
                                   std::to_string(rules.auth_seconds) + " seconds; connect again."});
    return 0;
  }
  const std::size_t ended = mux_.end_long_waits(now_ms, rules.memory_wait_seconds * 1000);
  const Mux::Standing standing = mux_.standing();
  const bool is_contended = budget_ && (budget_->waiting() > 0 || budget_->over());
  const bool holds = !mux_.hello_received() || standing.holds || stream_->pending_bytes() > 0 ||
                     (standing.transfers > 0 && is_contended);
  const bool is_ours_to_go_on = jobs_ > 0 || throttle_.is_resting() || mux_.awaits_admission() ||
                                standing.waits_for_memory || (starved_ && stream_->unread_bytes() > 0);
  const PeerWatch::Standing seen{holds && !is_ours_to_go_on, standing.is_idle && stream_->pending_bytes() == 0,
                                 standing.moved};
  const auto error = peer_watch_.look(rules, now_ms, seen);
  if (!error) return ended;
  closing_ = *error;
  mux_.abort(*error);
  stream_->pause_reading();
  flush();
  return ended;
}

std::function<void(std::function<void()>)> Session::poster() {
  return [mailbox = loop_.shared_mailbox()](std::function<void()> call) { mailbox->post(std::move(call)); };
}

void Session::flush() {
  if (flushing_ || closed_) return;
  flushing_ = true;
  const std::size_t batch = throttle_.has_meter() ? kMeteredBatch : kWriteBatch;
  while (stream_->pending_bytes() < kWriteHighWater && (closing_ || !throttle_.look(moved()))) {
    std::vector<WritePiece> pieces;
    std::size_t bytes = 0;
    while (bytes < batch) {
      auto piece = mux_.next_output();
      if (!piece) break;
      bytes += piece->header.size() + piece->payload.view.size();
      if (budget_ && !piece->payload.owner && piece->header.size() > kShortMessage)
        piece->payload.owner = std::make_shared<MemoryCharge>(budget_, piece->header.size());
      pieces.push_back({std::move(piece->header), std::move(piece->payload.owner), piece->payload.view});
    }
    if (pieces.empty()) break;
    stream_->write(std::move(pieces));
  }
  flushing_ = false;
  // A peer that does not read what it asks for is not read from either.
  if (!closing_) {
    if (stream_->pending_bytes() >= kWriteHighWater || throttle_.is_resting() || mux_.awaits_admission())
      stream_->pause_reading();
    else if (!starved_)
      stream_->resume_reading();
  } else if (stream_->pending_bytes() == 0) {
    finish_closing();
  }
}

/// The last words have left.
void Session::finish_closing() {
  if (!lingers_) return close(*closing_);
  if (std::exchange(said_all_, true)) return;
  stream_->finish_writing();
  starved_ = false;
  stream_->resume_reading();
}

void Session::run(JobKind kind, std::function<void()> work, std::function<void()> done) {
  ++jobs_;
  loop_.lanes().run(workers_of(kind.lane), owner_, kind.urgency, loop_.shared_mailbox(), std::move(work),
                    [self = shared_from_this(), done = std::move(done)] { self->end_job(done); });
}

void Session::run_deferred(JobKind kind, std::function<void(std::function<void()>)> work, std::function<void()> done) {
  ++jobs_;
  const auto answer = std::make_shared<DeferredAnswer>(
      loop_, [self = shared_from_this(), done = std::move(done)] { self->end_job(done); });
  loop_.lanes().run(
      workers_of(kind.lane), owner_, kind.urgency, loop_.shared_mailbox(),
      [work = std::move(work), answer] { work([answer] { answer->give_end(); }); }, nullptr);
}

void Session::end_job(const std::function<void()>& done) {
  --jobs_;
  if (!closed_) in_one_go(done);
}

Result<std::shared_ptr<Conversation>> Session::accept(FrameType type, ByteView payload, StreamPort& port) {
  return accept_(type, payload, port);
}

Link Session::link() const {
  const TcpMeasured measured = stream_->measured();
  return {measured.rtt_seconds, measured.bytes_per_second};
}

void Session::on_goaway(const wire::GoAway& message) {
  if (on_goaway_) on_goaway_(message);
}

void Session::close(const Error& error) {
  if (closed_) return;
  const auto self = shared_from_this();
  closed_ = true;
  throttle_.drop();
  stream_->close();
  mux_.on_transport_closed(error);
  // What has not begun is nobody's any more.
  loop_.lanes().drop(owner_);
  if (const auto last = std::exchange(on_closed_, nullptr)) last(error);
}

}  // namespace millrace
