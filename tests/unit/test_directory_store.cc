#include <sys/stat.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include "base/path.h"
#include "codec/sha256.h"
#include "delta/chunk_tree.h"
#include "store/chunk_index.h"
#include "store/chunk_list_sweep.h"
#include "store/directory_store.h"
#include "support/bytes.h"
#include "support/faulty_disk.h"
#include "support/store_files.h"

using namespace millrace;
namespace fs = std::filesystem;

namespace {

struct Fixture {
  Fixture() : folder(fs::temp_directory_path() / ("millrace-test-" + std::to_string(getpid()))) {
    fs::remove_all(folder);
    reopen();
  }
  ~Fixture() {
    store.reset();
    fs::remove_all(folder);
  }
  void reopen() {
    store.reset();
    auto opened = open_directory_store(folder, {Durability::kNone, SeededRandom(seed++), make_sha256, nullptr});
    REQUIRE(opened);
    store = std::move(*opened);
  }
  Result<Version> put(const std::string& path, const Buffer& content, Expected expected = {}) {
    return test::put_file(*store, path, content, expected);
  }
  fs::path folder;
  std::uint64_t seed = 1;
  std::unique_ptr<Store> store;
};

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE_METHOD(Fixture, "a committed version is an ordinary file and survives a restart") {
  const Buffer content = test::random_bytes(300'000, 1);
  const auto version = put("a/b/c", content);
  REQUIRE(version);
  CHECK(read_file(folder / "files/a/b/c") == as_text(content));
  REQUIRE(store->flush());
  CHECK(test::staged_files(folder) == 0);
  reopen();
  CHECK(store->lookup({}, "a/b/c").value()->token == version->token);
  CHECK(store->stat({}, "a/b/c").value().version.attributes == Attributes{1'000'000'000, 0640});
}

TEST_CASE_METHOD(Fixture,
                 "drafts are spread over the folders of staging, and what an older server left beside them is swept") {
  std::vector<std::unique_ptr<StoreDraft>> drafts;
  for (int i = 0; i < 200; ++i) {
    DraftRequest request;
    request.path = "f" + std::to_string(i);
    drafts.push_back(store->begin({}, request).value());
  }
  std::map<fs::path, int> in_folder;
  for (const auto& entry : fs::recursive_directory_iterator(folder / "staging")) {
    if (entry.is_regular_file()) ++in_folder[entry.path().parent_path()];
  }
  CHECK(in_folder.size() == 8);
  CHECK_FALSE(in_folder.contains(folder / "staging"));
  for (const auto& [path, count] : in_folder) CHECK(count <= 32);
  drafts.clear();
  CHECK(test::staged_files(folder) == 0);
  std::ofstream(folder / "staging" / "0123456789abcdef0123456789abcdef") << "left";
  std::ofstream(folder / "staging" / "07" / "0123456789abcdef0123456789abcdef") << "left";
  reopen();
  CHECK(test::staged_files(folder) == 0);
}

TEST_CASE_METHOD(Fixture, "the first of two writers wins, the other gets a conflict and nothing changes") {
  const auto first = put("f", test::random_bytes(1000, 1));
  REQUIRE(put("f", test::random_bytes(1000, 2), {Expected::Kind::kRoot, first->token.root}));
  const auto loser = put("f", test::random_bytes(1000, 3), {Expected::Kind::kRoot, first->token.root});
  REQUIRE_FALSE(loser);
  CHECK(loser.error().code == Code::kConflict);
  CHECK(read_file(folder / "files/f") == as_text(test::random_bytes(1000, 2)));
  REQUIRE(store->flush());
  CHECK(test::staged_files(folder) == 0);
}

TEST_CASE_METHOD(Fixture, "two attempts with the same content both succeed, as one version") {
  const Buffer old = test::random_bytes(50'000, 1);
  const Buffer content = test::random_bytes(60'000, 2);
  const auto before = put("f", old);
  REQUIRE(before);
  const Expected expected{Expected::Kind::kRoot, before->token.root};
  const auto first = put("f", content, expected);
  const auto second = put("f", content, expected);
  REQUIRE(first);
  REQUIRE(second);
  CHECK(first->token == second->token);
  CHECK(read_file(folder / "files/f") == as_text(content));
  REQUIRE(store->flush());
  CHECK(test::staged_files(folder) == 0);
}

TEST_CASE_METHOD(Fixture, "a newer attempt of an upload takes over, an older one is refused") {
  DraftRequest request;
  request.path = "f";
  request.upload_id[0] = Byte{7};
  request.attempt = 1;
  auto first = store->begin({}, request).value();
  request.attempt = 0;
  const auto late = store->begin({}, request);
  REQUIRE_FALSE(late);
  CHECK(late.error().code == Code::kConflict);
  request.attempt = 2;
  auto second = store->begin({}, request).value();
  const Buffer content = test::random_bytes(2000, 1);
  const auto hasher = make_sha256();
  const Chunk chunk{hasher->hash(content), 0, 2000};
  const ChunkList chunks{chunk};
  const Digest root = build_tree(chunks, *hasher).root;
  CHECK(first->add(std::span(&chunk, 1), content).error().code == Code::kConflict);
  REQUIRE(second->add(std::span(&chunk, 1), content));
  CHECK_FALSE(test::commit(*first, root, 2000, {}));
  CHECK(test::commit(*second, root, 2000, {}));
  first.reset();
  second.reset();
  REQUIRE(store->flush());
  CHECK(test::staged_files(folder) == 0);
  // Another upload of the same path is nobody's attempt, nor is one without an id.
  request.upload_id = UploadId{};
  request.attempt = 0;
  const auto other = store->begin({}, request).value();
  const auto third = store->begin({}, request).value();
  CHECK(other->add(std::span(&chunk, 1), content));
}

TEST_CASE_METHOD(Fixture, "a file changed behind the store's back is indexed again") {
  const auto version = put("f", test::random_bytes(1000, 1));
  std::ofstream(folder / "files/f") << "something else";
  const auto now = store->lookup({}, "f").value();
  REQUIRE(now);
  CHECK(now->bytes == 14);
  CHECK(now->token.sequence > version->token.sequence);
  fs::remove(folder / "files/f");
  CHECK_FALSE(store->lookup({}, "f").value());
}

TEST_CASE_METHOD(Fixture, "symlinks are not followed and special files not opened") {
  fs::create_symlink("/etc", folder / "files/out");
  CHECK_FALSE(store->open({}, "out/passwd"));
  CHECK_FALSE(store->open({}, "out"));
  CHECK_FALSE(put("out/evil", test::random_bytes(10, 1)));
  REQUIRE(mkfifo((folder / "files/pipe").c_str(), 0600) == 0);
  CHECK(store->open({}, "pipe").error().code == Code::kNotAllowed);
  CHECK(store->list({}, "", Recursive::kYes, "", 100).value().entries.size() == 1);
}

TEST_CASE_METHOD(Fixture, "pages of a listing join to the whole, in the order of paths, whatever their size") {
  for (const char* path : {"a/x", "a/y/z", "a-b", "a!", "b", "c/d/e/f", "c/d/g", "c.d", "z/1", "z/2"})
    REQUIRE(put(path, test::random_bytes(10, 1)));
  fs::create_directory(folder / "files/empty");
  for (const auto recursive : {Recursive::kYes, Recursive::kNo}) {
    for (const std::string prefix : {"", "c", "a"}) {
      const auto whole = store->list({}, prefix, recursive, "", 100).value();
      CHECK(whole.next_cursor.empty());
      CHECK(std::is_sorted(whole.entries.begin(), whole.entries.end(),
                           [](const Entry& a, const Entry& b) { return path_less(a.path, b.path); }));
      for (std::size_t limit = 1; limit <= whole.entries.size() + 1; ++limit) {
        std::vector<std::string> paths;
        std::string cursor;
        do {
          const auto page = store->list({}, prefix, recursive, cursor, limit).value();
          CHECK(page.entries.size() <= limit);
          for (const Entry& entry : page.entries) paths.push_back(entry.path);
          cursor = page.next_cursor;
        } while (!cursor.empty());
        REQUIRE(paths.size() == whole.entries.size());
        for (std::size_t i = 0; i < paths.size(); ++i) CHECK(paths[i] == whole.entries[i].path);
      }
    }
  }
  CHECK(store->list({}, "", Recursive::kYes, "", 100).value().entries.size() == 17);
  CHECK(store->list({}, "", Recursive::kNo, "", 100).value().entries.size() == 8);
  const auto file = store->list({}, "z", Recursive::kNo, "", 1).value().entries.front();
  CHECK(file.version == *store->lookup({}, "z/1").value());
  // A cursor that is gone meanwhile.
  fs::remove_all(folder / "files/c");
  CHECK(store->list({}, "", Recursive::kYes, "c/d/e", 1).value().entries.front().path == "c.d");
}

TEST_CASE_METHOD(Fixture, "deletes leave tombstones, moves keep the content, both need force where something is lost") {
  REQUIRE(put("d/a", test::random_bytes(1000, 1)));
  REQUIRE(put("b", test::random_bytes(1000, 2)));
  CHECK(store->remove({}, "d", Recursive::kNo, {}).error().code == Code::kConflict);
  CHECK(store->move({}, "d/a", "b", Force::kNo).error().code == Code::kConflict);
  REQUIRE(store->move({}, "d/a", "b", Force::kYes));
  CHECK(read_file(folder / "files/b") == as_text(test::random_bytes(1000, 1)));
  REQUIRE(store->remove({}, "b", Recursive::kNo, {}));
  const auto changes = store->changes({}, 0, 100).value();
  CHECK(std::all_of(changes.begin(), changes.end(), [](const Change& change) { return !change.version; }));
}

TEST_CASE_METHOD(Fixture, "a folder goes with all that is in it, files that nobody indexed and empty folders too") {
  for (int i = 0; i < 600; ++i) REQUIRE(put("d/e/" + std::to_string(i), test::random_bytes(10, 1)));
  REQUIRE(put("d/x", test::random_bytes(10, 1)));
  REQUIRE(put("other", test::random_bytes(10, 1)));
  fs::create_directories(folder / "files/d/empty/deeper");
  std::ofstream(folder / "files/d/foreign") << "nobody's";
  REQUIRE(store->remove({}, "d", Recursive::kYes, {}));
  CHECK_FALSE(fs::exists(folder / "files/d"));
  CHECK(store->lookup({}, "other").value());
  const auto gone = store->changes({}, 0, 10'000).value();
  CHECK(std::count_if(gone.begin(), gone.end(), [](const Change& change) { return !change.version; }) >= 601);
  CHECK(store->remove({}, "d", Recursive::kYes, {}).error().code == Code::kNotFound);
  CHECK(store->remove({}, "other", Recursive::kYes, {}));
}

TEST_CASE_METHOD(Fixture, "rot is reported by verify and a second store on the folder is refused") {
  const auto version = put("f", test::random_bytes(200'000, 1));
  CHECK(store->verify({}, "f"));
  CHECK_FALSE(open_directory_store(folder, {Durability::kNone, SeededRandom(9), make_sha256, nullptr}));
  const auto file = store->open({}, "f").value();
  CHECK(file->chunks().value()->size() > 3);
}

TEST_CASE_METHOD(Fixture,
                 "chunk lists that no version has go, long and short ones, but not one whose commit may follow") {
  std::int64_t now = 1'800'000'000'000'000'000;
  store.reset();
  auto opened =
      open_directory_store(folder, {Durability::kNone, SeededRandom(seed++), make_sha256, [&now] { return now; }});
  REQUIRE(opened);
  std::unique_ptr<LocalStore> local = std::move(*opened);
  const auto hasher = make_sha256();
  const Chunk zeros{hasher->hash(Buffer(kMaxChunkBytes, Byte{0})), 0, kMaxChunkBytes};
  const auto root_of = [&](std::size_t chunks) { return build_tree(ChunkList(chunks, zeros), *hasher).root; };
  const auto put_holes = [&](const std::string& path, std::size_t chunks) {
    DraftRequest request;
    request.path = path;
    const auto draft = local->begin({}, request).value();
    REQUIRE(draft->add_zeros(zeros, chunks));
    REQUIRE(test::commit(*draft, root_of(chunks), chunks * kMaxChunkBytes, {}));
  };
  const auto has_file = [&](std::size_t chunks) { return fs::exists(folder / "chunks" / to_hex(root_of(chunks))); };
  const auto sweep = [&local] {
    std::size_t steps = 1;
    while (local->sweep_chunk_lists() < ChunkListSweep::kInterval) ++steps;
    return steps;
  };
  constexpr std::size_t kLong = kMaxRowIndexBytes / kIndexBytesPerChunk + 1;
  put_holes("long", kLong);
  put_holes("long", kLong + 1);
  put_holes("same", kLong + 1);
  // More than a step looks at.
  for (std::size_t i = 0; i < 2 * ChunkListSweep::kLooksAtOnce; ++i) put_holes("short", 2 + i);
  std::ofstream(folder / "chunks" / "something else") << "of the operator's";
  CHECK(sweep() > 3);
  CHECK(has_file(kLong));  // it is too young
  now += std::chrono::nanoseconds(ChunkListSweep::kLeastAge).count();
  CHECK(has_file(kLong + 1));
  put_holes("again", kLong + 2);
  put_holes("again", 1);
  sweep();
  CHECK_FALSE(has_file(kLong));
  CHECK(has_file(kLong + 1));
  CHECK(has_file(kLong + 2));
  now += std::chrono::nanoseconds(ChunkListSweep::kLeastAge).count() - 1;
  put_holes("again", kLong + 2);  // makes its list young again
  put_holes("again", 1);
  now += 1;
  sweep();
  CHECK(has_file(kLong + 2));
  CHECK(fs::exists(folder / "chunks" / "something else"));
  CHECK(local->open({}, "long").value()->chunks().value()->size() == kLong + 1);
  CHECK(local->open({}, "short").value()->chunks().value()->size() == 2 * ChunkListSweep::kLooksAtOnce + 1);
  local.reset();
  auto catalogue = Database::open((folder / "catalogue.sqlite").string()).value();
  auto lists = catalogue.prepare("SELECT count(*) FROM chunk_lists").value();
  REQUIRE(lists.step().value());
  CHECK(lists.integer(0) == 1);
}

TEST_CASE_METHOD(Fixture, "chunk lists that cannot be kept fail neither commits nor reads, and are told of once") {
  store.reset();
  std::vector<std::string> reports;
  const auto faults = std::make_shared<test::Faults>();
  auto data = open_data_folder(folder).value();
  data.disk = std::make_unique<test::FaultyDisk>(std::move(data.disk), faults);
  StoreOptions options{Durability::kFull, SeededRandom(seed++), make_sha256, nullptr};
  options.report = [&reports](const std::string& sentence) { reports.push_back(sentence); };
  options.committing = Committing::kInline;
  const auto local = open_directory_store(std::move(data), folder / "catalogue.sqlite", std::move(options)).value();
  const auto hasher = make_sha256();
  const Chunk zeros{hasher->hash(Buffer(kMaxChunkBytes, Byte{0})), 0, kMaxChunkBytes};
  constexpr std::size_t kLong = kMaxRowIndexBytes / kIndexBytesPerChunk + 1;
  DraftRequest request;
  request.path = "f";
  const auto draft = local->begin({}, request).value();
  REQUIRE(draft->add_zeros(zeros, kLong));
  // Whatever is made from now on can only be a list.
  faults->before = [&faults](std::string_view operation) {
    faults->armed = false;
    if (operation == "create") faults->arm(test::Faults::Kind::kFailOnce, 0, ENOSPC);
  };
  const auto root = build_tree(ChunkList(kLong, zeros), *hasher).root;
  CHECK(test::commit(*draft, root, kLong * kMaxChunkBytes, {}));
  CHECK(faults->hit);
  CHECK(local->open({}, "f").value()->chunks().value()->size() == kLong);
  fs::resize_file(folder / "files" / "f", (kLong + 1) * kMaxChunkBytes);
  CHECK(local->lookup({}, "f").value()->bytes == (kLong + 1) * kMaxChunkBytes);
  CHECK(fs::is_empty(folder / "chunks"));
  CHECK(reports.size() == 1);
  faults->before = nullptr;
}

TEST_CASE_METHOD(Fixture, "a draft keeps megabytes behind something new, and damage in them is found") {
  const Buffer old = test::random_bytes(5u << 20, 1);
  REQUIRE(put("f", old));
  const Buffer added = test::random_bytes(12'345, 2);
  const Chunk first{make_sha256()->hash(added), 0, 12'345};
  const auto build = [&]() -> Result<Version> {
    DraftRequest request;
    request.path = "g";
    request.basis = store->open({}, "f").value();
    request.bytes = added.size() + old.size();
    const auto draft = store->begin({}, request).value();
    const auto kept = request.basis->chunks().value();
    REQUIRE(draft->add(std::span(&first, 1), added));
    MILLRACE_TRY(draft->keep(0, kept->size()));
    CHECK(draft->chunk_count() == kept->size() + 1);
    ChunkList all{first};
    all.insert(all.end(), kept->begin(), kept->end());
    return test::commit(*draft, build_tree(all, *make_sha256()).root, request.bytes, {1'000'000'000, 0640});
  };
  REQUIRE(build());
  Buffer expected = added;
  append(expected, old);
  CHECK(read_file(folder / "files/g") == as_text(expected));

  // Written in place, with the old time: only reading can tell.
  const auto time = fs::last_write_time(folder / "files/f");
  const auto reader = store->open({}, "f").value();
  std::fstream(folder / "files/f", std::ios::in | std::ios::out | std::ios::binary).seekp(3u << 20).put('!').put('?');
  fs::last_write_time(folder / "files/f", time);
  DraftRequest request;
  request.path = "h";
  request.basis = reader;
  const auto draft = store->begin({}, request).value();
  const auto kept = draft->keep(0, reader->chunks().value()->size());
  REQUIRE_FALSE(kept);
  CHECK(kept.error().code == Code::kIntegrity);
}

TEST_CASE_METHOD(Fixture, "a move hides no change of another program") {
  const Buffer content = test::random_bytes(5, 1);
  const auto before = put("d/f", content).value();
  REQUIRE(store->flush());
  const auto time = fs::last_write_time(folder / "files/d/f");
  std::this_thread::sleep_for(std::chrono::milliseconds(30));  // ctime's grain
  std::ofstream(folder / "files/d/f") << "other";
  const bool looks_the_same = GENERATE(true, false);
  if (looks_the_same) fs::last_write_time(folder / "files/d/f", time);  // but for ctime
  const bool is_folder = GENERATE(true, false);
  const std::string to = is_folder ? "e/f" : "e";
  REQUIRE(store->move({}, is_folder ? "d" : "d/f", "e", Force::kNo));
  const auto now = store->lookup({}, to).value();
  REQUIRE(now);
  CHECK(now->token.root != before.token.root);
  CHECK(store->verify({}, to));
  CHECK(put(to, test::random_bytes(10, 2), {Expected::Kind::kRoot, before.token.root}).error().code == Code::kConflict);
}

TEST_CASE_METHOD(Fixture, "a moved file is not read again") {
  const auto before = put("d/f", test::random_bytes(5, 1)).value();
  REQUIRE(put("d/g/h", test::random_bytes(5, 2)));
  REQUIRE(store->flush());
  REQUIRE(store->move({}, "d", "e", Force::kNo));
  REQUIRE(store->move({}, "e/f", "f", Force::kNo));
  const auto listing = store->list({}, "", Recursive::kYes, "", 100).value();
  for (const Entry& entry : listing.entries)
    CHECK((entry.kind == EntryKind::kFolder) == entry.version.token.root.is_zero());
  const auto now = store->lookup({}, "f").value();
  REQUIRE(now);
  CHECK(now->token.root == before.token.root);
  CHECK(now->attributes == before.attributes);
}

TEST_CASE_METHOD(Fixture, "a delete that names a version removes no other, whoever wrote it") {
  const auto version = put("f", test::random_bytes(1000, 1)).value();
  const Expected expected{Expected::Kind::kRoot, version.token.root};
  CHECK(store->remove({}, "f", Recursive::kNo, {Expected::Kind::kNone, {}}).error().code == Code::kConflict);
  std::ofstream(folder / "files/f") << "something else";
  CHECK(store->remove({}, "f", Recursive::kNo, expected).error().code == Code::kConflict);
  CHECK(read_file(folder / "files/f") == "something else");
  const Expected theirs{Expected::Kind::kRoot, store->lookup({}, "f").value()->token.root};
  CHECK(store->remove({}, "f", Recursive::kNo, theirs));
  CHECK_FALSE(fs::exists(folder / "files/f"));
}

TEST_CASE_METHOD(Fixture, "a folder is writable where the server has all rights, on the file system of the others") {
  if (geteuid() != 0) return;  // rights of others are needed
  store.reset();
  const DataFolder data = open_data_folder(folder).value();
  fs::permissions(folder, fs::perms(0755));
  fs::permissions(folder / "files", fs::perms(0755));
  for (const char* name : {"root", "ours", "dropbox"}) fs::create_directory(folder / "files" / name);
  constexpr uid_t kOther = 65534;
  REQUIRE(::chown((folder / "files/ours").c_str(), kOther, kOther) == 0);
  REQUIRE(::chown((folder / "files/dropbox").c_str(), kOther, kOther) == 0);
  fs::permissions(folder / "files/dropbox", fs::perms(0300));
  REQUIRE(::seteuid(kOther) == 0);
  const auto root = data.disk->may_change({Area::kFiles, "root"});
  const auto ours = data.disk->may_change({Area::kFiles, "ours"});
  const auto dropbox = data.disk->may_change({Area::kFiles, "dropbox"});
  REQUIRE(::seteuid(0) == 0);
  CHECK(ours);
  CHECK(root.error() == EACCES);
  CHECK(dropbox.error() == EACCES);
}
