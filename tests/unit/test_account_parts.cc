// The small parts of accounts: a token's text, the delays of failures, a limited rate.
#include <catch2/catch.hpp>

#include "base/token_bucket.h"
#include "server/attempt_delays.h"
#include "server/token.h"

using namespace millrace;
using namespace std::chrono_literals;

TEST_CASE("a token's text reads back, and only that one text does") {
  const auto token = make_token();
  REQUIRE(token);
  const std::string text = token->text();
  const auto again = parse_token(text);
  REQUIRE(again);
  CHECK(again->id == token->id);
  CHECK(same_secret(again->secret_hash(), token->secret_hash()));
  CHECK_FALSE(same_secret(make_token()->secret_hash(), token->secret_hash()));
  for (std::size_t i = 0; i < text.size(); ++i) {
    CHECK_FALSE(parse_token(text.substr(0, i)));
    std::string changed = text;
    changed[i] = '!';
    CHECK_FALSE(parse_token(changed));
  }
  CHECK_FALSE(parse_token(text + "A"));
  // The last digit carries four bits; what is left of it must be 0.
  CHECK_FALSE(parse_token(text.substr(0, text.size() - 1) + "B"));
}

TEST_CASE("answers to failures come later and later, by address, and the table is bounded") {
  AttemptDelays delays;
  CHECK(delays.failed("a", 1000) == 100ms);
  CHECK(delays.failed("a", 1001) == 200ms);
  CHECK(delays.failed("b", 1001) == 100ms);
  for (int i = 0; i < 100; ++i) CHECK(delays.failed("a", 1002) <= AttemptDelays::kMost);
  CHECK(delays.failed("a", 1002) == AttemptDelays::kMost);
  CHECK(delays.failed("a", 1002 + AttemptDelays::kForgottenAfterMs) == 100ms);
  for (int i = 0; i < 10'000; ++i) delays.failed(std::to_string(i), 2'000'000);
  CHECK(delays.addresses() <= AttemptDelays::kMostAddresses);
}

TEST_CASE("a bucket lets a second's worth through at once and then its rate") {
  TokenBucket bucket;
  CHECK(bucket.take(1000, 1000, 0ns) == 0ns);
  CHECK(bucket.take(1000, 500, 0ns) == 500ms);
  CHECK(bucket.take(1000, 0, 500ms) == 0ns);
  CHECK(bucket.take(1000, 1000, 100s) == 0ns);
  CHECK(bucket.take(1000, 1, 100s) == 1ms);
  CHECK(bucket.take(0, 1'000'000, 100s) == 0ns);
}
