// What the server's monitor counts of a transfer that did not go as planned.
#include <unistd.h>
#include <catch2/catch.hpp>

#include <filesystem>

#include "base/counted_hasher.h"
#include "codec/sha256.h"
#include "codec/zstd_codec.h"
#include "server/watched_request.h"
#include "store/directory_store.h"
#include "support/bytes.h"
#include "support/loopback.h"
#include "sync/upload_client.h"

using namespace millrace;
namespace fs = std::filesystem;

namespace {

struct Fixture {
  Fixture() : folder(fs::temp_directory_path() / ("millrace-watched-" + std::to_string(getpid()))) {
    fs::remove_all(folder);
    auto opened = open_directory_store(folder, {Durability::kNone, SeededRandom(1), make_sha256, nullptr});
    REQUIRE(opened);
    store = opened->get();
    context.store = std::move(*opened);
    context.toolbox = {counted(make_sha256, hashed), make_zstd_codec, SeededRandom(7)};
  }
  ~Fixture() {
    context.store.reset();
    fs::remove_all(folder);
  }

  Result<TransferResult> upload(const Buffer& content, std::shared_ptr<PreparedTarget> prepared,
                                const TransferOptions& options) {
    return upload(content, std::move(prepared), options, UINT64_MAX);
  }
  Result<TransferResult> upload(const Buffer& content, std::shared_ptr<PreparedTarget> prepared,
                                const TransferOptions& options, std::uint64_t until) {
    test::Loopback loopback(seed++, context);
    loopback.on_accept = [this](FrameType type, ByteView payload, StreamPort& port) {
      return watch_request({&log, nullptr}, monitor, {1, seed, "somebody"}, type, payload, port,
                           [&](StreamPort& its_port) {
                             return make_server_conversation(context, Principal{}, type, payload, its_port);
                           });
    };
    Result<TransferResult> result = fail(Code::kNetwork, "It was cut off.");
    const Toolbox tools{make_sha256, make_zstd_codec, SeededRandom(7)};
    REQUIRE(loopback.client().open([&](StreamPort& port) {
      return make_upload(
          port, {"file", std::make_shared<BufferSource>(content), {1'000'000'000, 0644}, std::move(prepared)}, options,
          tools, [&](Result<TransferResult> ended) { result = std::move(ended); }, nullptr);
    }));
    loopback.run(until);
    return result;
  }

  fs::path folder;
  SharedTally hashed;
  ServerContext context;
  LocalStore* store = nullptr;
  Log log{{}};
  RecentTransfers recent{10};
  LoopMonitor monitor{recent};
  const LoopCounts& counts = monitor.counts;
  std::uint64_t seed = 1;
};

const TransferOptions kWhole{.whole_file = true, .expected = Expected{}};

}  // namespace

TEST_CASE_METHOD(Fixture, "a transfer that goes well is counted as nothing else") {
  REQUIRE(upload(test::random_bytes(300'000, 1), nullptr, kWhole));
  CHECK(counts.wrong_roots.value() == 0);
  CHECK(counts.asked_chunks.value() + counts.asked_all.value() == 0);
  CHECK(counts.resumed.value() + counts.resumed_failed.value() == 0);
  CHECK(hashed.value() >= 300'000);
  CHECK(store->figures().checked_bytes == 0);
}

TEST_CASE_METHOD(Fixture, "a small file that is not what was announced counts as a wrong root and comes again") {
  const Buffer content = test::random_bytes(9000, 1);
  const auto hasher = make_sha256();
  const auto codec = make_zstd_codec();
  auto prepared = std::make_shared<PreparedTarget>(prepare_target(BufferSource(content), *hasher, *codec, 3).value());
  prepared->patch[prepared->patch.size() / 2] ^= Byte{1};
  REQUIRE(upload(content, prepared, kWhole));
  CHECK(counts.wrong_roots.value() == 1);
  CHECK(counts.asked_all.value() == 1);
  CHECK(counts.asked_chunks.value() == 0);
}

TEST_CASE_METHOD(Fixture, "false matches count as wrong roots, and what is asked for then is told apart") {
  context.match_margin_bits = -40;  // as few bits as there may be
  std::uint64_t repairs = 0;
  for (std::uint64_t round = 1; round <= 12; ++round) {
    SeededRandom random(round);
    const Buffer basis = test::random_bytes(600'000, round);
    Buffer target = basis;
    for (int edit = 0; edit < 30; ++edit) target[random.below(target.size())] ^= 0x55;
    REQUIRE(upload(basis, nullptr, kWhole));
    TransferOptions deep;
    deep.max_depth = 3;
    const auto up = upload(target, nullptr, deep);
    REQUIRE(up);
    repairs += up->repairs;
  }
  CHECK(repairs > 0);
  CHECK(counts.wrong_roots.value() == repairs);
  CHECK(counts.asked_chunks.value() > 0);
  CHECK(counts.asked_chunks.value() + counts.asked_all.value() == repairs);
  CHECK(store->figures().checked_bytes > 0);
  CHECK(store->figures().queries.count > 0);
}
