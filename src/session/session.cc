#include "session/session.h"

#include <atomic>

namespace millrace {

namespace {
constexpr std::size_t kWriteHighWater = 2u << 20;
constexpr std::size_t kWriteBatch = 1u << 20;
}  // namespace

Session::Session(Loop& loop, std::unique_ptr<TcpStream> stream, Mux::Role role, Accept accept,
                 std::function<void(const Error&)> on_closed)
    : loop_(loop),
      owner_(loop.lanes().new_owner()),
      stream_(std::move(stream)),
      accept_(std::move(accept)),
      on_closed_(std::move(on_closed)),
      mux_(
          role,
          [] {
            wire::Hello hello;
            hello.connection_window = 4u << 20;
            return hello;
          }(),
          *this) {}

void Session::start() {
  started_ = true;
  stream_->start({[this](ByteView bytes) {
                    const auto self = shared_from_this();
                    if (closing_) return;
                    if (auto status = mux_.on_bytes(bytes); !status) {
                      closing_ = status.error();
                      stream_->pause_reading();
                    }
                    flush();
                  },
                  [this] {
                    const auto self = shared_from_this();
                    flush();
                  },
                  [this](const Error& error) { close(closing_ ? *closing_ : error); }});
  flush();
}

void Session::wants_write() {
  if (started_ && !closed_) flush();
}

void Session::flush() {
  if (flushing_ || closed_) return;
  flushing_ = true;
  while (stream_->pending_bytes() < kWriteHighWater) {
    std::vector<WritePiece> pieces;
    std::size_t bytes = 0;
    while (bytes < kWriteBatch) {
      auto piece = mux_.next_output();
      if (!piece) break;
      bytes += piece->header.size() + piece->payload.view.size();
      pieces.push_back({std::move(piece->header), std::move(piece->payload.owner), piece->payload.view});
    }
    if (pieces.empty()) break;
    stream_->write(std::move(pieces));
  }
  flushing_ = false;
  // A peer that does not read what it asks for is not read from either.
  if (!closing_) {
    if (stream_->pending_bytes() >= kWriteHighWater)
      stream_->pause_reading();
    else
      stream_->resume_reading();
  } else if (stream_->pending_bytes() == 0) {
    close(*closing_);
  }
}

void Session::run(JobKind kind, std::function<void()> work, std::function<void()> done) {
  const Workers workers = kind.lane == Lane::kDisk        ? Workers::kDisk
                          : kind.lane == Lane::kCatalogue ? Workers::kCatalogue
                                                          : Workers::kCpu;
  loop_.lanes().run(workers, owner_, kind.urgency, loop_.shared_mailbox(), std::move(work),
                    [self = shared_from_this(), done = std::move(done)] {
                      if (!self->closed_) done();
                    });
}

namespace {

/// What a deferred job answers, once: when it is finished, or when it goes without having begun.
class Answer {
 public:
  Answer(Loop& loop, std::function<void()> end) : mailbox_(loop.shared_mailbox()), end_(std::move(end)) {
    mailbox_->expect();
  }
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;
  ~Answer() {
    give([] {});
  }
  void give_end() { give(std::move(end_)); }

 private:
  void give(std::function<void()> letter) {
    if (!given_.exchange(true)) mailbox_->answer(std::move(letter));
  }
  std::shared_ptr<Mailbox> mailbox_;
  std::function<void()> end_;
  std::atomic<bool> given_{false};
};

}  // namespace

void Session::run_deferred(JobKind kind, std::function<void(std::function<void()>)> work, std::function<void()> done) {
  const auto answer = std::make_shared<Answer>(loop_, [self = shared_from_this(), done = std::move(done)] {
    if (!self->closed_) done();
  });
  run(
      kind, [work = std::move(work), answer] { work([answer] { answer->give_end(); }); }, [] {});
}

Result<std::shared_ptr<Conversation>> Session::accept(FrameType type, ByteView payload, StreamPort& port) {
  return accept_(type, payload, port);
}

Link Session::link() const {
  const TcpMeasured measured = stream_->measured();
  return {measured.rtt_seconds, measured.bytes_per_second};
}

void Session::on_goaway(const wire::GoAway&) {}

void Session::close(const Error& error) {
  if (closed_) return;
  const auto self = shared_from_this();
  closed_ = true;
  stream_->close();
  mux_.on_transport_closed(error);
  // What has not begun is nobody's any more.
  loop_.lanes().drop(owner_);
  if (const auto last = std::exchange(on_closed_, nullptr)) last(error);
}

}  // namespace millrace
