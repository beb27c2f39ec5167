#include "base/memory_budget.h"

#include <catch2/catch.hpp>
#include <deque>

#include "base/random.h"

using namespace millrace;

namespace {

constexpr std::uint64_t kMiB = 1u << 20;

MemoryBudget::OnRoom nothing() {
  return [](MemoryCharge) {};
}

}  // namespace

SCENARIO("what is held is counted while it is held") {
  const auto budget = std::make_shared<MemoryBudget>(kMiB);
  {
    MemoryCharge charge(budget, 1000);
    CHECK(budget->used() == 1000);
    MemoryCharge moved(std::move(charge));
    moved.resize(3000);
    CHECK(budget->used() == 3000);
    moved = MemoryCharge(budget, 10);
    CHECK(budget->used() == 10);
    CHECK_FALSE(budget->over());
    moved.resize(kMiB);
    CHECK(budget->over());
  }
  CHECK(budget->used() == 0);
  CHECK(budget->most_used() == kMiB);
}

SCENARIO("so many transfers begin as slices fit into half, the others in the order in which they came") {
  const auto budget = std::make_shared<MemoryBudget>(kMiB);
  std::deque<std::unique_ptr<MemoryBudget::Place>> places;
  std::vector<int> turns;
  for (int i = 0; i < 12; ++i) places.push_back(budget->enter([&turns, i] { turns.push_back(i); }));
  for (int i = 0; i < 12; ++i) CHECK(places[i]->is_in() == (i < 8));
  CHECK(turns.empty());
  CHECK(budget->transfers() == 8);
  CHECK(budget->waiting() == 4);
  places[9].reset();  // gave up
  places[5].reset();
  CHECK(turns == std::vector<int>{8});
  places[6].reset();
  places[7].reset();
  CHECK(turns == std::vector<int>{8, 10, 11});
  CHECK(budget->waiting() == 0);
}

SCENARIO("what those that wait hold may be a quarter, and counts no more once it is their turn or they have gone") {
  const auto budget = std::make_shared<MemoryBudget>(kMiB);
  std::deque<std::unique_ptr<MemoryBudget::Place>> places;
  for (int i = 0; i < 12; ++i) places.push_back(budget->enter(nullptr));
  for (const auto& place : places) place->set_early(kMiB / 16);
  CHECK(budget->early() == kMiB / 4);  // of four; eight are in
  CHECK(budget->crowded());
  CHECK_FALSE(budget->over());
  places[11]->set_early(kMiB / 32);
  CHECK(budget->early() == kMiB / 4 - kMiB / 32);
  CHECK_FALSE(budget->crowded());
  places[3].reset();
  CHECK(places[8]->is_in());
  CHECK(budget->early() == kMiB / 8 + kMiB / 32);
  places[9].reset();
  places[11].reset();
  CHECK(budget->early() == kMiB / 16);
  places.clear();
  CHECK(budget->early() == 0);
}

SCENARIO("nobody begins while more is held than the budget has, unless nobody else is in it") {
  const auto budget = std::make_shared<MemoryBudget>(kMiB);
  MemoryCharge held(budget, kMiB);
  const auto first = budget->enter(nullptr);
  CHECK(first->is_in());
  bool turn = false;
  const auto second = budget->enter([&] { turn = true; });
  CHECK_FALSE(second->is_in());
  held.resize(kMiB - 1);
  CHECK(turn);
}

SCENARIO("room is given in turn, and a quarter is kept for what nobody asks for") {
  const auto budget = std::make_shared<MemoryBudget>(kMiB);
  const auto oldest = budget->enter(nullptr);
  const auto first = budget->enter(nullptr);
  const auto second = budget->enter(nullptr);
  auto held = budget->reserve(*first, kMiB / 2, nothing());
  REQUIRE(held);
  CHECK(budget->used() == kMiB / 2);
  std::vector<int> order;
  std::vector<MemoryCharge> given;
  const auto take = [&](int name) {
    return [&, name](MemoryCharge charge) {
      order.push_back(name);
      given.push_back(std::move(charge));
    };
  };
  CHECK_FALSE(budget->reserve(*second, kMiB / 2, take(1)));
  // It would fit, but somebody came before.
  CHECK_FALSE(budget->reserve(*first, 1000, take(2)));
  CHECK(budget->waiting() == 2);
  held.reset();
  CHECK(order == std::vector<int>{1, 2});
  CHECK(budget->used() == kMiB / 2 + 1000);
}

SCENARIO("the oldest transfer gets what it asks for; when it leaves, the next one does") {
  const auto budget = std::make_shared<MemoryBudget>(kMiB);
  auto oldest = budget->enter(nullptr);
  const auto next = budget->enter(nullptr);
  const auto much = budget->reserve(*oldest, 4 * kMiB, nothing());
  REQUIRE(much);
  std::optional<MemoryCharge> given;
  CHECK_FALSE(budget->reserve(*next, 4 * kMiB, [&](MemoryCharge charge) { given = std::move(charge); }));
  oldest.reset();
  REQUIRE(given);
  CHECK(given->bytes() == 4 * kMiB);
  CHECK(next->is_oldest());
}

SCENARIO("who asked and has gone is not called, and room that nobody takes is given back") {
  const auto budget = std::make_shared<MemoryBudget>(kMiB);
  const auto oldest = budget->enter(nullptr);
  auto gone = budget->enter(nullptr);
  MemoryCharge held(budget, kMiB);
  bool called = false;
  CHECK_FALSE(budget->reserve(*gone, 1000, [&](MemoryCharge) { called = true; }));
  gone.reset();
  held.resize(0);
  CHECK_FALSE(called);
  CHECK(budget->used() == 0);
}

SCENARIO("transfers of any size end with any budget, and it is exceeded by one of them at most") {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SeededRandom random(seed);
    const auto budget = std::make_shared<MemoryBudget>(kMiB);
    struct Transfer {
      std::unique_ptr<MemoryBudget::Place> place;
      std::optional<MemoryCharge> held;
      bool asked = false;
      int parts = 3;
    };
    std::vector<Transfer> transfers(200);
    for (Transfer& one : transfers) one.place = budget->enter(nullptr);
    std::size_t open = transfers.size();
    for (int step = 0; open > 0; ++step) {
      REQUIRE(step < 1'000'000);
      Transfer& one = transfers[random.below(transfers.size())];
      if (!one.place || !one.place->is_in()) continue;
      if (one.held) {
        one.held.reset();
        if (--one.parts == 0) {
          one.place.reset();
          --open;
        }
      } else if (!one.asked) {
        one.asked = true;
        one.held = budget->reserve(*one.place, 1 + random.below(4 * kMiB), [&one](MemoryCharge charge) {
          one.held = std::move(charge);
          one.asked = false;
        });
        if (one.held) one.asked = false;
      }
    }
    CHECK(budget->used() == 0);
    CHECK(budget->most_used() <= kMiB + 4 * kMiB);
  }
}
