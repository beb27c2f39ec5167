#include <unistd.h>
#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>

#include "codec/sha256.h"
#include "store/directory_store.h"
#include "store/upload_job.h"
#include "support/bytes.h"
#include "support/faulty_disk.h"
#include "support/store_files.h"

using namespace millrace;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMiB = 1u << 20;
constexpr std::int64_t kHour = 3'600'000'000'000;
const Buffer kTarget = test::random_bytes(16 * kMiB, 1);

struct Fixture {
  Fixture() : folder(fs::temp_directory_path() / ("millrace-partial-" + std::to_string(getpid()))) {
    fs::remove_all(folder);
    reopen();
  }
  ~Fixture() {
    store.reset();
    fs::remove_all(folder);
  }
  void reopen(PartialLimits limits = {}) {
    store.reset();
    faults = std::make_shared<test::Faults>();
    auto opened = open_data_folder(folder);
    REQUIRE(opened);
    opened->disk = std::make_unique<test::FaultyDisk>(std::move(opened->disk), faults);
    auto made = open_directory_store(std::move(*opened), folder / "catalogue.sqlite",
                                     {Durability::kNone,
                                      SeededRandom(seed++),
                                      make_sha256,
                                      [this] { return now; },
                                      nullptr,
                                      1,
                                      Committing::kInline,
                                      {1, 1},
                                      limits});
    REQUIRE(made);
    store = std::move(*made);
  }
  std::unique_ptr<StoreDraft> begin(const std::string& path, std::shared_ptr<const StoredFile> basis = nullptr) {
    DraftRequest request;
    request.path = path;
    request.basis = std::move(basis);
    request.upload_id[0] = Byte{1};
    request.attempt = attempt++;
    return store->begin({}, request).value();
  }
  /// An upload of the first `bytes` of the target, in parts as they travel, that ends without a commit.
  void cut(const std::string& path, std::size_t bytes, const Buffer& target = kTarget) {
    const auto draft = begin(path);
    fill(*draft, bytes, target);
  }
  static void fill(StoreDraft& draft, std::size_t bytes, const Buffer& target = kTarget) {
    const ChunkList chunks = test::chunks_of(target);
    std::size_t at = 0;
    for (const Chunk& chunk : chunks) {
      if (at + chunk.length > bytes) return;
      REQUIRE(draft.add(std::span(&chunk, 1), ByteView(target).subspan(at, chunk.length)));
      at += chunk.length;
    }
  }
  std::shared_ptr<const StoredFile> basis(const std::string& path, std::shared_ptr<const StoredFile> stored = nullptr) {
    return store->upload_basis({}, path, kTarget.size(), std::move(stored));
  }
  std::size_t staged() const { return test::staged_files(folder); }
  fs::path job_file() const {
    for (const auto& entry : fs::recursive_directory_iterator(folder / "staging"))
      if (entry.path().extension() == ".job") return entry.path();
    FAIL("there is no job");
    return {};
  }
  fs::path folder;
  std::uint64_t seed = 1;
  std::uint64_t attempt = 1;
  std::int64_t now = 1'800'000'000'000'000'000;
  std::shared_ptr<test::Faults> faults;
  std::unique_ptr<LocalStore> store;
};

/// Bytes at the beginning of `target` whose chunks the basis has.
std::uint64_t known_bytes(const StoredFile& basis, const Buffer& target) {
  const auto have = basis.chunks().value();
  const ChunkList wanted = test::chunks_of(target);
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < std::min(have->size(), wanted.size()); ++i) {
    if ((*have)[i].digest != wanted[i].digest) break;
    bytes += wanted[i].length;
  }
  return bytes;
}

}  // namespace

