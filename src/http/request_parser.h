// Bytes in, requests out: llhttp (Node's parser) with limits of our own around it. Pure: no sockets, no clock.
#pragma once

#include <functional>
#include <memory>

#include "base/bytes.h"
#include "http/problem.h"
#include "http/request.h"

namespace millrace {

struct HttpParserLimits {
  std::size_t head_bytes = 16u << 10;  ///< of one request's line and headers together; of a body's trailers too
  std::size_t headers = 100;           ///< their number
  std::size_t target_bytes = 8u << 10;
};

class HttpRequestParser {
 public:
  struct Events {
    std::function<void(HttpRequest)> on_head;
    std::function<void(ByteView)> on_body;  ///< a piece, in order; chunks are put together
    std::function<void()> on_end;           ///< of the request: nothing is parsed until next()
  };
  HttpRequestParser(const HttpParserLimits& limits, Events events);
  ~HttpRequestParser();
  HttpRequestParser(const HttpRequestParser&) = delete;
  HttpRequestParser& operator=(const HttpRequestParser&) = delete;

  /// How many of `bytes` were taken: all of them, or as many as belonged to the request that has ended. Whatever could
  /// be read in two ways is refused (RFC 9112, section 11.2): several lengths, a length beside chunks, bare line feeds,
  /// no Host or two. Nothing may be fed after a failure.
  HttpResult<std::size_t> feed(ByteView bytes);
  /// The next request may come.
  void next();
  /// Something of a request's head has come, not all.
  bool is_in_head() const;

 private:
  struct Engine;
  std::unique_ptr<Engine> engine_;
};

}  // namespace millrace
