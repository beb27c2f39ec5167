#include "net/mailbox.h"

#include <cstdlib>
#include <mutex>
#include <utility>
#include <vector>

namespace millrace {

namespace {

constexpr std::uint64_t kPortionNs = 2'000'000;  ///< of a turn: sockets and timers must not wait for a long queue

struct Letter {
  std::function<void()> call;
  std::size_t expected = 0;  ///< how many answers it is: 1 or none
};

}  // namespace

struct Mailbox::State {
  uv_async_t wake{};
  std::shared_ptr<State> kept;  ///< until libuv has let go of `wake`
  std::mutex mutex;
  std::vector<Letter> letters;  // guarded by mutex
  std::vector<Letter> ready;    // the loop's thread only: being delivered, those before `next` were
  std::size_t next = 0;
  bool closed = false;       // guarded by mutex
  std::size_t expected = 0;  // the loop's thread only

  void push(Letter letter) {
    const std::lock_guard lock(mutex);
    if (closed) return;
    letters.push_back(std::move(letter));
    if (letters.size() == 1) uv_async_send(&wake);
  }

  void deliver() {
    const auto self = kept;
    if (next == ready.size()) {
      ready.clear();
      next = 0;
      const std::lock_guard lock(mutex);
      ready.swap(letters);
    }
    const std::uint64_t until = uv_hrtime() + kPortionNs;
    while (next < ready.size()) {
      const Letter letter = std::move(ready[next++]);
      if (letter.expected > 0 && --expected == 0) uv_unref(reinterpret_cast<uv_handle_t*>(&wake));
      // A letter may close the box.
      if (const std::lock_guard lock(mutex); closed) return;
      letter.call();
      if (uv_hrtime() >= until) break;
    }
    // Sockets and timers first, then the rest, and what came meanwhile without a wake-up of its own.
    if (const std::lock_guard lock(mutex); !closed && (next < ready.size() || !letters.empty())) uv_async_send(&wake);
  }
};

std::shared_ptr<Mailbox> Mailbox::open(uv_loop_t* loop) {
  auto state = std::make_shared<State>();
  if (uv_async_init(loop, &state->wake, [](uv_async_t* wake) { static_cast<State*>(wake->data)->deliver(); }) != 0)
    std::abort();
  state->wake.data = state.get();
  state->kept = state;
  uv_unref(reinterpret_cast<uv_handle_t*>(&state->wake));
  return std::shared_ptr<Mailbox>(new Mailbox(std::move(state)));
}

void Mailbox::post(std::function<void()> letter) {
  state_->push({std::move(letter), 0});
}

void Mailbox::answer(std::function<void()> letter) {
  state_->push({std::move(letter), 1});
}

void Mailbox::expect() {
  if (state_->expected++ == 0) uv_ref(reinterpret_cast<uv_handle_t*>(&state_->wake));
}

void Mailbox::close() {
  std::vector<Letter> dropped;
  {
    const std::lock_guard lock(state_->mutex);
    if (std::exchange(state_->closed, true)) return;
    dropped.swap(state_->letters);
  }
  std::vector<Letter> undelivered;
  undelivered.swap(state_->ready);
  state_->next = 0;
  uv_close(reinterpret_cast<uv_handle_t*>(&state_->wake),
           [](uv_handle_t* handle) { const auto last = std::move(static_cast<State*>(handle->data)->kept); });
}

}  // namespace millrace