TEST_CASE("a job is read as it was written, and nothing else is") {
  UploadJob job;
  job.path = "account/a/b";
  job.expected = {Expected::Kind::kRoot, {}};
  job.expected.root.bytes[3] = Byte{7};
  job.upload_id[15] = Byte{9};
  job.attempt = 3;
  job.announced_bytes = std::uint64_t{1} << 40;
  job.created_ns = -5;
  job.inode = 77;
  const Buffer encoded = encode_upload_job(job);
  const auto decoded = decode_upload_job(encoded);
  REQUIRE(decoded);
  CHECK(decoded->path == job.path);
  CHECK(decoded->expected == job.expected);
  CHECK(decoded->upload_id == job.upload_id);
  CHECK(decoded->attempt == 3);
  CHECK(decoded->announced_bytes == job.announced_bytes);
  CHECK(decoded->created_ns == -5);
  CHECK(decoded->inode == 77);
  for (std::size_t i = 0; i < encoded.size(); ++i) {
    CHECK_FALSE(decode_upload_job(ByteView(encoded).first(i)));
    Buffer wrong = encoded;
    wrong[i] ^= Byte{1};
    CHECK_FALSE(decode_upload_job(wrong));
  }
}

TEST_CASE_METHOD(Fixture, "what an upload left that was cut off is the next one's basis and goes with its commit") {
  const bool restarts = GENERATE(false, true);
  cut("d/f", 12 * kMiB);
  if (restarts) reopen();
  CHECK(staged() == 2);
  CHECK_FALSE(basis("d/other"));
  auto partial = basis("d/f");
  REQUIRE(partial);
  CHECK(partial->version().token == VersionToken{});
  CHECK(known_bytes(*partial, kTarget) > 12 * kMiB - 2 * kMaxChunkBytes);
  CHECK_FALSE(basis("d/f"));  // one upload has it
  const ChunkList chunks = test::chunks_of(kTarget);
  const std::size_t kept = partial->chunks().value()->size() - 1;
  auto draft = begin("d/f", std::move(partial));
  REQUIRE(draft->keep(0, kept));
  std::size_t at = draft->size();
  for (std::size_t i = kept; i < chunks.size(); ++i) {
    REQUIRE(draft->add(std::span(&chunks[i], 1), ByteView(kTarget).subspan(at, chunks[i].length)));
    at += chunks[i].length;
  }
  REQUIRE(test::commit(*draft, build_tree(chunks, *make_sha256()).root, kTarget.size(), {}));
  draft.reset();
  CHECK(staged() == 0);
  CHECK(store->verify({}, "d/f"));
}

TEST_CASE_METHOD(Fixture, "an upload that has not ended is the next one's basis too, as far as it has come") {
  auto dead = begin("f");
  Fixture::fill(*dead, 12 * kMiB);
  auto partial = basis("f");
  REQUIRE(partial);
  CHECK(known_bytes(*partial, kTarget) > 12 * kMiB - 2 * kMaxChunkBytes);
  CHECK_FALSE(basis("f"));  // one upload has it
  const ChunkList chunks = test::chunks_of(kTarget);
  const std::uint64_t kept = partial->chunks().value()->size() - 1;
  const Digest root = build_tree(chunks, *make_sha256()).root;
  const auto finish = [&](StoreDraft& draft) {
    std::size_t at = draft.size();
    for (std::size_t i = draft.chunk_count(); i < chunks.size(); ++i) {
      REQUIRE(draft.add(std::span(&chunks[i], 1), ByteView(kTarget).subspan(at, chunks[i].length)));
      at += chunks[i].length;
    }
    REQUIRE(test::commit(draft, root, kTarget.size(), {}));
  };
  SECTION("and goes on by itself, or ends first") {
    auto draft = store->begin({}, {.path = "f", .expected = {}, .basis = partial}).value();
    // What is read must not change any more; writing behind it is no matter.
    CHECK(dead->replace(0, chunks[0], ByteView(kTarget).first(chunks[0].length)).error().code == Code::kConflict);
    const bool is_first = GENERATE(false, true);
    if (is_first) finish(*dead);
    dead.reset();
    REQUIRE(draft->keep(0, kept));
    finish(*draft);
    draft.reset();
    partial.reset();
  }
  SECTION("and is taken over from") {
    auto draft = begin("f", partial);
    REQUIRE(draft->keep(0, kept));
    finish(*draft);
    draft.reset();
    partial.reset();
    CHECK(dead->add(std::span(&chunks[0], 1), ByteView(kTarget).first(chunks[0].length)).error().code ==
          Code::kConflict);
    dead.reset();
  }
  SECTION("and can be had again after an upload that read it is cut itself") {
    partial.reset();
    partial = basis("f");
    REQUIRE(partial);
    partial.reset();
    CHECK(dead->replace(0, chunks[0], ByteView(kTarget).first(chunks[0].length)));
    CHECK_FALSE(basis("f"));  // what may change is not lent
    finish(*dead);
    dead.reset();
  }
  CHECK(staged() == 0);
  CHECK(store->verify({}, "f"));
}

