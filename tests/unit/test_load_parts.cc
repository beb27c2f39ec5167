// load/load_parts: a run on several loops is shared out and put together without loss.
#include "load/load_parts.h"

#include <catch2/catch.hpp>

using namespace millrace;

SCENARIO("the parts of a run are the whole of it, each client once") {
  for (const std::uint32_t loops : {1u, 2u, 3u, 7u}) {
    for (const std::uint64_t transfers : {1u, 10u, 43u, 1000u}) {
      LoadOptions options;
      options.clients = 10;
      options.slow_clients = 5;
      options.loops = loops;
      options.transfers = transfers;
      options.rate = 100;
      std::uint32_t clients = 0;
      std::uint32_t slow = 0;
      std::uint64_t sum = 0;
      double rate = 0;
      for (std::uint32_t number = 0; number < loops; ++number) {
        const LoadPart part = part_of(options, number);
        REQUIRE(part.first_client == clients);
        REQUIRE(part.options.clients > 0);
        clients += part.options.clients;
        slow += part.options.slow_clients;
        sum += *part.options.transfers;
        rate += part.options.rate;
      }
      REQUIRE(clients == 10);
      REQUIRE(slow == 5);
      REQUIRE(sum == transfers);
      REQUIRE(rate == Approx(100));
    }
  }
}

SCENARIO("what parts measured adds up, and what they shared does not") {
  LoadOutcome part;
  RunTally run;
  run.seconds = 2;
  run.sent_bytes = 10;
  run.generator.cpu_seconds = 3;
  run.per_second.resize(2);
  run.per_second[1].transfers = 5;
  run.operations[Operation::kList].transfers = 5;
  run.operations[Operation::kList].latency.record(7);
  part.runs.push_back(run);
  part.verify.emplace().checked = 4;
  LoadOutcome longer = part;
  longer.runs[0].seconds = 3;
  longer.runs[0].per_second.resize(3);
  const LoadOutcome all = together({part, longer});
  REQUIRE(all.runs.size() == 1);
  const RunTally& sum = all.runs[0];
  CHECK(sum.seconds == 3);
  CHECK(sum.sent_bytes == 20);
  CHECK(sum.generator.cpu_seconds == 3);
  CHECK(sum.per_second.size() == 3);
  CHECK(sum.per_second[1].transfers == 10);
  CHECK(sum.operations.at(Operation::kList).transfers == 10);
  CHECK(sum.operations.at(Operation::kList).latency.count() == 2);
  CHECK(all.verify->checked == 8);
}
