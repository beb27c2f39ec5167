// What a disk changed by itself is found, and nothing else is called damaged.
#include <unistd.h>
#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>

#include "codec/sha256.h"
#include "store/directory_store.h"
#include "support/bytes.h"
#include "support/store_files.h"

using namespace millrace;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kLarge = 6u << 20;

struct Fixture {
  Fixture() : folder(fs::temp_directory_path() / ("millrace-scrub-" + std::to_string(getpid()))) {
    fs::remove_all(folder);
    store = open_directory_store(folder, {Durability::kNone, SeededRandom(1), make_sha256, nullptr}).value();
    REQUIRE(test::put_file(*store, "a", test::random_bytes(100, 1)));
    REQUIRE(test::put_file(*store, "d/large", test::random_bytes(kLarge, 2)));
    REQUIRE(test::put_file(*store, "empty", {}));
    REQUIRE(store->flush());
  }
  ~Fixture() {
    store.reset();
    fs::remove_all(folder);
  }
  Scrub::Counts pass() {
    Scrub scrub = store->scrub({}, [this](const std::string& sentence) { sentences.push_back(sentence); });
    for (int steps = 0; scrub.passes() == 0; ++steps) {
      REQUIRE(steps < 1000);
      const auto rest = scrub.step();
      if (scrub.passes() == 0) rested += rest;
    }
    return scrub.counts();
  }
  fs::path folder;
  std::unique_ptr<LocalStore> store;
  std::vector<std::string> sentences;
  std::chrono::nanoseconds rested{0};
};

}  // namespace

TEST_CASE_METHOD(Fixture, "a pass reads everything at the rate that it may, and finds nothing wrong") {
  const auto counts = pass();
  CHECK(counts.files == 3);
  CHECK(counts.bytes == 100 + kLarge);
  CHECK(counts.damaged == 0);
  CHECK(counts.skipped == 0);
  CHECK(sentences.empty());
  const double seconds = static_cast<double>(kLarge) / (8 << 20);
  CHECK(std::chrono::duration<double>(rested).count() >= seconds);
  CHECK(std::chrono::duration<double>(rested).count() < seconds + 0.1);
}

TEST_CASE_METHOD(Fixture, "what other programs change or remove is not damage") {
  std::ofstream(folder / "files/a") << "theirs";
  fs::remove(folder / "files/d/large");
  const auto counts = pass();
  CHECK(counts.damaged == 0);
  CHECK(counts.skipped == 2);
  CHECK(counts.files == 1);
}

TEST_CASE_METHOD(Fixture, "a file that another program cuts while it is read is not damaged") {
  Scrub scrub = store->scrub({}, [this](const std::string& sentence) { sentences.push_back(sentence); });
  while (scrub.counts().bytes <= 100) (void)scrub.step();  // the first block of the large file
  fs::resize_file(folder / "files/d/large", 10);
  while (scrub.passes() == 0) (void)scrub.step();
  CHECK(scrub.counts().damaged == 0);
  CHECK(scrub.counts().skipped == 1);
  CHECK(sentences.empty());
}

TEST_CASE("content that changed while stat says the same is damage, with its place") {
  const fs::path folder = fs::temp_directory_path() / ("millrace-scrub-rot-" + std::to_string(getpid()));
  fs::remove_all(folder);
  fs::create_directories(folder);
  const DataFolder data = open_data_folder(folder).value();
  const Buffer content = test::random_bytes(300'000, 3);
  std::ofstream(folder / "files/f", std::ios::binary) << as_text(content);
  const ChunkList chunks = test::chunks_of(content);
  Digest root = build_tree(chunks, *make_sha256()).root;
  if (GENERATE(true, false)) root.bytes[0] ^= 1;
  const bool is_damaged = root != build_tree(chunks, *make_sha256()).root;
  std::vector<std::string> sentences;
  Scrub scrub({.disk = *data.disk,
               .hasher = make_sha256,
               .paths = [](const std::string& after, std::size_t) -> Result<std::vector<std::string>> {
                 return after.empty() ? std::vector<std::string>{"f", "gone"} : std::vector<std::string>{};
               },
               .root_of = [&](const std::string&, const FileStat&) { return std::optional<Digest>(root); },
               .first_difference = [](const Digest&, const ChunkList&) { return std::uint64_t{4711}; },
               .report = [&](const std::string& sentence) { sentences.push_back(sentence); }},
              {});
  while (scrub.passes() == 0) (void)scrub.step();
  CHECK(scrub.counts().damaged == (is_damaged ? 1 : 0));
  CHECK(scrub.counts().files == (is_damaged ? 0 : 1));
  CHECK(scrub.counts().skipped == 1);
  REQUIRE(sentences.size() == (is_damaged ? 1 : 0));
  if (is_damaged) CHECK(sentences[0].find("'f' is damaged: its content changed near byte 4711") == 0);
  fs::remove_all(folder);
}
