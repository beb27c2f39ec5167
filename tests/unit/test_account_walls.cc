// What the store keeps apart between two accounts: the change feed, what is found by its content, and what is left of
// uploads. Through the store that requests go through, scopes included.
#include <unistd.h>
#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>

#include "codec/sha256.h"
#include "delta/chunk_tree.h"
#include "store/directory_store.h"
#include "store/scoped_store.h"
#include "support/bytes.h"
#include "support/chunks.h"
#include "support/store_files.h"

using namespace millrace;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMiB = 1u << 20;

struct Fixture {
  Fixture() : folder(fs::temp_directory_path() / ("millrace-walls-" + std::to_string(getpid()))) {
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
    store = make_scoped_store(std::move(*opened));
  }
  std::unique_ptr<StoreDraft> begin(const Principal& who, const std::string& path, std::uint64_t attempt = 1,
                                    std::shared_ptr<const StoredFile> basis = nullptr) {
    DraftRequest request;
    request.path = path;
    request.upload_id[0] = Byte{7};  // the same for everybody
    request.attempt = attempt;
    request.basis = std::move(basis);
    auto draft = store->begin(who, request);
    if (!draft) FAIL(draft.error().sentence);
    return std::move(*draft);
  }
  Result<Version> put(const Principal& who, const std::string& path, const Buffer& content) {
    const auto draft = begin(who, path);
    REQUIRE(draft->add(test::chunks_of(content), content));
    return finish(*draft, content);
  }
  static Result<Version> finish(StoreDraft& draft, const Buffer& content) {
    return test::commit(draft, root_of_content(content), content.size(), {});
  }
  static Digest root_of_content(const Buffer& content) {
    return build_tree(test::chunks_of(content), *make_sha256()).root;
  }
  std::vector<std::string> changed(const Principal& who, std::uint64_t since = 0) {
    std::vector<std::string> paths;
    const auto changes = store->changes(who, since, 1000).value();
    for (const Change& change : changes) paths.push_back((change.version ? "+" : "-") + change.path);
    std::sort(paths.begin(), paths.end());
    return paths;
  }
  /// The upload of the first `bytes` of `content` that is cut off.
  void cut(const Principal& who, const std::string& path, const Buffer& content, std::size_t bytes,
           std::uint64_t attempt = 1) {
    const auto draft = begin(who, path, attempt);
    std::size_t at = 0;
    for (const Chunk& chunk : test::chunks_of(content)) {
      if (at + chunk.length > bytes) return;
      REQUIRE(draft->add(std::span(&chunk, 1), ByteView(content).subspan(at, chunk.length)));
      at += chunk.length;
    }
  }
  std::uint64_t left(const Principal& who, const std::string& path) {
    const auto basis = store->upload_basis(who, path, 1, nullptr);
    return basis ? basis->size() : 0;
  }

  fs::path folder;
  std::uint64_t seed = 1;
  std::shared_ptr<Store> store;
  Principal alice{"alice", {}, {}};
  Principal bob{"bob", {}, {}};
};

using Paths = std::vector<std::string>;

}  // namespace

TEST_CASE_METHOD(Fixture, "an account's changes are its own, also beside names that begin with its name") {
  const Principal others[] = {alice, {"bob-2", {}, {}}, {"bob.x", {}, {}}, {"bo", {}, {}}, {"bob0", {}, {}}};
  for (const Principal& other : others) {
    REQUIRE(put(other, "theirs", test::random_bytes(100, 1)));
    REQUIRE(put(other, "bob/inside", test::random_bytes(100, 2)));
    REQUIRE(put(other, "gone", test::random_bytes(100, 3)));
    REQUIRE(store->remove(other, "gone", Recursive::kNo, {}));
    REQUIRE(store->move(other, "theirs", "moved", Force::kNo));
  }
  CHECK(changed(bob).empty());
  const auto mine = put(bob, "mine", test::random_bytes(100, 4));
  REQUIRE(mine);
  CHECK(changed(bob) == Paths{"+mine"});
  CHECK(changed(bob, mine->token.sequence).empty());
  for (const Principal& other : others) CHECK(changed(other) == Paths{"+bob/inside", "+moved", "-gone", "-theirs"});
  REQUIRE(store->remove(bob, "mine", Recursive::kNo, {}));
  CHECK(changed(bob) == Paths{"-mine"});
  reopen();
  CHECK(changed(bob) == Paths{"-mine"});
  CHECK(changed(alice) == Paths{"+bob/inside", "+moved", "-gone", "-theirs"});
}

TEST_CASE_METHOD(Fixture, "small pages of changes do not lead out of the account either") {
  for (int i = 0; i < 20; ++i) {
    REQUIRE(put(alice, "a" + std::to_string(i), test::random_bytes(50, 1)));
    REQUIRE(put(bob, "b" + std::to_string(i), test::random_bytes(50, 1)));
  }
  std::uint64_t since = 0;
  std::size_t seen = 0;
  for (;;) {
    const auto page = store->changes(bob, since, 3).value();
    if (page.empty()) break;
    for (const Change& change : page) CHECK(change.path.starts_with("b"));
    seen += page.size();
    since = page.back().sequence;
  }
  CHECK(seen == 20);
}

