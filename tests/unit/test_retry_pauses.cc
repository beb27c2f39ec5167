#include "client/retry_pauses.h"

#include <catch2/catch.hpp>

using namespace millrace;
using namespace std::chrono_literals;

TEST_CASE("pauses grow, up to a limit, and end") {
  RetryPauses pauses(1s);
  std::chrono::milliseconds sum(0);
  for (const auto expected : {1s, 2s, 4s, 8s, 15s, 15s, 15s, 15s}) {
    const auto pause = pauses.next();
    REQUIRE(pause);
    CHECK(*pause == expected);
    sum += *pause;
  }
  CHECK_FALSE(pauses.next());
  CHECK_FALSE(pauses.next());
  CHECK(sum == 75s);
}

TEST_CASE("what a server asks for is kept within limits") {
  CHECK(RetryPauses(0ms).next() == 100ms);
  CHECK(RetryPauses(3s).next() == 3s);
  CHECK(RetryPauses(24h).next() == 15s);
}
