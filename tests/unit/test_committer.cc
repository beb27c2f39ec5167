// Groups of commits, by hand: several paths in one transaction, some of them refused, and a crash at each operation.
#include <unistd.h>
#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <thread>

#include "store/committer.h"
#include "store/directory_store.h"
#include "store/recovery.h"
#include "support/bytes.h"
#include "support/faulty_disk.h"
#include "support/store_files.h"

using namespace millrace;
using test::Faults;
namespace fs = std::filesystem;

namespace {

constexpr int kFiles = 6;  ///< every other one too large for the row

Buffer content_of(int i) {
  return test::random_bytes(i % 2 == 0 ? 400 : 40'000, static_cast<std::uint64_t>(i) + 1);
}

std::string path_of(int i) {
  return "folder" + std::to_string(i / 2) + "/f" + std::to_string(i);
}

struct Fixture {
  Fixture() : folder(in_memory() / ("millrace-committer-" + std::to_string(getpid()))) {}
  static fs::path in_memory() { return fs::is_directory("/dev/shm") ? "/dev/shm" : fs::temp_directory_path(); }
  ~Fixture() { close(); }
  void close() {
    committer.reset();
    versions.reset();
    parts.reset();
    fs::remove_all(folder);
  }
  void open_empty() {
    close();
    faults = std::make_shared<Faults>();
    parts = std::make_shared<StoreParts>();
    parts->folder = open_data_folder(folder).value();
    parts->folder.disk = std::make_unique<test::FaultyDisk>(std::move(parts->folder.disk), faults);
    parts->hasher = make_sha256;
    parts->partials = std::make_unique<PartialUploads>(
        parts->disk(), parts->files, [] { return std::int64_t{0}; }, PartialLimits{});
    parts->catalogue = Catalogue::open(folder / "catalogue.sqlite", 7).value();
    REQUIRE(note_start(*parts, {}, 1));
    versions.emplace(*parts, [] { return std::int64_t{0}; });
    committer.emplace(*parts, *versions, Committer::Due{});
  }
  ReadyDraft ready(const std::string& path, const Buffer& content, Expected expected, std::vector<std::string>& told) {
    Disk& disk = parts->disk();
    ReadyDraft draft;
    draft.path = path;
    draft.expected = expected;
    draft.staged = "draft" + std::to_string(next++);
    const File file = disk.create({Area::kStaging, draft.staged}).value();
    REQUIRE(disk.pwrite(file, content, 0));
    REQUIRE(disk.set_attributes(file, 0644, 1'000'000'000));
    if (content.size() <= kMaxContentInRow) {
      draft.content = content;
    } else {
      REQUIRE(disk.fsync(file));
    }
    draft.stat = disk.stat_file(file).value();
    draft.root = build_tree(test::chunks_of(content), *make_sha256()).root;
    draft.attributes = {1'000'000'000, 0644};
    draft.superseded = std::make_shared<std::atomic<bool>>(false);
    draft.done = [&told, path](const Result<Version>& version) { told.push_back(version ? path : "not " + path); };
    return draft;
  }
  std::vector<ReadyDraft> group(std::vector<std::string>& told) {
    std::vector<ReadyDraft> drafts;
    for (int i = 0; i < kFiles; ++i) drafts.push_back(ready(path_of(i), content_of(i), {}, told));
    return drafts;
  }
  fs::path folder;
  int next = 0;
  std::shared_ptr<Faults> faults;
  std::shared_ptr<StoreParts> parts;
  std::optional<CurrentVersions> versions;
  std::optional<Committer> committer;
};

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE_METHOD(Fixture, "a group costs one transaction and one flush of a folder, and its checkpoint one more") {
  open_empty();
  std::vector<std::string> told;
  auto drafts = group(told);
  std::map<std::string, int> counts;
  faults->before = [&](std::string_view operation) { ++counts[std::string(operation)]; };
  committer->commit(std::move(drafts));
  CHECK(told.size() == kFiles);
  CHECK(counts["transaction"] == 1);
  CHECK(counts["fsync"] == 0);
  CHECK(counts["fsync_folder"] == 1);  // of staging
  CHECK(counts["rename"] == kFiles);
  counts.clear();
  REQUIRE(committer->checkpoint());
  CHECK(counts["transaction"] == 1);
  CHECK(counts["fsync"] == kFiles / 2);    // those whose content is in the row
  CHECK(counts["fsync_folder"] == 3 + 1);  // theirs and the root, which has their names
  CHECK(parts->catalogue->pending().value().empty());
  counts.clear();
  REQUIRE(committer->checkpoint());
  CHECK(counts.empty());
}

TEST_CASE_METHOD(Fixture, "one draft's refusal leaves the others of its group alone") {
  open_empty();
  std::vector<std::string> told;
  std::vector<ReadyDraft> first;
  first.push_back(ready("taken", content_of(0), {}, told));
  committer->commit(std::move(first));
  told.clear();
  std::vector<ReadyDraft> drafts;
  drafts.push_back(ready("new", content_of(2), {Expected::Kind::kNone, {}}, told));
  drafts.push_back(ready("taken", content_of(3), {Expected::Kind::kNone, {}}, told));
  drafts.push_back(ready("taken/below", content_of(4), {}, told));
  auto superseded = ready("superseded", content_of(5), {}, told);
  superseded.superseded = std::make_shared<std::atomic<bool>>(true);
  drafts.push_back(std::move(superseded));
  drafts.push_back(ready("other", content_of(6), {}, told));
  committer->commit(std::move(drafts));
  std::sort(told.begin(), told.end());
  CHECK(told == std::vector<std::string>{"new", "not superseded", "not taken", "not taken/below", "other"});
  CHECK(read_file(folder / "files/taken") == as_text(content_of(0)));
  CHECK(test::staged_files(folder) == 0);
}

TEST_CASE_METHOD(Fixture,
                 "after a crash at any operation of a group or its checkpoint each file is whole or not there") {
  for (const bool power : {false, true}) {
    for (std::size_t at = 0;; ++at) {
      INFO("operation " << at << (power ? " with a power cut" : ""));
      open_empty();
      std::vector<std::string> told;
      auto drafts = group(told);
      faults->arm(Faults::Kind::kCrash, at);
      committer->commit(std::move(drafts));
      (void)committer->checkpoint();
      const bool hit = faults->hit;
      if (power) faults->cut_power();
      committer.reset();
      versions.reset();
      parts.reset();
      const std::uint64_t boot = power ? 2 : 1;
      auto store = open_directory_store(
          folder, {Durability::kFull, SeededRandom(at + 1), make_sha256, nullptr, nullptr, boot, Committing::kInline});
      REQUIRE(store);
      CHECK(test::staged_files(folder) == 0);
      for (int i = 0; i < kFiles; ++i) {
        const std::string path = path_of(i);
        INFO(path);
        const auto found = (*store)->lookup({}, path).value();
        if (std::find(told.begin(), told.end(), path) != told.end()) REQUIRE(found);
        CHECK(found.has_value() == fs::exists(folder / "files" / path));
        if (found) CHECK(read_file(folder / "files" / path) == as_text(content_of(i)));
      }
      if (!hit) {
        CHECK(told.size() == kFiles);
        break;
      }
      REQUIRE(at < 200);
    }
  }
}

TEST_CASE_METHOD(Fixture, "many threads commit to many paths, and to the same one") {
  auto store = open_directory_store(folder, {Durability::kFull, SeededRandom(1), make_sha256, nullptr});
  REQUIRE(store);
  std::atomic<int> failed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        const std::string path = i % 4 == 0 ? "shared" : "d" + std::to_string(t) + "/" + std::to_string(i);
        if (!test::put_file(**store, path, test::random_bytes(1'000, static_cast<std::uint64_t>(t * 100 + i))))
          ++failed;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failed == 0);
  REQUIRE((*store)->flush());
  CHECK(test::staged_files(folder) == 0);
  CHECK((*store)->list({}, "", Recursive::kYes, "", 1000).value().entries.size() == 8 * 15 + 8 + 1);
  CHECK((*store)->verify({}, "shared"));
}
