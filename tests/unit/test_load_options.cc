// load/load_options and load/threshold: what a run may be asked for.
#include "load/load_options.h"

#include <catch2/catch.hpp>

#include "base/units.h"

using namespace millrace;

namespace {

LoadCommand parse(std::vector<std::string> words) {
  words.insert(words.begin(), {"millrace-load", "run", "--url", "millrace://127.0.0.1:5000"});
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  return parse_load_command(static_cast<int>(pointers.size()), pointers.data());
}

LoadOptions parsed(const std::vector<std::string>& words) {
  const LoadCommand command = parse(words);
  REQUIRE(std::holds_alternative<LoadOptions>(command));
  return std::get<LoadOptions>(command);
}

}  // namespace

SCENARIO("a run with nothing said changes one file a client") {
  const LoadOptions options = parsed({"--clients", "7"});
  REQUIRE(options.operation == Operation::kUploadDelta);
  REQUIRE(options.model == Model::kClosed);
  REQUIRE(options.transfers == 7u);
  REQUIRE_FALSE(options.measure);
  REQUIRE(options.size.least == 64 * kKiB);
  REQUIRE(options.edits.edits == 2);
  REQUIRE(options.edits.edit_bytes == 256);
}

SCENARIO("a run may be bounded by time instead, and idle clients always are") {
  const LoadOptions timed = parsed({"--measure", "1.5m", "--warmup", "500ms", "--ramp", "3"});
  REQUIRE_FALSE(timed.transfers);
  REQUIRE(timed.measure->count() == 90);
  REQUIRE(timed.warmup.count() == 0.5);
  REQUIRE(timed.ramp.count() == 3);
  REQUIRE(parsed({"--op", "idle"}).measure->count() == 10);
  REQUIRE(parsed({"--op", "idle", "--duration", "2s"}).measure->count() == 2);
}

SCENARIO("what cannot be meant is refused with 2") {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"--clients", "0"},
           {"--clients", "ten"},
           {"--transfers", "0"},
           {"--op", "fly"},
           {"--model", "open"},
           {"--rate", "5"},
           {"--mix", "upload=1"},
           {"--op", "mixed", "--mix", "upload"},
           {"--op", "mixed", "--mix", "idle=1"},
           {"--op", "mixed", "--mix", "upload=0"},
           {"--op", "idle", "--transfers", "5"},
           {"--op", "idle", "--find-max", "p99<1s"},
           {"--find-max", "p99"},
           {"--find-max", "p99<1s", "--repeat", "2"},
           {"--find-max", "p99<1s", "--transfers", "5"},
           {"--find-max", "lost<1"},
           {"--find-max", "p99<1s", "--loops", "2"},
           {"--clients", "2", "--loops", "3"},
           {"--size", "0"},
           {"--size", "2KiB..1KiB"},
           {"--size", "big"},
           {"--size", "256", "--edits", "2"},
           {"--edit-size", "0"},
           {"--change", "rename"},
           {"--measure", "0s"},
           {"--measure", "-1s"},
           {"--measure", "9999h"},
           {"--threshold", "p99"},
           {"--threshold", "p98<1s"},
           {"--threshold", "p99<1s,"},
           {"--threshold", "errors<x%"},
           {"--url", "http://127.0.0.1:5000"},
       }) {
    CAPTURE(words);
    const LoadCommand command = parse(words);
    REQUIRE(std::holds_alternative<int>(command));
    REQUIRE(std::get<int>(command) == 2);
  }
}

SCENARIO("thresholds have a metric, a direction and a limit in its unit") {
  const auto thresholds = parse_thresholds("p99<200ms,errors<0.1%,errors<3,throughput>10MiB,rate>500");
  REQUIRE(thresholds);
  REQUIRE(thresholds->size() == 5);
  REQUIRE((*thresholds)[0].metric == Threshold::Metric::kP99);
  REQUIRE((*thresholds)[0].limit == Approx(0.2));
  REQUIRE((*thresholds)[1].metric == Threshold::Metric::kErrorShare);
  REQUIRE((*thresholds)[1].limit == Approx(0.001));
  REQUIRE((*thresholds)[2].metric == Threshold::Metric::kErrors);
  REQUIRE((*thresholds)[2].limit == 3);
  REQUIRE((*thresholds)[3].relation == Threshold::Relation::kAbove);
  REQUIRE((*thresholds)[3].limit == 10.0 * kMiB);
  REQUIRE((*thresholds)[4].text == "rate>500");
}

SCENARIO("sizes from a range are the same for the same seed, and within it") {
  const auto range = parse_size_range("4KiB..1GiB:log");
  REQUIRE(range);
  std::uint64_t small = 0;
  for (std::uint32_t client = 0; client < 1000; ++client) {
    const std::uint64_t bytes = range->of(5, client);
    REQUIRE(bytes >= 4 * kKiB);
    REQUIRE(bytes <= kGiB);
    REQUIRE(bytes == range->of(5, client));
    if (bytes < 2 * kMiB) ++small;  // half of the way from 4 KiB to 1 GiB, on a logarithmic scale
  }
  REQUIRE(small > 400);
  REQUIRE(small < 600);
  REQUIRE(range->of(5, 0) != range->of(6, 0));
}

SCENARIO("the highest rate is looked for in the open model, a while each") {
  const LoadOptions options = parsed({"--find-max", "p99<200ms,errors<0.1%"});
  REQUIRE(options.find_max.size() == 2);
  REQUIRE(options.model == Model::kOpen);
  REQUIRE(options.rate > 0);
  REQUIRE(options.measure->count() == 5);
  REQUIRE_FALSE(options.transfers);
  REQUIRE(parsed({"--find-max", "p99<1s", "--rate", "7", "--measure", "2s"}).rate == 7);
}
