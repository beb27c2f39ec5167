#include "base/fair_queue.h"

#include <catch2/catch.hpp>
#include <map>
#include <memory>

#include "base/random.h"

using namespace millrace;

namespace {

using Queue = FairQueue<int>;

/// Takes everything, each job over before the next one begins.
std::vector<int> drain(Queue& queue) {
  std::vector<int> jobs;
  while (auto taken = queue.pop()) {
    jobs.push_back(taken->job);
    queue.ended(taken->owner, taken->urgency);
  }
  return jobs;
}

}  // namespace

SCENARIO("owners take turns, whoever has how many jobs") {
  Queue queue;
  for (int i = 0; i < 4; ++i) queue.push(1, Urgency::kBulk, 10 + i, 0);
  queue.push(2, Urgency::kBulk, 20, 0);
  queue.push(3, Urgency::kBulk, 30, 0);
  queue.push(3, Urgency::kBulk, 31, 0);
  CHECK(queue.length() == 7);
  CHECK(drain(queue) == std::vector<int>{10, 20, 30, 11, 31, 12, 13});
  CHECK(queue.length() == 0);
}

SCENARIO("an owner has at most a few jobs under way and goes on when one is over") {
  Queue queue;
  for (int i = 0; i < 5; ++i) queue.push(1, i % 2 == 0 ? Urgency::kBulk : Urgency::kMetadata, i, 0);
  for (std::size_t i = 0; i < Queue::kMostOfOneOwner; ++i) REQUIRE(queue.pop());
  CHECK_FALSE(queue.pop());
  CHECK_FALSE(queue.has_next());
  CHECK(queue.length() == 5 - Queue::kMostOfOneOwner);
  queue.push(2, Urgency::kBulk, 20, 0);
  CHECK(queue.pop()->job == 20);
  queue.ended(1, Urgency::kBulk);
  CHECK(queue.pop()->owner == 1);
  CHECK_FALSE(queue.pop());
}

SCENARIO("metadata passes bulk, but bulk is not starved") {
  Queue queue;
  for (int i = 0; i < 3; ++i) queue.push(1, Urgency::kBulk, 1000 + i, 0);
  for (int i = 0; i < 100; ++i) queue.push(2, Urgency::kMetadata, i, 0);
  const auto jobs = drain(queue);
  CHECK(jobs[0] == 0);
  for (int i = 0; i < 3; ++i) {
    const auto at = static_cast<std::size_t>(std::find(jobs.begin(), jobs.end(), 1000 + i) - jobs.begin());
    CHECK(at == (Queue::kMostPassing + 1) * static_cast<std::size_t>(i + 1) - 1);
  }
}

SCENARIO("bulk jobs leave workers free for metadata") {
  Queue queue(10, 2);
  for (int i = 0; i < 5; ++i) queue.push(1, Urgency::kBulk, i, 0);
  REQUIRE(queue.pop());
  REQUIRE(queue.pop());
  CHECK_FALSE(queue.has_next());
  CHECK_FALSE(queue.pop());
  queue.push(1, Urgency::kMetadata, 10, 0);
  CHECK(queue.has_next());
  CHECK(queue.pop()->job == 10);
  queue.ended(1, Urgency::kMetadata);
  CHECK_FALSE(queue.pop());
  queue.ended(1, Urgency::kBulk);
  CHECK(queue.pop()->job == 2);
}

SCENARIO("a job knows how long it has waited") {
  Queue queue;
  queue.push(1, Urgency::kBulk, 0, 17);
  CHECK(queue.pop()->queued_at == 17);
}

SCENARIO("an owner that is gone takes its waiting jobs with it and nobody else's") {
  Queue queue;
  for (int i = 0; i < 3; ++i) queue.push(1, Urgency::kBulk, i, 0);
  queue.push(1, Urgency::kMetadata, 3, 0);
  queue.push(2, Urgency::kBulk, 20, 0);
  const auto running = queue.pop();
  REQUIRE(running->owner == 1);
  CHECK(queue.drop(1).size() == 3);
  CHECK(queue.drop(1).empty());
  CHECK(queue.length() == 1);
  CHECK(drain(queue) == std::vector<int>{20});
  queue.ended(running->owner, running->urgency);
  CHECK_FALSE(queue.pop());
}

SCENARIO("whatever the order of calls, every job begins once and no owner exceeds its share") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SeededRandom random(seed);
    Queue queue(3, 4);
    std::map<std::uint64_t, std::size_t> under_way;
    std::vector<std::pair<std::uint64_t, Urgency>> running;
    std::size_t bulk = 0;
    std::size_t pushed = 0;
    std::size_t over = 0;
    std::size_t dropped = 0;
    for (int step = 0; step < 3000; ++step) {
      const std::uint64_t choice = random.below(100);
      if (choice < 45) {
        queue.push(random.below(7), random.below(3) == 0 ? Urgency::kMetadata : Urgency::kBulk, 0, 0);
        ++pushed;
      } else if (choice < 75) {
        if (const auto taken = queue.pop()) {
          running.emplace_back(taken->owner, taken->urgency);
          REQUIRE(++under_way[taken->owner] <= 3);
          bulk += taken->urgency == Urgency::kBulk ? 1 : 0;
          REQUIRE(bulk <= 4);
        } else {
          // Nothing begins: then nothing waits, or each owner that waits has its share.
          REQUIRE((queue.length() == 0 || !under_way.empty()));
        }
      } else if (choice < 99 && !running.empty()) {
        const std::size_t at = random.below(running.size());
        queue.ended(running[at].first, running[at].second);
        --under_way[running[at].first];
        bulk -= running[at].second == Urgency::kBulk ? 1 : 0;
        running.erase(running.begin() + static_cast<std::ptrdiff_t>(at));
        ++over;
      } else if (choice == 99) {
        dropped += queue.drop(random.below(7)).size();
      }
    }
    for (const auto& [owner, urgency] : running) {
      queue.ended(owner, urgency);
      ++over;
    }
    over += drain(queue).size();
    CHECK(over + dropped == pushed);
    CHECK(queue.length() == 0);
  }
}
