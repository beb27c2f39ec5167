// client/progress_meter and client/progress_display: arithmetic and the line, driven with a time of the test's own.
#include <catch2/catch.hpp>

#include "client/progress_display.h"

using namespace millrace;
using namespace std::chrono_literals;

namespace {

const ProgressMeter::Time kStart{};

}  // namespace

SCENARIO("progress never runs backwards") {
  GIVEN("a file of 1000 bytes that is hashed and then sent") {
    ProgressMeter meter;
    meter.plan({1000});
    unsigned before = 0;
    const auto check = [&](const char* phase, std::uint64_t done) {
      meter.update(0, {phase, done, 1000});
      const unsigned now = meter.sample(kStart, 0).percent;
      REQUIRE(now >= before);
      before = now;
    };
    WHEN("it is hashed, sent in part, and tried again from the start") {
      for (std::uint64_t done = 0; done <= 1000; done += 100) check("hashing", done);
      REQUIRE(before == 50);
      for (std::uint64_t done = 0; done <= 600; done += 100) check("sending", done);
      REQUIRE(before == 80);
      for (std::uint64_t done = 0; done <= 1000; done += 100) check("hashing", done);
      REQUIRE(before == 80);
      THEN("100 percent waits for the last file to be done") {
        check("sending", 1000);
        REQUIRE(before == 99);
        meter.file_done(0);
        REQUIRE(meter.sample(kStart, 0).percent == 100);
      }
    }
  }
  GIVEN("two downloads, whose sizes are learnt on the way") {
    ProgressMeter meter;
    meter.plan({0, 0});
    meter.update(0, {"receiving", 900, 1000});
    const unsigned before = meter.sample(kStart, 0).percent;
    WHEN("the second turns out to be larger") {
      meter.update(1, {"receiving", 0, 100'000});
      THEN("the percentage stays where it was") {
        REQUIRE(meter.sample(kStart, 0).percent >= before);
      }
    }
  }
}

SCENARIO("a run of empty files counts files") {
  ProgressMeter meter;
  meter.plan({0, 0, 0, 0});
  meter.file_done(2);
  meter.file_done(2);
  const ProgressSnapshot now = meter.sample(kStart, 0);
  REQUIRE(now.files_done == 1);
  REQUIRE(now.percent == 25);
}

SCENARIO("rate and time left come from the last five seconds") {
  ProgressMeter meter;
  meter.plan({1000});
  REQUIRE_FALSE(meter.sample(kStart, 0).left);
  for (int second = 1; second <= 10; ++second) {
    meter.update(0, {"sending", static_cast<std::uint64_t>(second) * 10, 1000});
    (void)meter.sample(kStart + std::chrono::seconds(second), static_cast<std::uint64_t>(second) * 100);
  }
  WHEN("it goes ten times as fast for five seconds") {
    ProgressSnapshot now;
    for (int second = 1; second <= 5; ++second) {
      meter.update(0, {"sending", 100 + static_cast<std::uint64_t>(second) * 100, 1000});
      now = meter.sample(kStart + std::chrono::seconds(10 + second), 1000 + static_cast<std::uint64_t>(second) * 1000);
    }
    THEN("what was before does not count any more") {
      REQUIRE(now.bytes_per_second == 1000);
      REQUIRE(now.left == 4s);
    }
  }
}

SCENARIO("while it hashes the rate is that of the hashing") {
  ProgressMeter meter;
  meter.plan({1'000'000});
  (void)meter.sample(kStart, 0);
  meter.update(0, {"hashing", 500'000, 1'000'000});
  const ProgressSnapshot now = meter.sample(kStart + 1s, 40);
  REQUIRE(now.phase == "hashing");
  REQUIRE(now.bytes_per_second == 500'000);
  REQUIRE(now.wire_bytes == 40);
}

SCENARIO("the line names phase, files, percent, bytes on the wire, rate and time left, and fits the terminal") {
  ProgressSnapshot now;
  now.phase = "sending";
  now.files_done = 3;
  now.files = 10;
  now.percent = 45;
  now.wire_bytes = 1536;
  now.bytes_per_second = 1024 * 1024;
  now.left = 3725s;
  REQUIRE(progress_line(now, 0) == "sending  files 3/10  45 %  1.5 KiB on the wire  1.0 MiB/s  1:02:05 left");
  REQUIRE(progress_line(now, 20).size() == 19);
}
