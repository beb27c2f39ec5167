// What answers a request, and what it sees of its connection. A handler is a state machine: it is handed pieces of the
// body and finished jobs, and never waits. All on its connection's loop.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "base/bytes.h"
#include "http/request.h"
#include "http/response.h"
#include "net/lanes.h"
#include "net/stream.h"

namespace millrace {

class HttpPort {
 public:
  static constexpr std::uint64_t kHighWater = 1u
                                              << 20;  ///< of unsent bytes: above it a handler waits for on_writable()

  virtual ~HttpPort() = default;
  /// The whole answer.
  virtual void respond(const HttpHead& head, SharedBytes body) = 0;
  /// The beginning of one; send() and finish() follow. `length` of the body: nothing where it is not known before.
  virtual void begin(const HttpHead& head, std::optional<std::uint64_t> length) = 0;
  virtual void send(SharedBytes bytes) = 0;
  virtual void finish() = 0;
  virtual std::uint64_t unsent_bytes() const = 0;
  /// 101: the connection is no longer one of HTTP. `take` gets its stream, later and on the loop, with what came behind
  /// the request; not where the connection ends before. Last call.
  using TakeStream = std::function<void(std::unique_ptr<Stream> stream, Buffer early)>;
  virtual void upgrade(const HttpHead& head, TakeStream take) = 0;
  /// What was begun cannot be ended: the connection is cut, so that nobody takes the answer for a whole one.
  virtual void abort(const Error& why) = 0;
  /// No more of the request's body for now, but for what one read has brought already.
  virtual void pause_body() = 0;
  virtual void resume_body() = 0;
  /// What becomes of the end of a job whose request is over by then: work that changes something is told of all the
  /// same, since it was done; answers go nowhere then.
  enum class WhenOver : std::uint8_t { kForget, kTell };
  /// `work` on a worker, then `done` on the loop. `work` must own what it touches. What has not begun when the request
  /// is over is not done at all, and nothing is told.
  virtual void run(Workers workers, Urgency urgency, std::function<void()> work, std::function<void()> done,
                   WhenOver when_over) = 0;
  void run(Workers workers, Urgency urgency, std::function<void()> work, std::function<void()> done) {
    run(workers, urgency, std::move(work), std::move(done), WhenOver::kForget);
  }
  /// As run(), for work that goes on after it has returned: `finished` is called once, on any thread.
  virtual void run_deferred(Workers workers, Urgency urgency, std::function<void(std::function<void()> finished)> work,
                            std::function<void()> done, WhenOver when_over) = 0;

  /// `done` on the loop so much later, unless the request is over by then. One at a time.
  virtual void run_after(std::chrono::milliseconds delay, std::function<void()> done) = 0;

  virtual bool is_open() const = 0;
  virtual std::weak_ptr<HttpPort> weak() = 0;
  /// `call`, unless the request is over by then: for answers that come by other ways than run().
  template <typename Call>
  auto while_open(Call call) {
    return [port = weak(), call = std::move(call)](auto&&... arguments) mutable {
      if (const auto alive = port.lock(); alive && alive->is_open())
        call(std::forward<decltype(arguments)>(arguments)...);
    };
  }

  void respond_text(HttpHead head, std::string_view text) {
    Buffer body;
    append(body, as_bytes(text));
    respond(head, SharedBytes::of(std::move(body)));
  }
  void refuse(const HttpProblem& problem) { refuse(problem, {}); }
  void refuse(const HttpProblem& problem, HttpHead head) {
    head.status = problem.status;
    head.add("Content-Type", "application/problem+json").add("Cache-Control", "no-store");
    respond_text(std::move(head), problem_body(problem));
  }
};

class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  virtual void on_body(ByteView bytes) { (void)bytes; }
  virtual void on_body_end() {}
  /// unsent_bytes() fell below the high-water mark.
  virtual void on_writable() {}
  /// About once a second, until the answer is whole.
  virtual void on_tick() {}
  /// The connection is gone before the answer was whole. Last call.
  virtual void on_closed() {}
  /// False: it has paused the body, and goes on with it by itself.
  virtual bool wants_body() const { return true; }
  /// Its answer goes on until somebody ends it.
  virtual bool is_endless() const { return false; }
};

/// Called once the head has come; the handler may answer at once, also before the body has come. Never null.
using MakeHttpHandler = std::function<std::shared_ptr<HttpHandler>(const HttpRequest&, HttpPort&)>;

}  // namespace millrace
