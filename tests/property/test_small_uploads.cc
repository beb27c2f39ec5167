// Small files that are sent whole: one job on the server, whether the client prepared them or not, with the real store
// behind it.
#include <unistd.h>
#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>

#include "codec/sha256.h"
#include "codec/zstd_codec.h"
#include "store/directory_store.h"
#include "support/bytes.h"
#include "support/loopback.h"
#include "support/store_files.h"
#include "sync/small_upload_server.h"
#include "sync/upload_client.h"

using namespace millrace;
namespace fs = std::filesystem;

namespace {

enum class Prepared { kNo, kYes, kDamaged, kCut };

struct Fixture {
  Fixture() : folder(fs::temp_directory_path() / ("millrace-small-" + std::to_string(getpid()))) {
    fs::remove_all(folder);
    auto opened = open_directory_store(folder, {Durability::kFull, SeededRandom(1), make_sha256, nullptr});
    REQUIRE(opened);
    context.store = std::move(*opened);
    context.toolbox = {make_sha256, make_zstd_codec, SeededRandom(7)};
  }
  ~Fixture() {
    context.store.reset();
    fs::remove_all(folder);
  }

  Result<TransferResult> upload(const Buffer& content, Prepared how, std::optional<Expected> expected = Expected{}) {
    test::Loopback loopback(seed++, context);
    Result<TransferResult> result = fail(Code::kInternal, "The upload never ended.");
    const auto source = std::make_shared<BufferSource>(content);
    std::shared_ptr<PreparedTarget> prepared;
    if (how != Prepared::kNo) {
      const auto hasher = make_sha256();
      const auto codec = make_zstd_codec();
      prepared = std::make_shared<PreparedTarget>(prepare_target(*source, *hasher, *codec, 3).value());
      if (how == Prepared::kDamaged) prepared->patch[prepared->patch.size() / 2] ^= Byte{1};
      if (how == Prepared::kCut) prepared->patch.resize(prepared->patch.size() - 1);
    }
    TransferOptions options{.whole_file = true, .expected = expected};
    REQUIRE(loopback.client().open([&](StreamPort& port) {
      return make_upload(
          port, {"file", source, {1'000'000'000, 0644}, prepared}, options, context.toolbox,
          [&](Result<TransferResult> ended) { result = std::move(ended); }, nullptr);
    }));
    loopback.run();
    server_jobs = loopback.server_jobs();
    return result;
  }
  Buffer stored() const { return test::stored_file(folder, "file"); }

  fs::path folder;
  ServerContext context;
  std::uint64_t seed = 1;
  std::size_t server_jobs = 0;
};

Buffer content_of(std::size_t bytes) {
  Buffer content = test::random_bytes(bytes, bytes + 1);
  if (bytes > 4096) std::fill(content.begin() + 100, content.begin() + 2000, Byte{0});
  return content;
}

}  // namespace

TEST_CASE_METHOD(Fixture, "a small file that comes whole is one job for the server") {
  const std::size_t size = GENERATE(0, 1, 1000, 4096, 20'000, kMaxSmallUpload);
  INFO(size);
  const Buffer content = content_of(size);
  const auto plain = upload(content, Prepared::kNo);
  REQUIRE(plain);
  CHECK(server_jobs == 1);
  CHECK(stored() == content);
  const auto prepared = upload(content, Prepared::kYes);
  REQUIRE(prepared);
  CHECK(server_jobs == 1);
  CHECK(stored() == content);
  CHECK(prepared->version.token.root == plain->version.token.root);
  CHECK(prepared->literal_bytes == plain->literal_bytes);
  CHECK(prepared->zero_bytes == plain->zero_bytes);
  CHECK(context.store->verify({}, "file"));
}

TEST_CASE_METHOD(Fixture, "zeros are told as zeros, prepared or not") {
  const Buffer zeros(50'000, Byte{0});
  for (const Prepared how : {Prepared::kNo, Prepared::kYes}) {
    const auto result = upload(zeros, how);
    REQUIRE(result);
    CHECK(result->zero_bytes == zeros.size());
    CHECK(stored() == zeros);
  }
}

TEST_CASE_METHOD(Fixture,
                 "what does not have the announced root is asked for again, and the old version stays until it has") {
  const Buffer old = content_of(3000);
  REQUIRE(upload(old, Prepared::kNo));
  const Buffer content = content_of(9000);
  const auto result = upload(content, Prepared::kDamaged);
  REQUIRE(result);
  CHECK(result->repairs == 1);
  CHECK(stored() == content);
  REQUIRE(context.store->flush());
  CHECK(test::staged_files(folder) == 0);
}

TEST_CASE_METHOD(Fixture,
                 "a small upload replaces what it expects, or what is there when nothing is said, and nothing else") {
  const auto first = upload(content_of(1000), Prepared::kYes, Expected{Expected::Kind::kNone, {}});
  REQUIRE(first);
  const auto second = upload(content_of(2000), Prepared::kYes, Expected{Expected::Kind::kNone, {}});
  REQUIRE_FALSE(second);
  CHECK(second.error().code == Code::kConflict);
  CHECK(stored() == content_of(1000));
  // What is there already is success, whatever was expected, and stays as it is.
  const auto same = upload(content_of(1000), Prepared::kYes, Expected{Expected::Kind::kNone, {}});
  REQUIRE(same);
  CHECK(same->unchanged);
  CHECK(same->version == first->version);
  CHECK(test::staged_files(folder) == 0);
  CHECK(upload(content_of(3000), Prepared::kYes, Expected{Expected::Kind::kRoot, first->version.token.root}));
  CHECK(upload(content_of(4000), Prepared::kYes, std::nullopt));
  CHECK(stored() == content_of(4000));
}

TEST_CASE_METHOD(Fixture, "a small upload that was cut off leaves nothing, and no job was run for it") {
  CHECK_FALSE(upload(content_of(40'000), Prepared::kCut));
  CHECK(server_jobs == 0);
  CHECK(test::staged_files(folder) == 0);
}
