#include "http/connection.h"

#include <cassert>
#include <charconv>
#include <chrono>

#include "net/deferred_answer.h"
#include "net/timer.h"

namespace millrace {

namespace {

constexpr std::uint64_t kLingerMs = 2000;
constexpr std::uint64_t kMostDropped = 4u << 20;  ///< of what comes behind the last answer
constexpr std::uint64_t kWorthReading =
    64u << 10;  ///< of a body that nobody wants: less is read, so that the connection stays

std::int64_t seconds_since_1970() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

Buffer text_bytes(std::string_view text) {
  Buffer bytes;
  append(bytes, as_bytes(text));
  return bytes;
}

Buffer chunk_line(std::size_t bytes) {
  char digits[16];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, bytes, 16);
  return text_bytes(std::string(digits, end) + "\r\n");
}

}  // namespace

/// A request and its answer.
class HttpConnection::Exchange final : public HttpPort, public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(HttpConnection& connection, const HttpRequest& request)
      : connection_(&connection),
        head_only_(request.method == "HEAD"),
        is_1_0_(request.minor_version == 0),
        keeps_alive_(request.keeps_alive),
        has_body_(request.has_body()),
        awaits_invitation_(has_body_ && !is_1_0_ && !request.header("expect").empty()),
        left_of_body_(request.content_length) {}

  void respond(const HttpHead& head, SharedBytes body) override {
    begin(head, body.view.size());
    if (!body.view.empty()) send(std::move(body));
    finish();
  }

  void begin(const HttpHead& head, std::optional<std::uint64_t> length) override {
    if (connection_ == nullptr) return;
    assert(!begun_);
    begun_ = true;
    HttpFraming framing;
    framing.length = length;
    framing.chunked = !length && !is_1_0_;
    if (!length && is_1_0_) keeps_alive_ = false;
    if (connection_->leaving_ || !may_read_on()) keeps_alive_ = false;
    framing.keeps_alive = keeps_alive_;
    chunked_ = framing.chunked;
    write({encode_head(head, framing, seconds_since_1970()), nullptr, {}});
  }

  void send(SharedBytes bytes) override {
    if (connection_ == nullptr || head_only_ || bytes.view.empty()) return;
    assert(begun_ && !ended_);
    if (!chunked_) return write({{}, std::move(bytes.owner), bytes.view});
    std::vector<WritePiece> pieces;
    pieces.push_back({chunk_line(bytes.view.size()), std::move(bytes.owner), bytes.view});
    pieces.push_back({text_bytes("\r\n"), nullptr, {}});
    connection_->write(std::move(pieces));
  }

  void finish() override {
    if (connection_ == nullptr) return;
    assert(begun_ && !ended_);
    if (chunked_ && !head_only_) write({text_bytes("0\r\n\r\n"), nullptr, {}});
    ended_ = true;
    connection_->settle();
  }

  std::uint64_t unsent_bytes() const override {
    if (connection_ == nullptr) return 0;
    // What the kernel takes at once is not to go on for ever, where a rate is kept.
    const std::uint64_t pending = connection_->stream_->pending_bytes();
    return connection_->throttle_.is_resting() ? std::max(pending, kHighWater) : pending;
  }

  void upgrade(const HttpHead& head, TakeStream take) override {
    if (connection_ == nullptr) return;
    assert(!begun_);
    begun_ = ended_ = true;
    connection_->upgrade(head, std::move(take));
  }

  void abort(const Error& why) override {
    if (connection_ != nullptr) connection_->close(why);
  }

  void pause_body() override {
    if (connection_ == nullptr || request_ended_) return;
    paused_ = true;
    connection_->stream_->pause_reading();
  }

  void resume_body() override {
    if (connection_ == nullptr || !std::exchange(paused_, false)) return;
    invite_body();
    connection_->stream_->resume_reading();
  }

  void run(Workers workers, Urgency urgency, std::function<void()> work, std::function<void()> done,
           WhenOver when_over) override {
    if (connection_ == nullptr) return;
    Loop& loop = connection_->loop_;
    loop.lanes().run(workers, connection_->owner_, urgency, loop.shared_mailbox(), std::move(work),
                     end_of_job(std::move(done), when_over));
  }

  void run_deferred(Workers workers, Urgency urgency, std::function<void(std::function<void()>)> work,
                    std::function<void()> done, WhenOver when_over) override {
    if (connection_ == nullptr) return;
    const auto answer = std::make_shared<DeferredAnswer>(connection_->loop_, end_of_job(std::move(done), when_over));
    run(
        workers, urgency, [work = std::move(work), answer] { work([answer] { answer->give_end(); }); }, [] {},
        WhenOver::kForget);
  }

  bool is_open() const override { return connection_ != nullptr; }
  std::weak_ptr<HttpPort> weak() override { return weak_from_this(); }

  void run_after(std::chrono::milliseconds delay, std::function<void()> done) override {
    if (connection_ == nullptr) return;
    timer_ = std::make_unique<Timer>(connection_->loop_, delay,
                                     [this, end = end_of_job(std::move(done), WhenOver::kForget)] {
                                       const auto call = end;  // the timer's own goes with it
                                       timer_.reset();
                                       call();
                                     });
  }

  void body(ByteView bytes) {
    if (left_of_body_) *left_of_body_ -= std::min<std::uint64_t>(*left_of_body_, bytes.size());
    if (!ended_) handler_->on_body(bytes);
  }
  void end_of_request() {
    request_ended_ = true;
    paused_ = false;
    if (!ended_) handler_->on_body_end();
  }
  void writable() {
    if (begun_ && !ended_ && unsent_bytes() < kHighWater) handler_->on_writable();
  }
  void tick() {
    if (!ended_) handler_->on_tick();
  }
  /// The connection is gone, or the exchange is over.
  void detach() {
    connection_ = nullptr;
    timer_.reset();
    if (!ended_ && handler_) handler_->on_closed();
  }

  void set_handler(std::shared_ptr<HttpHandler> handler) { handler_ = std::move(handler); }
  /// Whoever waits for it before they send the body hears that it is wanted.
  void invite_body() {
    if (begun_ || paused_ || !std::exchange(awaits_invitation_, false)) return;
    write({text_bytes("HTTP/1.1 100 Continue\r\n\r\n"), nullptr, {}});
  }
  bool is_endless() const { return handler_ && handler_->is_endless(); }
  bool has_begun() const { return begun_; }
  bool has_ended() const { return ended_; }
  bool is_over() const { return ended_ && request_ended_; }
  bool request_ended() const { return request_ended_; }
  bool keeps_alive() const { return keeps_alive_; }
  bool is_paused() const { return paused_; }
  bool waits_for_peer() const { return (!request_ended_ && !paused_) || unsent_bytes() > 0; }
  /// What is left of the request is not worth a new connection. Whoever waits to be invited may leave the body out:
  /// then it could not be told from the next request.
  bool may_read_on() const {
    if (request_ended_ || !has_body_) return true;
    return left_of_body_ && *left_of_body_ <= kWorthReading && !awaits_invitation_;
  }
  /// The answer is whole: what is left of the request is read over.
  void read_over() { paused_ = false; }

 private:
  void write(WritePiece piece) {
    std::vector<WritePiece> pieces;
    pieces.push_back(std::move(piece));
    connection_->write(std::move(pieces));
  }
  std::function<void()> end_of_job(std::function<void()> done, WhenOver when_over) {
    return [self = shared_from_this(), done = std::move(done), when_over] {
      if (self->connection_ == nullptr) {
        if (when_over == WhenOver::kTell) done();
        return;
      }
      const auto connection = self->connection_->shared_from_this();
      done();
    };
  }

  HttpConnection* connection_;
  std::shared_ptr<HttpHandler> handler_;
  const bool head_only_;
  const bool is_1_0_;
  bool keeps_alive_;
  const bool has_body_;
  bool awaits_invitation_;  ///< Expect: 100-continue
  std::optional<std::uint64_t> left_of_body_;
  bool chunked_ = false;
  bool begun_ = false;          ///< the answer
  bool ended_ = false;          ///< the answer
  bool request_ended_ = false;  ///< its body, too
  bool paused_ = false;
  std::unique_ptr<Timer> timer_;
};

