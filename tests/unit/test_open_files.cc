#include <unistd.h>
#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>

#include "codec/sha256.h"
#include "store/directory_store.h"
#include "store/stored_file.h"
#include "support/bytes.h"
#include "support/store_files.h"

using namespace millrace;
namespace fs = std::filesystem;

namespace {

struct Fixture {
  Fixture() : folder(fs::temp_directory_path() / ("millrace-open-" + std::to_string(getpid()))) {
    fs::remove_all(folder);
    auto opened = open_directory_store(folder, {Durability::kNone, SeededRandom(1), make_sha256, nullptr});
    REQUIRE(opened);
    store = std::move(*opened);
  }
  ~Fixture() {
    store.reset();
    fs::remove_all(folder);
  }
  std::shared_ptr<const StoredFile> open(const std::string& path) {
    auto file = store->open({}, path);
    REQUIRE(file);
    return *file;
  }
  static Result<Buffer> read(const StoredFile& file) {
    Buffer content(file.size());
    MILLRACE_TRY(file.read_at(0, content));
    return content;
  }
  std::size_t descriptors() const {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator("/proc/self/fd")) ++count;
    return count;
  }
  /// So many other files are used that nothing older is still open.
  std::vector<std::shared_ptr<const StoredFile>> crowd() {
    std::vector<std::shared_ptr<const StoredFile>> others;
    for (std::size_t i = 0; i < kOpenFiles + 10; ++i) {
      const std::string path = "crowd/" + std::to_string(i);
      if (!store->lookup({}, path).value()) REQUIRE(test::put_file(*store, path, test::random_bytes(100, i)));
      others.push_back(open(path));
    }
    return others;
  }
  fs::path folder;
  std::unique_ptr<Store> store;
};

}  // namespace

TEST_CASE_METHOD(Fixture, "many versions and drafts at once keep few files open") {
  const auto others = crowd();
  const std::size_t before = descriptors();
  std::vector<std::shared_ptr<const StoredFile>> more;
  std::vector<std::unique_ptr<StoreDraft>> drafts;
  const Buffer content = test::random_bytes(5000, 1);
  for (int i = 0; i < 500; ++i) {
    more.push_back(open("crowd/" + std::to_string(i % 200)));
    DraftRequest request;
    request.path = "new/" + std::to_string(i);
    drafts.push_back(store->begin({}, request).value());
    const ChunkList chunks = test::chunks_of(content);
    REQUIRE(drafts.back()->add(chunks, content));
  }
  CHECK(descriptors() <= before);
  const ChunkList chunks = test::chunks_of(content);
  const Digest root = build_tree(chunks, *make_sha256()).root;
  for (const auto& draft : drafts) REQUIRE(test::commit(*draft, root, content.size(), {1, 0644}));
  CHECK(read(*open("new/0")).value() == content);
  CHECK(read(*more.front()));
}

TEST_CASE_METHOD(Fixture,
                 "a version is readable to its end although its path was replaced, removed or moved meanwhile") {
  const Buffer old = test::random_bytes(200'000, 7);
  for (const char* path : {"replaced", "removed", "moved", "folder/below"}) REQUIRE(test::put_file(*store, path, old));
  std::vector<std::shared_ptr<const StoredFile>> readers;
  for (const char* path : {"replaced", "removed", "moved", "folder/below"}) readers.push_back(open(path));
  const auto others = crowd();
  REQUIRE(test::put_file(*store, "replaced", test::random_bytes(100, 8)));
  REQUIRE(store->remove({}, "removed", Recursive::kNo, {}));
  REQUIRE(store->move({}, "moved", "elsewhere", Force::kNo));
  REQUIRE(store->move({}, "folder", "other", Force::kNo));
  const auto again = crowd();
  for (const auto& reader : readers) CHECK(read(*reader).value() == old);
}

TEST_CASE_METHOD(Fixture, "what another program put in a version's place is not read for it") {
  REQUIRE(test::put_file(*store, "f", test::random_bytes(5000, 1)));
  const auto reader = open("f");
  const auto others = crowd();
  fs::rename(folder / "files/crowd/0", folder / "files/f");
  const auto got = read(*reader);
  REQUIRE_FALSE(got);
  CHECK(got.error().code == Code::kSourceChanged);
  CHECK(store->lookup({}, "f").value()->bytes == 100);
}

TEST_CASE_METHOD(Fixture, "the space of a removed file is given back when its last reader is gone") {
  REQUIRE(test::put_file(*store, "f", test::random_bytes(5000, 1)));
  const std::size_t before = descriptors();
  auto reader = open("f");
  REQUIRE(store->remove({}, "f", Recursive::kNo, {}));
  reader.reset();
  CHECK(descriptors() == before);
}
