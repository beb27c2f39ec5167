#include "net/lanes.h"

#include <catch2/catch.hpp>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "net/loop.h"

using namespace millrace;

namespace {

/// Holds up workers until it is opened.
class Gate {
 public:
  void pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    came_.notify_all();
    opened_.wait(lock, [this] { return open_; });
  }
  void await(int count) {
    std::unique_lock lock(mutex_);
    came_.wait(lock, [&] { return waiting_ >= count; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    opened_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::condition_variable opened_;
  int waiting_ = 0;
  bool open_ = false;
};

constexpr LaneSizes kOneThread{{1, 1, 1}, {1, 1, 1}, 1};

}  // namespace

SCENARIO("a command's loop does its first CPU work itself, and threads do the rest") {
  const auto where = [](std::chrono::microseconds on_loop, const std::vector<Workers>& jobs) {
    LaneSizes sizes = kOneThread;
    sizes.on_loop = on_loop;
    const auto lanes = std::make_shared<Lanes>(sizes);
    Loop loop(lanes);
    std::vector<bool> ran_on_loop;
    for (const Workers workers : jobs) {
      lanes->run(
          workers, lanes->new_owner(), Urgency::kMetadata, loop.shared_mailbox(),
          [&ran_on_loop, own = std::this_thread::get_id()] {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
            ran_on_loop.push_back(std::this_thread::get_id() == own);
          },
          [] {});
      loop.run();
    }
    return ran_on_loop;
  };
  using enum Workers;
  CHECK(where(std::chrono::hours(1), {kCpu, kDisk, kCpu}) == std::vector{true, false, true});
  CHECK(where(std::chrono::microseconds(1), {kCpu, kCpu}) == std::vector{true, false});
  CHECK(where(std::chrono::microseconds(0), {kCpu}) == std::vector{false});
}

SCENARIO("a job without an end is done by a thread, and the loop does not stay for it") {
  Gate gate;
  bool on_loop = true;
  {
    LaneSizes sizes = kOneThread;
    sizes.on_loop = std::chrono::hours(1);
    const auto lanes = std::make_shared<Lanes>(sizes);
    Loop loop(lanes);
    const auto own = std::this_thread::get_id();
    lanes->run(
        Workers::kCpu, lanes->new_owner(), Urgency::kMetadata, loop.shared_mailbox(),
        [&] {
          gate.pass();
          on_loop = std::this_thread::get_id() == own;
        },
        nullptr);
    gate.await(1);
    // One that has not begun: dropped, and nobody is told.
    const auto other = lanes->new_owner();
    lanes->run(
        Workers::kCpu, other, Urgency::kMetadata, loop.shared_mailbox(), [] { FAIL("it was dropped"); }, nullptr);
    lanes->drop(other);
    loop.run();
    gate.open();
  }
  CHECK_FALSE(on_loop);
}

SCENARIO("owners on different loops take turns in a lane that they share") {
  const auto lanes = std::make_shared<Lanes>(kOneThread);
  Loop first(lanes);
  Loop second(lanes);
  const auto busy = lanes->new_owner();
  const auto other = lanes->new_owner();
  Gate gate;
  std::vector<int> order;  // the lane has one thread
  const auto run = [&](Loop& loop, Lanes::Owner owner, int name) {
    lanes->run(
        Workers::kDisk, owner, Urgency::kBulk, loop.shared_mailbox(), [&order, name] { order.push_back(name); }, [] {});
  };
  lanes->run(
      Workers::kDisk, busy, Urgency::kBulk, first.shared_mailbox(), [&gate] { gate.pass(); }, [] {});
  gate.await(1);
  for (int i = 0; i < 5; ++i) run(first, busy, 1);
  run(second, other, 2);
  CHECK(lanes->look(Workers::kDisk).length == 6);
  CHECK(lanes->look(Workers::kDisk).running == 1);
  gate.open();
  first.run();
  second.run();
  REQUIRE(order.size() == 6);
  CHECK(order[0] == 2);  // the first job of `busy` was under way: its turn is over
}

SCENARIO("no owner has more than its share of the threads") {
  const auto lanes = std::make_shared<Lanes>(LaneSizes{{3, 3, 3}, {3, 3, 3}, 2});
  Loop loop(lanes);
  Gate gate;
  const auto greedy = lanes->new_owner();
  for (int i = 0; i < 8; ++i) {
    lanes->run(
        Workers::kCpu, greedy, Urgency::kBulk, loop.shared_mailbox(), [&gate] { gate.pass(); }, [] {});
  }
  gate.await(2);
  bool served = false;
  lanes->run(
      Workers::kCpu, lanes->new_owner(), Urgency::kBulk, loop.shared_mailbox(), [] {},
      [&] {
        served = true;
        CHECK(lanes->look(Workers::kCpu).running == 2);
        gate.open();
      });
  loop.run();
  CHECK(served);
}

SCENARIO("jobs of an owner that is gone do not begin, and its loop does not wait for them") {
  const auto lanes = std::make_shared<Lanes>(kOneThread);
  Loop loop(lanes);
  Gate gate;
  int worked = 0;
  int ended = 0;
  const auto owner = lanes->new_owner();
  const auto kept = std::make_shared<int>(0);
  for (int i = 0; i < 4; ++i) {
    lanes->run(
        Workers::kCatalogue, owner, Urgency::kMetadata, loop.shared_mailbox(),
        [&, kept] {
          ++worked;
          gate.pass();
        },
        [&ended, kept] { ++ended; });
  }
  gate.await(1);
  lanes->drop(owner);
  gate.open();
  loop.run();
  CHECK(worked == 1);
  CHECK(ended == 1);
  CHECK(kept.use_count() == 1);
}

SCENARIO("lanes that are dropped run nothing that has not begun and call nothing back") {
  int called = 0;
  const auto kept = std::make_shared<int>(0);
  uv_loop_t raw;
  REQUIRE(uv_loop_init(&raw) == 0);
  {
    Loop loop(&raw);
    for (int i = 0; i < 100; ++i) {
      loop.run_job(
          Workers::kCatalogue, [kept] { std::this_thread::sleep_for(std::chrono::milliseconds(1)); },
          [&called, kept] { ++called; });
    }
  }
  CHECK(kept.use_count() == 1);
  uv_run(&raw, UV_RUN_DEFAULT);
  CHECK(called == 0);
  CHECK(uv_loop_close(&raw) == 0);
}

SCENARIO("waiting times are those of the jobs that began since the last look") {
  const auto lanes = std::make_shared<Lanes>(kOneThread);
  Loop loop(lanes);
  for (int i = 0; i < 3; ++i)
    loop.run_job(
        Workers::kCpu, [] {}, [] {});
  loop.run();
  CHECK(lanes->look(Workers::kCpu).waits.count() == 3);
  CHECK(lanes->look(Workers::kCpu).waits.count() == 0);
}