HttpConnection::HttpConnection(Loop& loop, std::unique_ptr<Stream> stream, const HttpLimits& limits,
                               MakeHttpHandler make_handler, std::function<void(const Error&)> on_closed)
    : loop_(loop),
      owner_(loop.lanes().new_owner()),
      stream_(std::move(stream)),
      limits_(limits),
      make_handler_(std::move(make_handler)),
      on_closed_(std::move(on_closed)),
      parser_(limits.parser, parser_events()),
      throttle_(loop, [this] { end_rest(); }) {}

HttpConnection::~HttpConnection() = default;

HttpRequestParser::Events HttpConnection::parser_events() {
  return {[this](HttpRequest request) { on_head(std::move(request)); },
          [this](ByteView bytes) {
            const auto exchange = exchange_;
            if (exchange) exchange->body(bytes);
          },
          [this] { on_request_end(); }};
}

void HttpConnection::start() {
  stream_->start({[this](ByteView bytes) {
                    const auto self = shared_from_this();
                    process(bytes);
                  },
                  [this] {
                    const auto self = shared_from_this();
                    on_drained();
                  },
                  [this](const Error& error) {
                    const auto self = shared_from_this();
                    close(error);
                  },
                  [this] { return !throttle_.is_resting(); }, [] {}});
}

