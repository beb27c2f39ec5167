// What was replaced or deleted stays for a while, and comes back.
#include <unistd.h>
#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <future>
#include <set>

#include "base/timestamp.h"
#include "codec/sha256.h"
#include "store/directory_store.h"
#include "support/bytes.h"
#include "support/store_files.h"

using namespace millrace;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kDay = 24 * 3600 * kSecond;
constexpr std::int64_t kStart = 1'795'000'000 * kSecond;

struct Fixture {
  Fixture() : folder(fs::temp_directory_path() / ("millrace-trash-" + std::to_string(getpid()))) {
    fs::remove_all(folder);
    open({});
  }
  ~Fixture() {
    store.reset();
    fs::remove_all(folder);
  }
  void open(const TrashLimits& limits, Durability durability = Durability::kFull) {
    store.reset();
    StoreOptions options{durability, SeededRandom(seed++), make_sha256, [this] { return now; }};
    options.trash = limits;
    store = open_directory_store(folder, std::move(options)).value();
  }
  void put(const std::string& path, const Buffer& content) {
    REQUIRE(test::put_file(*store, path, content));
    now += kSecond;
  }
  std::vector<TrashedEntry> listed(const std::string& path = "") {
    return store->list_trash({}, path, "", 1000).value().entries;
  }
  std::size_t files_in_trash() {
    const fs::recursive_directory_iterator all(folder / "trash");
    return static_cast<std::size_t>(
        std::count_if(begin(all), end(all), [](const auto& entry) { return entry.is_regular_file(); }));
  }
  fs::path folder;
  std::uint64_t seed = 1;
  std::int64_t now = kStart;
  std::unique_ptr<LocalStore> store;
};

}  // namespace

TEST_CASE("a name in the trash gives its path and time back") {
  for (const std::string path : {"a", "folder/a", "a~b", "folder/a~2026-11-27T19:00:00.123456789Z"}) {
    const TrashedName name{path, kStart + 123'456'789};
    CHECK(parse_trashed_path(trashed_path(name)) == name);
  }
  for (const std::string other : {"", "a", "~2026-11-27T19:00:00.123456789Z", "a~2026-11-31T19:00:00.123456789Z",
                                  "a~2026-11-27T19:00:00.12345678Z", "a-2026-11-27T19:00:00.123456789Z"})
    CHECK_FALSE(parse_trashed_path(other));
  const std::string longest = "folder/" + std::string(255, 'n');
  CHECK(trashed_path({longest, kStart}).size() == longest.size());
  for (const std::int64_t ns : {std::int64_t{0}, kStart, kStart + 1, kStart - 1})
    CHECK(parse_timestamp(format_timestamp(ns)) == ns);
}

