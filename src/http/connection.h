// HTTP/1.1 on a stream: one request after the other, bodies streamed in both directions with back-pressure, connections
// kept open in between. Lives and dies on one loop.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "base/peer_watch.h"
#include "http/handler.h"
#include "http/request_parser.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/throttle.h"

namespace millrace {

struct HttpLimits {
  HttpParserLimits parser;
  std::uint64_t head_seconds = 30;  ///< from the first byte of a request's head, and from the accepting, to its end
  std::uint64_t idle_seconds = 60;  ///< between requests
  PeerRules peers;                  ///< their rate and window count while a request or an answer travels
};

class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  /// `on_closed` is called once, with why; the connection may be dropped then.
  HttpConnection(Loop& loop, std::unique_ptr<Stream> stream, const HttpLimits& limits, MakeHttpHandler make_handler,
                 std::function<void(const Error&)> on_closed);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;
  void start();
  /// A server calls it about once a second.
  void watch(std::uint64_t now_ms);
  /// Closes behind the next answer.
  void set_last() { leaving_ = true; }
  /// Closes at once where nothing is under way, else behind the answer.
  void leave();
  void close(const Error& why);
  /// From now on nothing moves while it says so. Null: nothing is limited.
  void set_meter(Meter meter) { throttle_.set_meter(std::move(meter), moved()); }
  std::uint64_t requests() const { return requests_; }
  /// A request is being answered, or an answer travels.
  bool is_busy() const { return !closed_ && (exchange_ != nullptr || stream_->pending_bytes() > 0); }
  const Stream& stream() const { return *stream_; }

 private:
  class Exchange;
  HttpRequestParser::Events parser_events();
  void process(ByteView bytes);
  void on_head(HttpRequest request);
  void on_request_end();
  void refuse(const HttpProblem& problem);
  /// The exchange's request or answer has ended: the next one begins once both have.
  void settle();
  void write(std::vector<WritePiece> pieces);
  void on_drained();
  /// Bytes in both directions.
  std::uint64_t moved() const { return stream_->bytes_read() + stream_->bytes_written(); }
  void end_rest();
  void upgrade(const HttpHead& head, HttpPort::TakeStream take);
  void hand_over(const HttpPort::TakeStream& take);
  /// What was written leaves, what still comes is dropped: a socket that is closed over unread bytes would reset the
  /// connection, and the peer might never see the answer.
  void linger();

  Loop& loop_;
  const Lanes::Owner owner_;  ///< of its jobs
  std::unique_ptr<Stream> stream_;
  const HttpLimits limits_;
  const MakeHttpHandler make_handler_;
  std::function<void(const Error&)> on_closed_;
  HttpRequestParser parser_;
  std::shared_ptr<Exchange> exchange_;
  Buffer carried_;  ///< came behind a request that is not answered yet
  PeerWatch peer_watch_;
  std::optional<std::uint64_t> waiting_since_ms_;  ///< for a request, or for the rest of its head
  bool waits_for_head_ = false;                    ///< what it is
  std::optional<std::uint64_t> lingers_since_ms_;
  Throttle throttle_;  ///< what asks for more while it rests is refused by may_read
  std::uint64_t requests_ = 0;
  std::uint64_t dropped_ = 0;  ///< bytes, while it lingers
  bool processing_ = false;
  bool upgraded_ = false;
  bool leaving_ = false;
  bool lingers_ = false;
  bool closed_ = false;
};

}  // namespace millrace
