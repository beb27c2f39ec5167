// load/rate_search: the highest rate that holds.
#include "load/rate_search.h"

#include <catch2/catch.hpp>

using namespace millrace;

namespace {

/// Searches where every rate up to `capacity` holds; counts the probes.
RateSearch search(double first, double capacity, int& probes) {
  RateSearch search(first);
  for (probes = 0; !search.over(); ++probes) search.take(search.rate() <= capacity);
  return search;
}

}  // namespace

SCENARIO("the highest rate that holds is found to a tenth in few probes, from below and from above") {
  for (const double first : {1.0, 50.0, 900.0, 100'000.0}) {
    int probes = 0;
    const auto best = search(first, 777, probes).best();
    REQUIRE(best);
    CHECK(*best <= 777);
    CHECK(*best * 1.1 >= 777);
    CHECK(probes <= 20);
  }
}

SCENARIO("a search ends where no rate holds, and where every rate does") {
  int probes = 0;
  CHECK_FALSE(search(50, 0, probes).best());
  CHECK(probes < 20);
  CHECK(search(50, 1e9, probes).best() == kMostRate);
  CHECK(probes < 20);
}
