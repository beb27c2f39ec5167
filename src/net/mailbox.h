// How other threads hand something to a loop.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>

namespace millrace {

/// Calls what is posted on the thread of its loop, in order. Shared with whoever posts: a letter that comes after
/// close() is dropped where it was posted.
class Mailbox {
 public:
  /// On the loop's thread or before the loop runs. The loop must turn once more after close() before it is closed.
  static std::shared_ptr<Mailbox> open(uv_loop_t* loop);
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;
  /// Any thread. Keeps no loop alive: whoever waits for a letter calls expect() first.
  void post(std::function<void()> letter);
  /// As post(), for a letter that was expected.
  void answer(std::function<void()> letter);
  /// The loop's thread: it stays alive until as many answers have come as were expected.
  void expect();
  /// The loop's thread: no letter is called any more, those that wait are dropped. Idempotent.
  void close();

 private:
  struct State;
  explicit Mailbox(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

}  // namespace millrace
