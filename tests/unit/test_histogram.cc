// base/histogram: how exactly it tells what it was given.
#include "base/histogram.h"

#include <catch2/catch.hpp>

#include "base/random.h"

using namespace millrace;

SCENARIO("a histogram knows every value to one part in a thousand") {
  for (unsigned shift = 0; shift < 36; ++shift) {
    for (const std::uint64_t value : {std::uint64_t{1} << shift, (std::uint64_t{1} << shift) + 1,
                                      (std::uint64_t{1} << shift) * 3 / 2, (std::uint64_t{2} << shift) - 1}) {
      Histogram histogram;
      histogram.record(value);
      const auto cells = histogram.cells();
      REQUIRE(cells.size() == 1);
      REQUIRE(cells[0].count == 1);
      REQUIRE(cells[0].highest_equivalent >= value);
      REQUIRE(cells[0].highest_equivalent - value <= value / 1024);
      REQUIRE(histogram.max() == value);
      REQUIRE(histogram.value_at(0.5) == value);
    }
  }
}

SCENARIO("the cells stand in order and none is counted twice") {
  Histogram histogram;
  SeededRandom random(1);
  for (int i = 0; i < 20'000; ++i) histogram.record(random() >> (28 + random.below(36)));
  std::uint64_t count = 0;
  std::uint64_t before = 0;
  for (const Histogram::Cell& cell : histogram.cells()) {
    REQUIRE((count == 0 || cell.highest_equivalent > before));
    before = cell.highest_equivalent;
    count += cell.count;
  }
  REQUIRE(count == 20'000);
}

SCENARIO("quantiles are those of the sorted values") {
  Histogram histogram;
  for (std::uint64_t value = 1; value <= 1000; ++value) histogram.record(value);
  REQUIRE(histogram.value_at(0.5) == 500);
  REQUIRE(histogram.value_at(0.9) == 900);
  REQUIRE(histogram.value_at(0.99) == 990);
  REQUIRE(histogram.value_at(1) == 1000);
  REQUIRE(histogram.value_at(0) == 1);
  REQUIRE(histogram.mean() == Approx(500.5));
}

SCENARIO("a quantile is told only where the sample carries it") {
  Histogram histogram;
  for (int i = 0; i < 99; ++i) histogram.record(7);
  REQUIRE(histogram.carried_value_at(0.9) == 7u);
  REQUIRE_FALSE(histogram.carried_value_at(0.99));
  histogram.record(7);
  REQUIRE(histogram.carried_value_at(0.99) == 7u);
  REQUIRE_FALSE(histogram.carried_value_at(0.999));
  REQUIRE_FALSE(Histogram().carried_value_at(0.5));
}

SCENARIO("merged histograms are as one that was given everything") {
  Histogram one;
  Histogram other;
  Histogram both;
  SeededRandom random(2);
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t value = random.below(1'000'000);
    (i % 3 == 0 ? one : other).record(value);
    both.record(value);
  }
  one.merge(other);
  REQUIRE(one.cells() == both.cells());
  REQUIRE(one.max() == both.max());
  REQUIRE(one.mean() == Approx(both.mean()));
}

SCENARIO("what is beyond the range counts at its end") {
  Histogram histogram;
  histogram.record(UINT64_MAX);
  histogram.record(0);
  REQUIRE(histogram.max() == Histogram::kHighestTrackable);
  REQUIRE(histogram.value_at(0.5) == 0);
  REQUIRE(histogram.count() == 2);
}
