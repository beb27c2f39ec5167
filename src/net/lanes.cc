#include "net/lanes.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <thread>
#include <vector>

namespace millrace {

namespace {

struct Job {
  std::shared_ptr<Mailbox> answers;
  std::function<void()> work;
  std::function<void()> done;
};

std::uint64_t now_us() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

}  // namespace

const char* workers_name(Workers workers) {
  static constexpr std::array<const char*, kWorkersCount> kNames = {"cpu", "disk", "catalogue"};
  return kNames[static_cast<std::size_t>(workers)];
}

LaneSizes LaneSizes::for_server(unsigned processors) {
  const unsigned least = std::max(processors, 2U);
  return {{least, least + 2, 2}, {least, least, 2}, FairQueue<int>::kMostOfOneOwner};
}

LaneSizes LaneSizes::for_client() {
  constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();
  return {{4, 3, 2}, {kAll, kAll, kAll}, kAll};
}

LaneSizes LaneSizes::for_command() {
  LaneSizes sizes = for_client();
  sizes.on_loop = std::chrono::milliseconds(3);
  return sizes;
}

struct Lanes::Lane {
  Lane(unsigned size, std::size_t most_of_one_owner, std::size_t most_bulk)
      : thread_count(size), queue(most_of_one_owner, most_bulk) {}

  const unsigned thread_count;
  std::mutex mutex;
  std::condition_variable queued;
  FairQueue<Job> queue;  // guarded by mutex, as all below
  Histogram waits;       // microseconds
  std::size_t running = 0;
  bool stopping = false;
  std::vector<std::thread> threads;

  void push(Owner owner, Urgency urgency, Job job) {
    {
      const std::lock_guard lock(mutex);
      queue.push(owner, urgency, std::move(job), now_us());
      // A client that sends one file needs one thread: each costs some 0.2 ms to start and to end.
      if (running + queue.length() > threads.size() && threads.size() < thread_count)
        threads.emplace_back([this] { work(); });
    }
    queued.notify_one();
  }

  void work() {
    std::unique_lock lock(mutex);
    for (;;) {
      queued.wait(lock, [this] { return stopping || queue.has_next(); });
      if (stopping) return;
      auto taken = queue.pop();
      // A job that ended may have let two others begin: its owner's and a bulk one.
      if (queue.has_next()) queued.notify_one();
      waits.record(now_us() - taken->queued_at);
      ++running;
      lock.unlock();
      Job job = std::move(taken->job);
      job.work();
      job.work = nullptr;  // what it owns is let go of here, not on the loop
      if (job.done) job.answers->answer(std::move(job.done));
      job = {};
      lock.lock();
      --running;
      queue.ended(taken->owner, taken->urgency);
    }
  }

  void stop() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    queued.notify_all();
    for (std::thread& thread : threads) thread.join();
  }
};

Lanes::Lanes(const LaneSizes& sizes) : left_on_loop_(sizes.on_loop) {
  for (std::size_t i = 0; i < kWorkersCount; ++i)
    lanes_[i] = std::make_unique<Lane>(sizes.threads[i], sizes.most_of_one_owner, sizes.most_bulk[i]);
}

Lanes::~Lanes() {
  for (const auto& lane : lanes_) lane->stop();
}

void Lanes::run(Workers workers, Owner owner, Urgency urgency, std::shared_ptr<Mailbox> answers,
                std::function<void()> work, std::function<void()> done) {
  if (done) answers->expect();
  if (done && workers == Workers::kCpu && left_on_loop_.count() > 0) {
    // Not at once: whoever asks does not expect the end before this returns.
    return answers->answer([this, work = std::move(work), done = std::move(done)] {
      const std::uint64_t began = now_us();
      work();
      left_on_loop_ -= std::chrono::microseconds(now_us() - began);
      done();
    });
  }
  lanes_[static_cast<std::size_t>(workers)]->push(owner, urgency,
                                                  {std::move(answers), std::move(work), std::move(done)});
}

void Lanes::drop(Owner owner) {
  for (const auto& lane : lanes_) {
    std::vector<Job> dropped;
    {
      const std::lock_guard lock(lane->mutex);
      dropped = lane->queue.drop(owner);
    }
    // Their owners may go with them, so not under the lock. The loop waits for an answer to each.
    for (const Job& job : dropped) {
      if (job.done) job.answers->answer([] {});
    }
  }
}

Lanes::Look Lanes::look(Workers workers) {
  Lane& lane = *lanes_[static_cast<std::size_t>(workers)];
  const std::lock_guard lock(lane.mutex);
  Look found{lane.queue.length(), lane.running, std::exchange(lane.waits, {})};
  return found;
}

}  // namespace millrace
