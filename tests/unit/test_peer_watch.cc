#include "base/peer_watch.h"

#include <catch2/catch.hpp>

using namespace millrace;

namespace {

/// The second at which a peer is given up that moves `rate` bytes a second, or 0 when it never is.
std::uint64_t given_up_at(const PeerRules& rules, std::uint64_t rate, bool waits, bool idle = false) {
  PeerWatch watch;
  for (std::uint64_t second = 0; second < 1000; ++second) {
    const auto error = watch.look(rules, second * 1000, {waits, idle, rate * second});
    if (!error) continue;
    CHECK(error->code == Code::kTooSlow);
    CHECK_FALSE(error->sentence.empty());
    return second;
  }
  return 0;
}

}  // namespace

SCENARIO("a peer that holds something and moves too little is given up after the window") {
  const PeerRules rules;
  CHECK(given_up_at(rules, 0, true) == 30);
  CHECK(given_up_at(rules, 1023, true) == 30);
  CHECK(given_up_at(rules, 1024, true) == 0);
}

SCENARIO("a peer that is not waited for may take its time") {
  CHECK(given_up_at(PeerRules{}, 0, false) == 0);
  CHECK(given_up_at(PeerRules{}, 0, false, true) == 0);
}

SCENARIO("the window begins again where the peer was not waited for in between") {
  PeerWatch watch;
  const PeerRules rules;
  for (std::uint64_t second = 0; second < 200; ++second)
    REQUIRE_FALSE(watch.look(rules, second * 1000, {second % 20 != 0, false, 0}));
}

SCENARIO("a peer that was fast once is measured anew") {
  PeerWatch watch;
  const PeerRules rules;
  std::uint64_t second = 0;
  for (; second <= 30; ++second) REQUIRE_FALSE(watch.look(rules, second * 1000, {true, false, second * 100'000}));
  for (; second < 60; ++second) REQUIRE_FALSE(watch.look(rules, second * 1000, {true, false, 3'000'000}));
  CHECK(watch.look(rules, second * 1000, {true, false, 3'000'000}));
}

SCENARIO("without a minimum rate nobody is too slow, and with an idle limit idling ends") {
  PeerRules rules;
  rules.min_rate = 0;
  CHECK(given_up_at(rules, 0, true) == 0);
  rules.idle_seconds = 7;
  CHECK(given_up_at(rules, 0, false, true) == 7);
  CHECK(given_up_at(rules, 0, false, false) == 0);
}
