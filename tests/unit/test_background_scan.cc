#include <sys/stat.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>

#include "codec/sha256.h"
#include "store/chores.h"
#include "store/directory_store.h"
#include "support/bytes.h"
#include "support/store_files.h"

using namespace millrace;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

struct Fixture {
  Fixture() : folder(fs::temp_directory_path() / ("millrace-scan-" + std::to_string(getpid()))) {
    fs::remove_all(folder);
    auto opened =
        open_directory_store(folder, {Durability::kNone, SeededRandom(1), make_sha256, [this] { return now; }});
    REQUIRE(opened);
    store = std::move(*opened);
  }
  ~Fixture() {
    store.reset();
    fs::remove_all(folder);
  }
  void write(const std::string& path, const Buffer& content) const {
    fs::create_directories((folder / "files" / path).parent_path());
    std::ofstream(folder / "files" / path, std::ios::binary) << as_text(content);
  }
  /// Steps until a pass is over; how long it rested.
  static std::chrono::nanoseconds run_pass(BackgroundScan& scan) {
    const auto passes = scan.passes();
    std::chrono::nanoseconds rested{0};
    for (int steps = 0; steps < 100'000; ++steps) {
      const auto rest = scan.step();
      if (scan.passes() != passes) return rested;
      rested += rest;
    }
    FAIL("the pass never ends");
    return rested;
  }
  /// Path, and whether there is a version of it rather than a tombstone.
  std::map<std::string, bool> changes(std::uint64_t since = 0) const {
    std::map<std::string, bool> found;
    const auto list = store->changes({}, since, 1000).value();
    for (const Change& change : list) found[change.path] = change.version.has_value();
    return found;
  }
  std::uint64_t last_sequence() const {
    const auto list = store->changes({}, 0, 1000).value();
    return list.empty() ? 0 : list.back().sequence;
  }

  fs::path folder;
  /// In the year 2100: whatever was written now lies long behind.
  std::int64_t now = 4'102'444'800'000'000'000;
  std::unique_ptr<LocalStore> store;
};

}  // namespace

TEST_CASE_METHOD(Fixture, "changes tell what other programs did, before anybody asks for the file") {
  REQUIRE(test::put_file(*store, "kept", test::random_bytes(1000, 1)));
  REQUIRE(test::put_file(*store, "d/changed", test::random_bytes(1000, 2)));
  REQUIRE(test::put_file(*store, "d/gone", test::random_bytes(1000, 3)));
  REQUIRE(test::put_file(*store, "tree/gone", test::random_bytes(1000, 4)));
  REQUIRE(test::put_file(*store, "folder-now", test::random_bytes(1000, 5)));
  REQUIRE(test::put_file(*store, "link/behind", test::random_bytes(1000, 6)));
  const std::uint64_t since = last_sequence();
  write("d/changed", test::random_bytes(2000, 7));
  write("new/deep/file", test::random_bytes(300'000, 8));
  fs::remove(folder / "files/d/gone");
  fs::remove_all(folder / "files/tree");
  fs::remove(folder / "files/folder-now");
  fs::create_directory(folder / "files/folder-now");
  fs::remove_all(folder / "files/link");
  fs::create_directory_symlink(folder / "files/d", folder / "files/link");
  REQUIRE(mkfifo((folder / "files/pipe").c_str(), 0600) == 0);
  BackgroundScan scan = store->scan({});
  run_pass(scan);
  const std::map<std::string, bool> expected{{"d/changed", true},  {"new/deep/file", true}, {"d/gone", false},
                                             {"tree/gone", false}, {"folder-now", false},   {"link/behind", false}};
  CHECK(changes(since) == expected);
  const std::uint64_t then = last_sequence();
  CHECK(store->verify({}, "new/deep/file"));
  run_pass(scan);
  CHECK(last_sequence() == then);
}

TEST_CASE_METHOD(Fixture, "a scan looks at no more names and reads no more bytes in a second than it may") {
  for (int i = 0; i < 300; ++i)
    REQUIRE(test::put_file(*store, "f" + std::to_string(i), test::random_bytes(10, static_cast<std::uint64_t>(i))));
  ScanLimits limits;
  limits.entries_per_second = 100;
  limits.bytes_per_second = 1u << 20;
  BackgroundScan scan = store->scan(limits);
  // 300 names and 300 rows; the last step's rest belongs to the pause between passes.
  const auto rested = run_pass(scan);
  CHECK(rested >= 5900ms);
  CHECK(rested < 7s);
  write("large", test::random_bytes(10u << 20, 1));
  CHECK(run_pass(scan) >= rested + 10s);
  CHECK(store->changes({}, 0, 1000).value().back().path == "large");
  limits.interval = 17s;
  BackgroundScan other = store->scan(limits);
  for (;;) {
    const auto rest = other.step();
    if (other.passes() == 0) continue;
    CHECK(rest == 17s);
    break;
  }
}

TEST_CASE_METHOD(Fixture, "a file that is changed while the scan reads it gets no wrong root") {
  write("f", test::random_bytes(9u << 20, 1));
  BackgroundScan scan = store->scan({});
  const auto step_until_reading = [&] {
    while (scan.step() < 200ms) REQUIRE(scan.passes() == 0);
  };
  step_until_reading();
  const bool replaced = GENERATE(false, true);
  const Buffer other = test::random_bytes(9u << 20, 2);
  if (replaced) {
    write("other", other);
    fs::rename(folder / "files/other", folder / "files/f");
  } else {
    write("f", other);
  }
  run_pass(scan);
  CHECK_FALSE(changes().contains("f"));
  run_pass(scan);
  CHECK(changes().contains("f"));
  CHECK(store->verify({}, "f"));
}

TEST_CASE("chores run when they are due and end at once") {
  std::atomic<int> often{0};
  std::atomic<int> rarely{0};
  {
    Chores chores;
    chores.add(
        [&]() -> std::chrono::nanoseconds {
          ++often;
          return 1ms;
        },
        0s);
    chores.add(
        [&]() -> std::chrono::nanoseconds {
          ++rarely;
          return 24h;
        },
        2ms);
    chores.add([&]() -> std::chrono::nanoseconds { return 1h; }, 24h);
    chores.start();
    while (often < 5 || rarely == 0) std::this_thread::sleep_for(1ms);
  }
  CHECK(rarely == 1);
  const int then = often;
  std::this_thread::sleep_for(5ms);
  CHECK(often == then);
}