TEST_CASE_METHOD(Fixture, "what is replaced or deleted can be listed and restored") {
  const Buffer first = test::random_bytes(50'000, 1);
  const Buffer second = test::random_bytes(300'000, 2);
  put("d/f", first);
  put("d/f", second);
  auto trashed = listed();
  REQUIRE(trashed.size() == 1);
  CHECK(trashed[0].entry.path == "d/f");
  CHECK(trashed[0].entry.version.bytes == first.size());
  CHECK(trashed[0].entry.version.attributes == Attributes{kSecond, 0640});
  const std::int64_t replaced_at = trashed[0].trashed_ns;
  now += kSecond;
  REQUIRE(store->remove({}, "d/f", Recursive::kNo, {}));
  CHECK_FALSE(store->lookup({}, "d/f").value());
  CHECK(listed("d").size() == 2);
  CHECK(listed("d/f").size() == 2);
  CHECK(listed("d/g").empty());
  CHECK(listed("elsewhere").empty());

  SECTION("the last one, where it was") {
    const auto version = store->restore({}, "d/f", 0, "d/f", Force::kNo);
    REQUIRE(version);
    CHECK(version->attributes == Attributes{kSecond, 0640});
    CHECK((test::stored_file(folder, "d/f") == second));
    CHECK(store->lookup({}, "d/f").value()->token == version->token);
    CHECK(listed().size() == 1);
  }
  SECTION("an older one, elsewhere, and after a restart") {
    open({});
    const auto version = store->restore({}, "d/f", replaced_at, "new/place", Force::kNo);
    REQUIRE(version);
    CHECK((test::stored_file(folder, "new/place") == first));
    CHECK(store->lookup({}, "new/place").value()->token == version->token);
    CHECK(store->restore({}, "d/f", replaced_at, "again", Force::kNo).error().code == Code::kNotFound);
  }
  SECTION("never over another file without force, which then goes to the trash") {
    put("d/f", first);
    CHECK(store->restore({}, "d/f", 0, "d/f", Force::kNo).error().code == Code::kConflict);
    CHECK(listed().size() == 2);
    REQUIRE(store->restore({}, "d/f", 0, "d/f", Force::kYes));
    CHECK((test::stored_file(folder, "d/f") == second));
    CHECK(listed().size() == 2);
  }
  SECTION("what is restored is no change of another program's") {
    const auto version = store->restore({}, "d/f", 0, "d/f", Force::kNo);
    REQUIRE(store->flush());
    const auto changes = store->changes({}, version->token.sequence, 10).value();
    CHECK(store->lookup({}, "d/f").value()->token == version->token);
    CHECK(changes.empty());
  }
}

TEST_CASE_METHOD(Fixture, "of two restores of one version at once the second finds nothing") {
  for (int round = 0; round < 20; ++round) {
    put("f", test::random_bytes(3'000'000, 1));
    REQUIRE(store->remove({}, "f", Recursive::kNo, {}));
    const auto restore = [&](const char* to) { return store->restore({}, "f", 0, to, Force::kYes).has_value(); };
    auto other = std::async(std::launch::async, restore, "a");
    const bool here = restore("b");
    CHECK(other.get() != here);
    (void)store->remove({}, "a", Recursive::kNo, {});
    (void)store->remove({}, "b", Recursive::kNo, {});
    now += kSecond;
  }
}

TEST_CASE_METHOD(Fixture, "what a crash left both restored and in the trash only leaves the trash") {
  const Buffer content = test::random_bytes(50'000, 1);
  put("d/f", content);
  REQUIRE(store->flush());
  const TrashedName name{"d/f", now};
  fs::create_directory(folder / "trash/d");
  fs::create_hard_link(folder / "files/d/f", folder / "trash" / trashed_path(name));
  const auto before = store->lookup({}, "d/f").value();
  const auto version = store->restore({}, "d/f", 0, "d/f", GENERATE(Force::kYes, Force::kNo));
  REQUIRE(version);
  CHECK(version->token.root == before->token.root);
  CHECK(listed().empty());
  CHECK(test::stored_file(folder, "d/f") == content);
  CHECK(fs::hard_link_count(folder / "files/d/f") == 1);
}

TEST_CASE_METHOD(Fixture, "deleted folders, and what a move replaces, go to the trash") {
  for (int i = 0; i < 5; ++i) put("tree/sub/" + std::to_string(i), test::random_bytes(100, i));
  put("target", test::random_bytes(10, 9));
  REQUIRE(store->remove({}, "tree", Recursive::kYes, {}));
  CHECK(listed("tree/sub").size() == 5);
  put("source", test::random_bytes(10, 8));
  REQUIRE(store->move({}, "source", "target", Force::kYes));
  CHECK(listed("target").size() == 1);
  REQUIRE(store->restore({}, "tree/sub/3", 0, "tree/sub/3", Force::kNo));
  CHECK((test::stored_file(folder, "tree/sub/3") == test::random_bytes(100, 3)));
}

TEST_CASE_METHOD(Fixture, "pages of the trash show each version once") {
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 20; ++i) put("f" + std::to_string(i), test::random_bytes(10, round * 100 + i));
  }
  std::vector<std::pair<std::string, std::int64_t>> seen;
  std::string cursor;
  do {
    const auto page = store->list_trash({}, "", cursor, 7).value();
    CHECK(page.entries.size() <= 7);
    for (const auto& entry : page.entries) seen.emplace_back(entry.entry.path, entry.trashed_ns);
    cursor = page.next_cursor;
  } while (!cursor.empty());
  // From any entry on, as a message that has no room for all of a page goes on.
  const auto all = store->list_trash({}, "", "", 100).value();
  const auto rest = store->list_trash({}, "", all.entries[24].cursor, 100).value();
  REQUIRE(rest.entries.size() == 15);
  CHECK(rest.entries[0].entry.path == all.entries[25].entry.path);
  CHECK(rest.entries[0].trashed_ns == all.entries[25].trashed_ns);
  CHECK(seen.size() == 40);
  CHECK(std::set(seen.begin(), seen.end()).size() == 40);
}

TEST_CASE_METHOD(Fixture, "accounts see their own trash only") {
  Principal anna;
  anna.account = "anna";
  Principal ben;
  ben.account = "ben";
  const Buffer content = test::random_bytes(100, 1);
  DraftRequest request;
  request.path = "f";
  const auto draft = store->begin(anna, request).value();
  const ChunkList chunks = test::chunks_of(content);
  REQUIRE(draft->add(chunks, content));
  REQUIRE(test::commit(*draft, build_tree(chunks, *make_sha256()).root, content.size(), {}));
  REQUIRE(store->remove(anna, "f", Recursive::kNo, {}));
  CHECK(store->list_trash(anna, "", "", 10).value().entries.size() == 1);
  CHECK(store->list_trash(ben, "", "", 10).value().entries.empty());
  CHECK(store->restore(ben, "f", 0, "f", Force::kNo).error().code == Code::kNotFound);
  CHECK(store->restore(anna, "f", 0, "f", Force::kNo));
}

TEST_CASE_METHOD(Fixture, "the trash is swept by age and by size, the oldest first") {
  SECTION("age") {
    put("old", test::random_bytes(10, 1));
    REQUIRE(store->remove({}, "old", Recursive::kNo, {}));
    now += 6 * kDay;
    put("deep/er/young", test::random_bytes(10, 2));
    REQUIRE(store->remove({}, "deep", Recursive::kYes, {}));
    store->sweep_trash();
    CHECK(files_in_trash() == 2);
    now += 2 * kDay;
    store->sweep_trash();
    REQUIRE(listed().size() == 1);
    CHECK(listed()[0].entry.path == "deep/er/young");
    now += 8 * kDay;
    store->sweep_trash();
    CHECK(fs::is_empty(folder / "trash"));
  }
  SECTION("nothing is kept where nothing is wanted") {
    open({std::chrono::nanoseconds(0), 10});
    put("f", test::random_bytes(10, 1));
    put("f", test::random_bytes(10, 2));
    REQUIRE(store->remove({}, "f", Recursive::kNo, {}));
    CHECK(files_in_trash() == 0);
  }
  SECTION("size") {
    open({std::chrono::hours(24 * 7), 0});  // no per cent: one byte
    for (int i = 0; i < 3; ++i) {
      put("f", test::random_bytes(10, i));
      now += 120 * kSecond;
    }
    REQUIRE(store->flush());
    CHECK(files_in_trash() == 2);
    store->sweep_trash();
    CHECK(files_in_trash() == 0);
    CHECK(store->lookup({}, "f").value());
  }
}

TEST_CASE_METHOD(Fixture, "a clock that is set back loses nothing and hides nothing") {
  const Buffer first = test::random_bytes(3000, 1);
  const Buffer second = test::random_bytes(4000, 2);
  put("f", first);
  const auto before = store->lookup({}, "f").value()->token.sequence;
  now -= 400 * kDay;
  put("f", second);
  REQUIRE(store->flush());
  CHECK(store->lookup({}, "f").value()->token.sequence > before);
  CHECK(store->verify({}, "f"));
  CHECK(test::stored_file(folder, "f") == second);
  // The old version is in the trash, and no sweep takes what seems to come from the future for too old.
  store->sweep_trash();
  REQUIRE(listed().size() == 1);
  CHECK(store->restore({}, "f", 0, "back", Force::kNo));
  CHECK(test::stored_file(folder, "back") == first);
  // What another program writes then is noticed as ever.
  std::ofstream(folder / "files/f") << "foreign";
  CHECK(store->lookup({}, "f").value()->bytes == 7);
  const auto changes = store->changes({}, before, 100).value();
  for (std::size_t i = 1; i < changes.size(); ++i) CHECK(changes[i].sequence > changes[i - 1].sequence);
  open({});
  CHECK(store->verify({}, "back"));
}

TEST_CASE_METHOD(Fixture, "room is made from the oldest") {
  store.reset();
  const DataFolder data = open_data_folder(folder).value();
  Trash trash(*data.disk, [this] { return now; }, {});
  CHECK_FALSE(trash.make_room(1));
  for (int i = 0; i < 4; ++i) {
    std::ofstream(folder / "files/f") << std::string(1000, 'x');
    REQUIRE(trash.take({Area::kFiles, "f"}, "f"));
    now += 120 * kSecond;
  }
  CHECK(trash.make_room(1500));
  const auto left = trash.list("", "", "", 10).value().entries;
  REQUIRE(left.size() == 2);
  CHECK(left[0].trashed_ns >= kStart + 240 * kSecond);
  CHECK(trash.make_room(1'000'000));
  CHECK(files_in_trash() == 0);
  CHECK_FALSE(trash.make_room(1));
}

TEST_CASE_METHOD(Fixture, "what has no room in the trash is deleted all the same") {
  const std::string name(255, 'n');
  put(name, test::random_bytes(10, 1));
  REQUIRE(store->remove({}, name, Recursive::kNo, {}));
  CHECK(listed().size() == 1);  // under a name that was cut
  // A file stands where the trash needs a folder.
  std::ofstream(folder / "trash/d") << "in the way";
  put("d/f", test::random_bytes(10, 1));
  REQUIRE(store->remove({}, "d/f", Recursive::kNo, {}));
  CHECK_FALSE(store->lookup({}, "d/f").value());
  CHECK(test::staged_files(folder) == 0);
}
