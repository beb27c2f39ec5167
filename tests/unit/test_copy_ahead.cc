// A draft that copies its basis before anybody has asked for it.
#include <unistd.h>
#include <catch2/catch.hpp>

#include <filesystem>
#include <unordered_map>

#include "store/directory_store.h"
#include "support/bytes.h"
#include "support/faulty_disk.h"
#include "support/store_files.h"

using namespace millrace;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMiB = 1u << 20;
constexpr std::uint64_t kAll = UINT64_MAX / 2;

struct Fixture {
  Fixture() : folder(fs::temp_directory_path() / ("millrace-ahead-" + std::to_string(getpid()))) {
    fs::remove_all(folder);
    auto opened = open_data_folder(folder);
    REQUIRE(opened);
    opened->disk = std::make_unique<test::FaultyDisk>(std::move(opened->disk), faults);
    auto made = open_directory_store(
        std::move(*opened), folder / "catalogue.sqlite",
        {Durability::kNone, SeededRandom(1), make_sha256, nullptr, nullptr, 1, Committing::kInline, {1, 1}});
    REQUIRE(made);
    store = std::move(*made);
    faults->before = [this](std::string_view operation) { written += operation == "pwrite" ? 1 : 0; };
  }
  ~Fixture() {
    store.reset();
    fs::remove_all(folder);
  }
  std::shared_ptr<const StoredFile> put(const Buffer& content) {
    REQUIRE(test::put_file(*store, "f", content));
    return store->open({}, "f").value();
  }
  std::unique_ptr<StoreDraft> begin(std::uint64_t bytes, std::shared_ptr<const StoredFile> basis) {
    DraftRequest request;
    request.path = "f";
    request.bytes = bytes;
    request.basis = std::move(basis);
    return store->begin({}, request).value();
  }
  /// As a patch would build it: chunks that the basis has are kept, wherever they stand.
  static void build(StoreDraft& draft, const StoredFile& basis, const Buffer& target) {
    std::unordered_map<std::string, std::uint64_t> known;
    const auto have = basis.chunks().value();
    for (std::size_t i = 0; i < have->size(); ++i) known.emplace(to_hex((*have)[i].digest), i);
    ByteView rest(target);
    for (const Chunk& chunk : test::chunks_of(target)) {
      const ByteView content = rest.first(chunk.length);
      rest = rest.subspan(chunk.length);
      const auto found = known.find(to_hex(chunk.digest));
      if (all_zero(content)) {
        REQUIRE(draft.add_zeros(chunk, 1));
      } else if (found != known.end()) {
        REQUIRE(draft.keep(found->second, 1));
      } else {
        REQUIRE(draft.add(std::span(&chunk, 1), content));
      }
    }
  }
  void commit_and_compare(StoreDraft& draft, const Buffer& target) {
    const Digest root = build_tree(test::chunks_of(target), *make_sha256()).root;
    const auto version = test::commit(draft, root, target.size(), {});
    REQUIRE(version);
    CHECK(test::stored_file(folder, "f") == target);
    CHECK(store->verify({}, "f"));
  }
  fs::path folder;
  std::shared_ptr<test::Faults> faults = std::make_shared<test::Faults>();
  std::size_t written = 0;
  std::unique_ptr<LocalStore> store;
};

/// Parts that stay, are new, are zeros, move or go.
Buffer edited(const Buffer& old, SeededRandom& random) {
  Buffer target;
  for (std::size_t at = 0; at < old.size();) {
    const std::size_t length = std::min<std::size_t>(old.size() - at, 1 + random() % (kMiB / 2));
    const ByteView part = ByteView(old).subspan(at, length);
    switch (random() % 8) {
      case 0:
        append(target, test::random_bytes(length, random()));
        break;
      case 1:
        target.resize(target.size() + length, Byte{0});
        break;
      case 2:
        append(target, test::random_bytes(random() % 1000, random()));
        append(target, part);
        break;
      case 3:
        break;
      default:
        append(target, part);
    }
    at += length;
  }
  return target;
}

Buffer with_zeros(std::size_t bytes, std::uint64_t seed) {
  Buffer content = test::random_bytes(bytes, seed);
  SeededRandom random(seed);
  for (int i = 0; i < 3; ++i) {
    const std::size_t at = random() % bytes;
    std::fill_n(content.begin() + static_cast<std::ptrdiff_t>(at), std::min<std::size_t>(bytes - at, kMiB / 2),
                Byte{0});
  }
  return content;
}

}  // namespace