TEST_CASE_METHOD(Fixture,
                 "what was lent when the server ended is a partial at its next start, and older links to it go") {
  {
    const auto dead = begin("f");
    Fixture::fill(*dead, 12 * kMiB);
    const auto partial = basis("f");
    REQUIRE(partial);
    CHECK(staged() == 2);
    fs::copy(folder, folder.string() + "-copy", fs::copy_options::recursive);
  }
  store.reset();
  fs::remove_all(folder);
  fs::rename(folder.string() + "-copy", folder);
  std::ofstream(folder / "staging" / "00" / "0123.lent") << "of an older server";
  reopen();
  CHECK(staged() <= 2);
  for (const auto& entry : fs::recursive_directory_iterator(folder / "staging"))
    CHECK(entry.path().extension() != ".lent");
}

TEST_CASE_METHOD(Fixture, "a version is not read again because an upload has read its draft") {
  auto dead = begin("f");
  Fixture::fill(*dead, kTarget.size());
  auto partial = basis("f");
  REQUIRE(partial);
  const Digest root = build_tree(test::chunks_of(kTarget), *make_sha256()).root;
  const auto version = test::commit(*dead, root, kTarget.size(), {});
  REQUIRE(version);
  dead.reset();
  REQUIRE(store->flush());
  CHECK(known_bytes(*partial, kTarget) == kTarget.size());
  partial.reset();
  std::size_t opened = 0;
  faults->before = [&opened](std::string_view operation) { opened += operation == "open" ? 1 : 0; };
  CHECK(store->lookup({}, "f").value()->token == version->token);
  CHECK(opened == 0);
  faults->before = nullptr;
}

TEST_CASE_METHOD(Fixture, "what an upload reads stays readable while its own upload ends, however that is") {
  DraftRequest request;
  request.path = "f";
  request.expected = {Expected::Kind::kNone, {}};
  auto dead = store->begin({}, request).value();
  Fixture::fill(*dead, kTarget.size());
  auto partial = basis("f");
  REQUIRE(partial);
  const Digest root = build_tree(test::chunks_of(kTarget), *make_sha256()).root;
  SECTION("cancelled") {
    dead->discard();
  }
  SECTION("cut") {}
  SECTION("refused by the committer") {
    REQUIRE(test::put_file(*store, "f", test::random_bytes(1000, 9)));
    CHECK(test::commit(*dead, root, kTarget.size(), {}).error().code == Code::kConflict);
  }
  SECTION("committed, replaced and removed") {
    REQUIRE(test::commit(*dead, root, kTarget.size(), {}));
    REQUIRE(test::put_file(*store, "f", test::random_bytes(1000, 9)));
    REQUIRE(store->remove({}, "f", Recursive::kNo, {}));
    REQUIRE(store->flush());
  }
  dead.reset();
  CHECK(known_bytes(*partial, kTarget) == kTarget.size());
  partial.reset();
  if (staged() > 0) {
    CHECK(staged() == 2);
    partial = basis("f");
    REQUIRE(partial);
    CHECK(known_bytes(*partial, kTarget) == kTarget.size());
    partial.reset();
    now += 25 * kHour;
    store->sweep_partials();
  }
  CHECK(staged() == 0);
}