TEST_CASE_METHOD(Fixture, "content is found among an account's own files only") {
  const Buffer secret = test::random_bytes(300'000, 1);
  const Digest root = root_of_content(secret);
  REQUIRE(put(alice, "secret", secret));
  REQUIRE(store->find(alice, root));
  const Principal strangers[] = {bob, {"alic", {}, {}}, {"alice-2", {}, {}}, {"alice0", {}, {}}};
  for (const Principal& stranger : strangers) {
    const auto found = store->find(stranger, root);
    REQUIRE_FALSE(found);
    CHECK(found.error().code == Code::kNotFound);
    // As for content that nobody has.
    CHECK(found.error().sentence == store->find(stranger, Digest{}).error().sentence);
  }
  REQUIRE(put(bob, "own", secret));
  REQUIRE(store->find(bob, root));
  REQUIRE(store->remove(bob, "own", Recursive::kNo, {}));
  CHECK_FALSE(store->find(bob, root));
  CHECK(store->find(alice, root));
}

TEST_CASE_METHOD(Fixture, "who is confined to a part of an account finds no content of it") {
  const Buffer content = test::random_bytes(1000, 1);
  REQUIRE(put(alice, "in/a", content));
  Principal confined = alice;
  confined.scope.prefix = "in";
  CHECK_FALSE(store->find(confined, root_of_content(content)));
  Principal writer = alice;
  writer.scope.read = false;
  CHECK_FALSE(store->find(writer, root_of_content(content)));
  CHECK_FALSE(store->changes(writer, 0, 10));
}

TEST_CASE_METHOD(Fixture, "who may write and not read learns nothing of what is stored by sending guesses") {
  const Buffer content = test::random_bytes(20'000, 1);
  REQUIRE(put(alice, "f", content));
  Principal blind = alice;
  blind.scope.read = false;
  const auto guess = [&](const Principal& who, const Buffer& guessed) {
    DraftRequest request;
    request.path = "f";
    request.expected = {Expected::Kind::kNone, {}};
    const auto draft = store->begin(who, request).value();
    REQUIRE(draft->add(test::chunks_of(guessed), guessed));
    return finish(*draft, guessed);
  };
  const auto right = guess(blind, content);
  const auto wrong = guess(blind, test::random_bytes(20'000, 2));
  REQUIRE_FALSE(right);
  REQUIRE_FALSE(wrong);
  CHECK(right.error().code == Code::kConflict);
  CHECK(wrong.error().code == Code::kConflict);
  CHECK(right.error().sentence == wrong.error().sentence);
  CHECK(right.error().sentence.find(to_hex(root_of_content(content)).substr(0, 12)) == std::string::npos);
  CHECK(guess(alice, content));
}

SCENARIO_METHOD(Fixture, "what an account's upload left is nobody else's") {
  const Buffer content = test::random_bytes(16 * kMiB, 1);
  cut(alice, "f", content, 12 * kMiB);
  REQUIRE(left(alice, "f") > 11 * kMiB);
  THEN("another account is not compared with it, whatever path it names") {
    for (const char* path : {"f", "alice/f", "../alice/f"}) CHECK(left(bob, path) == 0);
  }
  WHEN("another account uploads the same file to the same path with the same upload id") {
    REQUIRE(put(bob, "f", content));
    THEN("the first one's is still there") {
      CHECK(left(alice, "f") > 11 * kMiB);
    }
  }
  WHEN("another account's upload is cut off at the same path, further on") {
    cut(bob, "f", test::random_bytes(16 * kMiB, 2), 15 * kMiB, 9);
    THEN("each goes on with its own, also after a restart") {
      for (int starts = 0; starts < 2; ++starts) {
        CHECK(left(alice, "f") < 12 * kMiB + 1);
        CHECK(left(bob, "f") > 14 * kMiB);
        Buffer first(100);
        REQUIRE(store->upload_basis(alice, "f", 1, nullptr)->read_at(0, first));
        CHECK(std::equal(first.begin(), first.end(), content.begin()));
        reopen();
      }
    }
  }
  WHEN("it is finished by its own account") {
    const auto basis = store->upload_basis(alice, "f", content.size(), nullptr);
    REQUIRE(basis);
    REQUIRE(put(alice, "f", content));
    THEN("nothing is left for anybody") {
      CHECK(left(alice, "f") == 0);
      CHECK(left(bob, "f") == 0);
    }
  }
}

TEST_CASE_METHOD(Fixture, "another account does not take over an upload under way") {
  const Buffer content = test::random_bytes(100'000, 1);
  const auto open = begin(alice, "f", 5);
  REQUIRE(open->add(test::chunks_of(content), content));
  // The same upload id and path: a later attempt, and an earlier one, which would be refused.
  const auto later = begin(bob, "f", 6);
  const auto earlier = begin(bob, "g", 1);
  const Buffer other = test::random_bytes(10, 2);
  REQUIRE(later->add(test::chunks_of(other), other));
  REQUIRE(finish(*later, other));
  CHECK(finish(*open, content));
  CHECK(store->lookup(alice, "f").value()->bytes == content.size());
  CHECK(store->lookup(bob, "f").value()->bytes == 10);
}