TEST_CASE_METHOD(Fixture, "what stays in its place is not written again") {
  const Buffer old = test::random_bytes(3 * kMiB, 1);
  const auto basis = put(old);
  Buffer target = old;
  target[kMiB] ^= Byte{1};
  const auto draft = begin(target.size(), basis);
  while (draft->copy_ahead(kMiB).value()) {
  }
  CHECK(written > 0);
  written = 0;
  build(*draft, *basis, target);
  CHECK(written == 1);
  commit_and_compare(*draft, target);
}

TEST_CASE_METHOD(Fixture, "whatever was copied ahead, the draft becomes what the patch says") {
  SeededRandom random(7);
  for (int round = 0; round < 60; ++round) {
    INFO("round " << round);
    const Buffer old = with_zeros(kMiB + random() % (2 * kMiB), random());
    const auto basis = put(old);
    Buffer target = edited(old, random);
    if (round % 10 == 0) target = old;
    if (round % 10 == 1) target.resize(std::min<std::size_t>(target.size(), 1000));
    if (round % 10 == 2) target = Buffer(target.size(), Byte{0});
    const auto draft = begin(target.size(), basis);
    for (auto times = random() % 4; times > 0; --times) (void)draft->copy_ahead(1 + random() % (2 * kMiB)).value();
    build(*draft, *basis, target);
    // Once the patch has begun nothing is copied ahead.
    if (!target.empty()) CHECK_FALSE(draft->copy_ahead(kAll).value());
    commit_and_compare(*draft, target);
  }
}

TEST_CASE_METHOD(Fixture, "no more is copied ahead than was announced, and nothing where there is no basis") {
  const auto basis = put(test::random_bytes(2 * kMiB, 3));
  CHECK_FALSE(begin(kMiB, nullptr)->copy_ahead(kAll).value());
  const auto draft = begin(kMiB, basis);
  CHECK_FALSE(draft->copy_ahead(kAll).value());
  std::uint64_t longest = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder / "staging"))
    if (entry.is_regular_file()) longest = std::max<std::uint64_t>(longest, entry.file_size());
  CHECK(longest > kMiB / 2);
  CHECK(longest <= kMiB);
}

TEST_CASE_METHOD(Fixture, "a full disk ends the copying ahead, not the upload, and gets its room back") {
  const Buffer old = test::random_bytes(2 * kMiB, 4);
  const auto basis = put(old);
  const auto draft = begin(old.size(), basis);
  CHECK(draft->copy_ahead(kMiB).value());
  faults->refused["pwrite"] = ENOSPC;
  CHECK_FALSE(draft->copy_ahead(kMiB).value());
  for (const auto& entry : fs::recursive_directory_iterator(folder / "staging"))
    if (entry.is_regular_file()) CHECK(entry.file_size() == 0);
  faults->refused.clear();
  build(*draft, *basis, old);
  commit_and_compare(*draft, old);
}

TEST_CASE_METHOD(Fixture, "damage in the basis is found when its bytes are asked for") {
  const Buffer old = test::random_bytes(2 * kMiB, 5);
  const auto basis = put(old);
  REQUIRE(basis->chunks());
  const fs::path file = folder / "files" / "f";
  const auto when = fs::last_write_time(file);
  {
    std::fstream damaged(file, std::ios::binary | std::ios::in | std::ios::out);
    damaged.seekp(kMiB);
    damaged.put(static_cast<char>(old[kMiB] ^ Byte{1}));
  }
  fs::last_write_time(file, when);
  const auto draft = begin(old.size(), basis);
  CHECK_FALSE(draft->copy_ahead(kAll).value());
  const std::uint64_t chunks = basis->chunks().value()->size();
  const auto kept = draft->keep(0, chunks);
  REQUIRE_FALSE(kept);
  CHECK(kept.error().code == Code::kIntegrity);
}

TEST_CASE_METHOD(Fixture, "what was copied ahead is neither lent to another attempt nor left for one") {
  const Buffer old = test::random_bytes(24 * kMiB, 6);
  const auto basis = put(old);
  Buffer target = old;
  for (std::size_t at = 0; at < target.size(); at += kMiB / 4) target[at] ^= Byte{1};
  auto draft = begin(target.size(), basis);
  CHECK_FALSE(draft->copy_ahead(kAll).value());
  const ChunkList chunks = test::chunks_of(target);
  std::size_t at = 0;
  for (std::size_t i = 0; at < 12 * kMiB; at += chunks[i++].length)
    REQUIRE(draft->add(std::span(&chunks[i], 1), ByteView(target).subspan(at, chunks[i].length)));
  CHECK(store->upload_basis({}, "f", target.size(), nullptr)->size() == at);
  draft.reset();
  CHECK(store->upload_basis({}, "f", target.size(), nullptr)->size() == at);
}