TEST_CASE_METHOD(Fixture, "a stored version stands behind the partial in one basis") {
  const Buffer old = test::random_bytes(3 * kMiB, 5);
  REQUIRE(test::put_file(*store, "f", old));
  cut("f", 9 * kMiB);
  const auto both = basis("f", store->open({}, "f").value());
  const auto chunks = both->chunks().value();
  const std::uint64_t border = both->size() - old.size();
  Buffer expected(kTarget.begin(), kTarget.begin() + static_cast<std::ptrdiff_t>(border));
  append(expected, old);
  Buffer got(both->size());
  REQUIRE(both->read_at(0, got));
  CHECK(got == expected);
  Buffer across(2000);
  REQUIRE(both->read_at(border - 1000, across));
  CHECK(std::equal(across.begin(), across.end(), expected.begin() + static_cast<std::ptrdiff_t>(border) - 1000));
  std::uint64_t bytes = 0;
  for (const Chunk& chunk : *chunks) bytes += chunk.length;
  CHECK(bytes == both->size());
  CHECK_FALSE(both->read_at(both->size() - 1, across));
}

TEST_CASE_METHOD(Fixture, "small, superseded, cancelled and refused drafts leave nothing") {
  cut("small", 7 * kMiB);
  CHECK(staged() == 0);
  {
    const auto draft = begin("f");
    fill(*draft, 9 * kMiB);
    CHECK(staged() == 2);
    draft->discard();
  }
  CHECK(staged() == 0);
  {
    auto first = begin("f");
    fill(*first, 9 * kMiB);
    const auto second = begin("f");
    first.reset();
    CHECK(staged() == 1);
  }
  CHECK(staged() == 0);
  {
    const auto draft = begin("f");
    fill(*draft, 9 * kMiB);
    CHECK_FALSE(test::commit(*draft, {}, 5, {}));
  }
  CHECK(staged() == 0);
}

TEST_CASE_METHOD(Fixture, "at a start only whole, young jobs with their own file stay") {
  cut("f", 9 * kMiB);
  const fs::path job = job_file();
  const fs::path file = fs::path(job).replace_extension();
  SECTION("a damaged job") {
    std::fstream(job, std::ios::in | std::ios::out | std::ios::binary).seekp(30).put('!').put('?');
  }
  SECTION("a job without its file") {
    fs::remove(file);
  }
  SECTION("a file without its job") {
    fs::remove(job);
  }
  SECTION("another file in its place") {
    fs::rename(file, folder / "away");
    fs::copy_file(folder / "away", file);
  }
  SECTION("a job of yesterday") {
    now += 25 * kHour;
  }
  reopen();
  CHECK(staged() == 0);
  CHECK_FALSE(basis("f"));
}

TEST_CASE_METHOD(Fixture, "what is too old goes while the server runs, unless it is read") {
  cut("f", 9 * kMiB);
  now += 23 * kHour;
  store->sweep_partials();
  CHECK(staged() == 2);
  auto read = basis("f");
  now += 2 * kHour;
  store->sweep_partials();
  CHECK(staged() == 2);
  read.reset();
  store->sweep_partials();
  CHECK(staged() == 0);
}

TEST_CASE_METHOD(Fixture, "of two attempts the one that got farther stays") {
  cut("f", 12 * kMiB);
  cut("f", 9 * kMiB);
  CHECK(staged() == 2);
  CHECK(basis("f")->size() > 11 * kMiB);
  {
    const auto partial = basis("f");
    const auto draft = begin("f", partial);
    fill(*draft, 15 * kMiB);
    CHECK(staged() == 4);
  }
  CHECK(staged() == 2);
  CHECK(basis("f")->size() > 14 * kMiB);
}

