// How many clients may be reading and hashing their file at once. Real clients have a machine each; here they share
// one, and each of them holds its file's bytes meanwhile.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>

namespace millrace {

class Gate {
 public:
  explicit Gate(std::uint64_t most_bytes) : most_bytes_(most_bytes) {}

  /// Calls `enter` now or, in the order of the calls, when there is room for so many bytes. leave() is owed for it.
  void pass(std::uint64_t bytes, std::function<void()> enter) {
    waiting_.push_back({bytes, std::move(enter)});
    admit();
  }
  void leave(std::uint64_t bytes) {
    inside_bytes_ -= bytes;
    admit();
  }

 private:
  struct Waiting {
    std::uint64_t bytes;
    std::function<void()> enter;
  };

  void admit() {
    // Who is let in may leave again at once.
    if (admitting_) return;
    admitting_ = true;
    while (!waiting_.empty() && (inside_bytes_ == 0 || inside_bytes_ + waiting_.front().bytes <= most_bytes_)) {
      const Waiting next = std::move(waiting_.front());
      waiting_.pop_front();
      inside_bytes_ += next.bytes;
      next.enter();
    }
    admitting_ = false;
  }

  std::uint64_t most_bytes_;
  std::uint64_t inside_bytes_ = 0;
  std::deque<Waiting> waiting_;
  bool admitting_ = false;
};

}  // namespace millrace