void HttpConnection::process(ByteView bytes) {
  const auto self = shared_from_this();
  if (lingers_) {
    dropped_ += bytes.size();
    if (dropped_ > kMostDropped) close({Code::kTooLarge, "The client went on sending behind the last answer."});
    return;
  }
  if (upgraded_) return append(carried_, bytes);
  processing_ = true;
  while (!bytes.empty() && !closed_ && !lingers_) {
    if (exchange_ && exchange_->request_ended()) {
      append(carried_, bytes);
      stream_->pause_reading();
      break;
    }
    const auto taken = parser_.feed(bytes);
    if (!taken) {
      refuse(taken.error());
      break;
    }
    bytes = bytes.subspan(*taken);
    if (upgraded_) {
      append(carried_, bytes);
      break;
    }
  }
  processing_ = false;
  if (!closed_) throttle_.look(moved());
}

void HttpConnection::on_head(HttpRequest request) {
  ++requests_;
  waiting_since_ms_.reset();
  exchange_ = std::make_shared<Exchange>(*this, request);
  const auto exchange = exchange_;
  exchange->set_handler(make_handler_(request, *exchange));
  if (!closed_) exchange->invite_body();
}

void HttpConnection::on_request_end() {
  if (!exchange_) return;
  const auto exchange = exchange_;
  exchange->end_of_request();
  settle();
}

void HttpConnection::settle() {
  const auto self = shared_from_this();
  if (closed_ || upgraded_ || !exchange_ || !exchange_->has_ended()) return;
  if (!exchange_->keeps_alive()) return linger();
  // Whatever the handler had paused for: now the rest of the body is read over, or the next request.
  exchange_->read_over();
  stream_->resume_reading();
  if (!exchange_->is_over()) return;
  std::exchange(exchange_, nullptr)->detach();
  if (leaving_) return linger();
  parser_.next();
  if (!processing_) process(std::exchange(carried_, {}));
}

void HttpConnection::refuse(const HttpProblem& problem) {
  if (exchange_ && exchange_->has_begun()) return close(problem.error);
  HttpHead head;
  head.status = problem.status;
  head.add("Content-Type", "application/problem+json").add("Cache-Control", "no-store");
  const Buffer body = text_bytes(problem_body(problem));
  HttpFraming framing;
  framing.length = body.size();
  framing.keeps_alive = false;
  Buffer out = encode_head(head, framing, seconds_since_1970());
  append(out, body);
  std::vector<WritePiece> pieces;
  pieces.push_back({std::move(out), nullptr, {}});
  write(std::move(pieces));
  linger();
}

void HttpConnection::write(std::vector<WritePiece> pieces) {
  if (closed_) return;
  stream_->write(std::move(pieces));
  if (!closed_) throttle_.look(moved());
}