TEST_CASE_METHOD(Fixture, "past a limit the oldest go first") {
  PartialLimits limits;
  SECTION("of number") {
    limits.count = 2;
  }
  SECTION("of bytes") {
    limits.bytes = 20 * kMiB;
  }
  reopen(limits);
  for (const char* path : {"a", "b", "c", "d"}) {
    now += kHour;
    cut(path, 10 * kMiB);
  }
  const bool by_bytes = limits.count > 2;
  CHECK(staged() == (by_bytes ? 6 : 4));
  CHECK_FALSE(basis("a"));
  CHECK(basis("b").operator bool() == by_bytes);
  CHECK(basis("c"));
  CHECK(basis("d"));
}

TEST_CASE_METHOD(Fixture, "a full disk takes the partials before it fails an upload") {
  for (const char* path : {"a", "b"}) cut(path, 9 * kMiB);
  const auto read = basis("a");
  CHECK(staged() == 4);
  faults->before = [this](std::string_view operation) {
    if (operation != "pwrite") return;
    faults->before = nullptr;
    faults->arm(test::Faults::Kind::kFailOnce, 0, ENOSPC);
  };
  CHECK(test::put_file(*store, "f", test::random_bytes(1000, 1)));
  CHECK(faults->hit);
  CHECK(staged() == 2);
  faults->arm(test::Faults::Kind::kFailOnce, 1, ENOSPC);
  CHECK(test::put_file(*store, "f", test::random_bytes(2000, 1)).error().code == Code::kQuota);
  CHECK(staged() == 2);
  CHECK(known_bytes(*read, kTarget) > 8 * kMiB);
}

TEST_CASE_METHOD(Fixture, "what can never have room takes nothing away, and what can takes what it needs") {
  for (const char* path : {"a", "b"}) {
    cut(path, 9 * kMiB);
    now += kHour;
  }
  const Buffer old = test::random_bytes(300'000, 1);
  for (int i = 0; i < 2; ++i) {
    REQUIRE(test::put_file(*store, "f", old));
    REQUIRE(store->remove({}, "f", Recursive::kNo, {}));
  }
  REQUIRE(store->flush());
  const auto trashed = [this] { return store->list_trash({}, "", "", 100).value().entries.size(); };
  CHECK(staged() == 4);
  CHECK(trashed() == 2);
  faults->free_bytes = 1000;
  DraftRequest request;
  request.path = "g";
  const auto refused = [&](const Principal& who, std::uint64_t bytes) {
    request.bytes = bytes;
    const auto draft = store->begin(who, request);
    return !draft && draft.error().code == Code::kQuota;
  };
  SECTION("more than all of it") {
    for (const std::uint64_t bytes : {20 * kMiB, std::size_t{1} << 60}) {
      CHECK(refused({}, bytes));
      CHECK_FALSE(store->upload_basis({}, "a", bytes, nullptr));
    }
    CHECK(staged() == 4);
    CHECK(trashed() == 2);
  }
  SECTION("more than the account may have") {
    Principal poor;
    poor.account = "poor";
    poor.quota.bytes = 1;
    CHECK(refused(poor, 10 * kMiB));
    CHECK(store->figures().refused_bytes == 1);
    CHECK(staged() == 4);
    CHECK(trashed() == 2);
    Principal owner;
    owner.quota.bytes = 1;
    CHECK_FALSE(store->upload_basis(owner, "a", 10 * kMiB, nullptr));
    CHECK(store->figures().refused_bytes == 1);
    CHECK(staged() == 4);
  }
  SECTION("as much as there is") {
    CHECK(refused({}, 18 * kMiB));  // the disk says the same whatever goes
    CHECK(staged() == 0);
    CHECK(trashed() < 2);
  }
}

TEST_CASE_METHOD(Fixture, "a partial that cannot be read goes, and the next upload does without it") {
  cut("f", 9 * kMiB);
  {
    const auto partial = basis("f");
    fs::resize_file(fs::path(job_file()).replace_extension(), 9 * kMiB / 2);
    CHECK_FALSE(partial->chunks());
  }
  CHECK(staged() == 0);
  CHECK_FALSE(basis("f"));
}
