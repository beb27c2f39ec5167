// server/memory_return: once for each burst, and not between two transfers that follow one another.
#include "server/memory_return.h"

#include <catch2/catch.hpp>

using namespace millrace;

SCENARIO("memory goes back once transfers have been over for a while, once") {
  const auto budget = std::make_shared<MemoryBudget>(1 << 20);
  int returned = 0;
  MemoryReturn chore(budget, [&returned] { ++returned; });
  for (int i = 0; i < 10; ++i) chore.step();
  REQUIRE(returned == 0);
  for (int burst = 1; burst <= 2; ++burst) {
    auto place = budget->enter([] {});
    for (int i = 0; i < 10; ++i) chore.step();
    REQUIRE(returned == burst - 1);
    place.reset();
    chore.step();
    REQUIRE(returned == burst - 1);
    place = budget->enter([] {});
    chore.step();
    place.reset();
    chore.step();
    REQUIRE(returned == burst - 1);
    for (int i = 0; i < 10; ++i) chore.step();
    REQUIRE(returned == burst);
  }
}