void HttpConnection::on_drained() {
  if (closed_ || lingers_ || !exchange_ || throttle_.look(moved())) return;
  const auto exchange = exchange_;
  exchange->writable();
}

void HttpConnection::end_rest() {
  const auto self = shared_from_this();
  if (closed_) return;
  const bool is_paused = (exchange_ && exchange_->is_paused()) || !carried_.empty();
  if (!is_paused) stream_->resume_reading();
  if (stream_->pending_bytes() == 0) on_drained();
}

void HttpConnection::upgrade(const HttpHead& head, HttpPort::TakeStream take) {
  upgraded_ = true;
  stream_->pause_reading();
  std::vector<WritePiece> pieces;
  pieces.push_back({encode_head(head, {}, seconds_since_1970()), nullptr, {}});
  write(std::move(pieces));
  // Later: the stream is in the middle of a call of its own.
  loop_.mailbox().post([self = shared_from_this(), take = std::move(take)] { self->hand_over(take); });
}

void HttpConnection::hand_over(const HttpPort::TakeStream& take) {
  if (std::exchange(closed_, true)) return;
  throttle_.drop();
  if (exchange_) std::exchange(exchange_, nullptr)->detach();
  loop_.lanes().drop(owner_);
  // It counts what the stream has moved.
  if (const auto last = std::exchange(on_closed_, nullptr)) last({Code::kNetwork, "It goes on as another protocol."});
  take(std::move(stream_), std::move(carried_));
}

void HttpConnection::linger() {
  if (std::exchange(lingers_, true)) return;
  if (exchange_) std::exchange(exchange_, nullptr)->detach();
  stream_->finish_writing();
  stream_->resume_reading();
}

void HttpConnection::watch(std::uint64_t now_ms) {
  if (closed_ || upgraded_) return;
  if (lingers_) {
    if (!lingers_since_ms_) lingers_since_ms_ = now_ms;
    // As long as the answer still travels the rule about slow peers counts.
    if (stream_->pending_bytes() == 0 && now_ms - *lingers_since_ms_ >= kLingerMs)
      return close({Code::kNetwork, "The connection was ended behind the last answer."});
  }
  PeerWatch::Standing standing;
  standing.moved = stream_->bytes_read() + stream_->bytes_written() - stream_->pending_bytes();
  standing.waits_for_peer =
      !throttle_.is_resting() && (exchange_ ? exchange_->waits_for_peer() : stream_->pending_bytes() > 0);
  if (const auto too_slow = peer_watch_.look(limits_.peers, now_ms, standing)) return close(*too_slow);
  if (const auto exchange = exchange_) exchange->tick();
  if (exchange_ || lingers_ || closed_) return;
  // The first head has to come at once, a later one may be waited for.
  const bool in_head = parser_.is_in_head() || requests_ == 0;
  if (in_head != waits_for_head_) waiting_since_ms_.reset();
  waits_for_head_ = in_head;
  if (!waiting_since_ms_) waiting_since_ms_ = now_ms;
  const std::uint64_t patience = in_head ? limits_.head_seconds : limits_.idle_seconds;
  if (patience == 0 || now_ms - *waiting_since_ms_ < patience * 1000) return;
  if (in_head) return refuse({408, {Code::kTooSlow, "The head of the request did not come in time."}});
  close({Code::kNetwork, "The connection was idle."});
}

void HttpConnection::leave() {
  leaving_ = true;
  if (exchange_ && exchange_->is_endless()) return close({Code::kBusy, "The server is shutting down"});
  // Whoever has just come is about to ask something.
  if (!exchange_ && !closed_ && requests_ > 0) linger();
}

void HttpConnection::close(const Error& why) {
  if (std::exchange(closed_, true)) return;
  const auto self = shared_from_this();
  throttle_.drop();
  stream_->close();
  if (exchange_) std::exchange(exchange_, nullptr)->detach();
  loop_.lanes().drop(owner_);
  if (const auto last = std::exchange(on_closed_, nullptr)) last(why);
}

}  // namespace millrace
