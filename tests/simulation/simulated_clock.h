// Time in a simulation, and what is to happen when. Nothing waits: the clock jumps to the next event. Events at one
// moment come in the order in which they were asked for.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

namespace millrace::simulation {

class SimulatedClock {
 public:
  /// Events of one owner can be dropped together: a server that was killed does nothing any more. 0: nobody's.
  using Owner = std::uint64_t;
  static constexpr std::int64_t kSecond = 1'000'000'000;
  static constexpr std::int64_t kMillisecond = 1'000'000;

  /// Nanoseconds since 1970.
  std::int64_t now() const { return now_; }
  /// Something took a moment.
  void pass(std::int64_t ns) { now_ += ns; }

  void after(std::int64_t ns, Owner owner, std::function<void()> call) {
    events_.emplace(std::pair(now_ + ns, next_++), Event{owner, std::move(call)});
  }
  void drop(Owner owner) {
    // What goes may own much, whose ends may ask for events: not while the queue is walked.
    Events dropped;
    for (auto one = events_.begin(); one != events_.end();) {
      const auto next = std::next(one);
      if (one->second.owner == owner) dropped.insert(events_.extract(one));
      one = next;
    }
  }
  /// The next event; false: there is none before `until`, and it is `until` now.
  bool step(std::int64_t until) {
    if (events_.empty() || events_.begin()->first.first > until) {
      if (now_ < until) now_ = until;
      return false;
    }
    auto event = events_.extract(events_.begin());
    if (now_ < event.key().first) now_ = event.key().first;
    event.mapped().call();
    return true;
  }
  bool is_idle() const { return events_.empty(); }
  std::size_t waiting() const { return events_.size(); }

 private:
  struct Event {
    Owner owner;
    std::function<void()> call;
  };
  using Events = std::map<std::pair<std::int64_t, std::uint64_t>, Event>;
  std::int64_t now_ = 1'700'000'000 * kSecond;
  std::uint64_t next_ = 0;
  Events events_;
};

}  // namespace millrace::simulation
