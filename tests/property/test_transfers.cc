// Random files, random edits, random cuts of the byte stream: uploads and downloads through both state machines, with
// the real store behind them.
#include <unistd.h>
#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <numeric>

#include "codec/sha256.h"
#include "codec/zstd_codec.h"
#include "delta/chunk_tree.h"
#include "delta/part_encoder.h"
#include "delta/patch_writer.h"
#include "store/directory_store.h"
#include "support/bytes.h"
#include "support/edits.h"
#include "support/loopback.h"
#include "support/memory_download.h"
#include "support/memory_store.h"
#include "support/store_files.h"
#include "sync/download_attempts.h"
#include "sync/upload_client.h"

using namespace millrace;
namespace fs = std::filesystem;

namespace {

struct Fixture {
  Fixture() : folder(fs::temp_directory_path() / ("millrace-transfers-" + std::to_string(getpid()))) {
    fs::remove_all(folder);
    auto opened = open_directory_store(folder, {Durability::kNone, SeededRandom(1), make_sha256, nullptr});
    REQUIRE(opened);
    context.store = std::move(*opened);
    context.toolbox = toolbox();
  }
  ~Fixture() {
    context.store.reset();
    fs::remove_all(folder);
  }
  static Toolbox toolbox() { return {make_sha256, make_zstd_codec, SeededRandom(7)}; }

  Result<TransferResult> upload(std::uint64_t seed, const Buffer& content, TransferOptions options = {},
                                Attributes attributes = {1'000'000'000, 0644}) {
    test::Loopback loopback(seed, context);
    Result<TransferResult> result = fail(Code::kInternal, "The upload never ended.");
    const Toolbox tools = toolbox();
    REQUIRE(loopback.client().open([&](StreamPort& port) {
      return make_upload(
          port, {"file", std::make_shared<BufferSource>(content), attributes}, options, tools,
          [&](Result<TransferResult> ended) { result = std::move(ended); }, nullptr);
    }));
    loopback.run();
    bytes = loopback.bytes_to_server() + loopback.bytes_to_client();
    return result;
  }
  Result<TransferResult> download(std::uint64_t seed, const Buffer& basis, Buffer& into, TransferOptions options = {},
                                  BasisIs basis_is = BasisIs::kAtPlace) {
    test::Loopback loopback(seed, context);
    Result<TransferResult> result = fail(Code::kInternal, "The download never ended.");
    const Toolbox tools = toolbox();
    DownloadTarget target;
    target.path = "file";
    target.basis = std::make_shared<BufferSource>(basis);
    target.basis_is = basis_is;
    into = basis_is == BasisIs::kAtPlace ? basis : Buffer();
    target.open_draft = [&](const auto& source, const auto& chunks) {
      REQUIRE(source);
      return test::open_memory_download(source, chunks, into);
    };
    REQUIRE(begin_download([&](const auto& make) { return loopback.client().open(make); }, target, options, tools,
                           [&](Result<TransferResult> ended) { result = std::move(ended); }, nullptr));
    loopback.run();
    bytes = loopback.bytes_to_server() + loopback.bytes_to_client();
    return result;
  }
  Buffer stored() const { return test::stored_file(folder, "file"); }

  fs::path folder;
  ServerContext context;
  std::uint64_t bytes = 0;  ///< of the last transfer, both directions
};

TransferOptions deep(std::uint32_t depth) {
  TransferOptions options;
  options.max_depth = depth;
  return options;
}

void require_both_ways(Fixture& fixture, std::uint64_t seed, const Buffer& basis, const Buffer& target,
                       const TransferOptions& options = deep(3)) {
  REQUIRE(fixture.upload(seed, basis, TransferOptions{.whole_file = true, .expected = Expected{}}));
  const auto up = fixture.upload(seed + 1, target, options);
  if (!up) FAIL(up.error().sentence);
  CHECK(fixture.stored() == target);
  Buffer got;
  const auto down = fixture.download(seed + 2, basis, got, options);
  if (!down) FAIL(down.error().sentence);
  CHECK(got == target);
}

}  // namespace

TEST_CASE_METHOD(Fixture, "random edits travel both ways at every depth") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    INFO("seed " << seed);
    SeededRandom random(seed);
    const Buffer basis = seed % 9 == 0   ? Buffer()
                         : seed % 2 == 0 ? test::random_text(random.below(2u << 20), random())
                                         : test::random_bytes(random.below(3u << 20), random());
    const Buffer target = test::edited(basis, random);
    require_both_ways(*this, seed * 100, basis, target, deep(static_cast<std::uint32_t>(seed % 4)));
  }
}

TEST_CASE_METHOD(Fixture, "a few changed bytes cost a few hundred bytes") {
  const Buffer basis = test::random_bytes(3u << 20, 5);
  Buffer target = basis;
  target[1'000'000] ^= 1;
  require_both_ways(*this, 1, basis, target);
  REQUIRE(upload(10, basis, deep(3)));
  CHECK(bytes < 3000);
  REQUIRE(upload(11, target, deep(3)));
  const std::uint64_t deep_bytes = bytes;
  REQUIRE(upload(12, basis, deep(0)));
  CHECK(deep_bytes * 3 < bytes);
}

TEST_CASE_METHOD(Fixture, "pieces that moved are found") {
  const Buffer basis = test::random_bytes(4u << 20, 6);
  Buffer target;
  for (const std::size_t piece : {3u, 1u, 2u, 0u}) append(target, ByteView(basis).subspan(piece << 20, 1u << 20));
  require_both_ways(*this, 1, basis, target);
  CHECK(bytes < 20'000);
}

TEST_CASE_METHOD(Fixture, "the traps: zeros, repeats, growth, shrinkage, tiny and equal files") {
  const Buffer random = test::random_bytes(700'000, 9);
  Buffer repeated;
  for (int i = 0; i < 400; ++i) append(repeated, ByteView(random).first(3000));
  Buffer repeated_changed = repeated;
  repeated_changed[600'001] ^= 0xff;
  Buffer sparse(5u << 20, Byte{0});
  std::copy_n(random.begin(), 100'000, sparse.begin() + 2'000'000);
  Buffer sparse_changed = sparse;
  sparse_changed[2'050'000] ^= 1;
  sparse_changed[4'000'000] = 1;
  Buffer grown = random;
  append(grown, test::random_bytes(200'000, 10));
  const Buffer chunk(kMinChunkBytes - 1, Byte{7});
  const std::pair<Buffer, Buffer> pairs[] = {
      {repeated, repeated_changed},
      {sparse, sparse_changed},
      {random, grown},
      {grown, random},
      {{}, random},
      {random, {}},
      {Buffer(1, Byte{1}), Buffer(1, Byte{2})},
      {random, Buffer(1, Byte{2})},
      {chunk, random},
      {random, chunk},
      {random, random},
      {Buffer(kMaxChunkBytes, Byte{3}), Buffer(kMaxChunkBytes, Byte{4})},
      {sparse, Buffer(5u << 20, Byte{0})},
  };
  std::uint64_t seed = 1;
  for (const auto& [basis, target] : pairs) {
    INFO("pair " << seed);
    require_both_ways(*this, seed++ * 10, basis, target);
    require_both_ways(*this, seed * 10, target, basis);
  }
}

TEST_CASE_METHOD(Fixture, "a change among zeros costs next to nothing however long they are") {
  Buffer basis(32u << 20, Byte{0});
  basis[5'000'000] = 1;
  Buffer target = basis;
  target[20'000'000] = 1;
  REQUIRE(upload(1, basis));
  CHECK(bytes < 2000);
  REQUIRE(upload(2, target, deep(3)));
  CHECK(stored() == target);
  CHECK(bytes < 2000);
}

TEST_CASE_METHOD(Fixture, "data that shares nothing and does not compress costs at most 0.5 % more than itself") {
  const Buffer basis = test::random_bytes(5u << 20, 20);
  const Buffer target = test::random_bytes(5u << 20, 21);
  REQUIRE(upload(1, basis));
  REQUIRE(upload(2, target, deep(3)));
  CHECK(bytes < target.size() + target.size() / 200);
  Buffer got;
  REQUIRE(download(3, basis, got, deep(3)));
  CHECK(got == target);
  CHECK(bytes < target.size() + target.size() / 200);
}

TEST_CASE_METHOD(Fixture, "false matches are found by the root and repaired") {
  context.match_margin_bits = -40;  // as few bits as there may be
  std::uint32_t repairs = 0;
  std::uint32_t repairs_down = 0;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    INFO("seed " << seed);
    SeededRandom random(seed);
    const Buffer basis = test::random_bytes(600'000, seed);
    Buffer target = basis;
    for (int edit = 0; edit < 30; ++edit) target[random.below(target.size())] ^= 0x55;
    REQUIRE(upload(seed, basis, TransferOptions{.whole_file = true, .expected = Expected{}}));
    const auto up = upload(seed + 50, target, deep(3));
    if (!up) FAIL(up.error().sentence);
    CHECK(stored() == target);
    repairs += up->repairs;
    CHECK(up->literal_bytes < 3 * target.size());
    Buffer got;
    const auto down = download(seed + 100, basis, got, deep(3));
    if (!down) FAIL(down.error().sentence);
    CHECK(got == target);
    repairs_down += down->repairs;
    // What was right of the first attempt is not sent again.
    CHECK(down->literal_bytes < target.size());
  }
  CHECK(repairs > 0);
  CHECK(repairs_down > 0);
}

TEST_CASE_METHOD(Fixture, "an upload that was cut off goes on at any point; one that was cancelled begins anew") {
  constexpr std::uint64_t kMiB = 1u << 20;
  const bool cancelled = GENERATE(false, true);
  const bool replaces = GENERATE(false, true);
  const Buffer target = test::random_bytes(15 * kMiB, 3);
  if (replaces) {
    // Its end is already there.
    Buffer old = test::random_bytes(kMiB, 4);
    append(old, ByteView(target).subspan(13 * kMiB));
    REQUIRE(upload(1, old));
  }
  std::uint64_t sent = 0;
  for (const std::uint64_t until : {9 * kMiB, 11 * kMiB, 12 * kMiB + 345}) {
    INFO("cut after " << until);
    test::Loopback loopback(until, context);
    const Toolbox tools = toolbox();
    TransferOptions options;
    options.whole_file = true;
    const auto stream = loopback.client().open([&](StreamPort& port) {
      return make_upload(
          port, {"file", std::make_shared<BufferSource>(target), {1, 0644}}, options, tools,
          [](const Result<TransferResult>& ended) { CHECK_FALSE(ended); }, nullptr);
    });
    REQUIRE(stream);
    loopback.run(until);
    sent = loopback.bytes_to_server();
    if (!cancelled) continue;
    loopback.client().cancel(*stream);
    loopback.run();
  }
  CHECK((test::staged_files(folder) == 0) == cancelled);
  const auto done = upload(9, target);
  REQUIRE(done);
  CHECK(stored() == target);
  REQUIRE(context.store->flush());
  CHECK(test::staged_files(folder) == 0);
  const std::uint64_t missing = (replaces ? 13 * kMiB : target.size()) - (cancelled ? 0 : sent);
  CHECK(bytes <= missing + kMiB + kMiB / 2);  // what was on its way is missing, too
  CHECK(bytes + kMiB / 2 >= missing);
}

TEST_CASE_METHOD(Fixture, "a client that cuts files in a way of its own is refused") {
  // Sends a whole file as chunks of a fixed size, with a root that fits them.
  class FixedCuts final : public Conversation {
   public:
    FixedCuts(StreamPort& port, const Buffer& content, std::optional<Error>& refused) : refused_(refused) {
      constexpr std::size_t kFixed = 5000;
      ChunkTreeBuilder builder;
      PatchPlanner planner(Addressing::kBasis, {});
      const auto hasher = make_sha256();
      for (ByteView rest(content); !rest.empty();) {
        const ByteView chunk = rest.first(std::min(rest.size(), kFixed));
        rest = rest.subspan(chunk.size());
        builder.add(static_cast<std::uint32_t>(chunk.size()), hasher->hash(chunk), *hasher);
        planner.add_chunk({static_cast<std::uint32_t>(chunk.size())});
      }
      wire::Upload request;
      request.path = "file";
      request.bytes = content.size();
      port.send(request);
      PatchCursor cursor;
      auto plan = planner.next_part(content.size());
      REQUIRE(plan);
      plan->root = builder.finish(*hasher).root;
      auto part = encode_part(*plan, encode_instructions(*plan, cursor), 0, 4u << 20, BufferSource(content), {},
                              *make_zstd_codec(), 0);
      REQUIRE(part);
      port.send_data(SharedBytes::of(encode_patch_header(4u << 20, Addressing::kBasis)));
      port.send_data(SharedBytes::of(std::move(part->head)));
      for (SharedBytes& piece : part->literals) port.send_data(std::move(piece));
    }
    Status on_message(FrameType, ByteView) override { return fail(Code::kInternal, "The server took it."); }
    Status on_data(ByteView) override { return {}; }
    void on_closed(const Error& error) override { refused_ = error; }

   private:
    std::optional<Error>& refused_;
  };
  const Buffer content = test::random_bytes(100'000, 33);
  std::optional<Error> refused;
  test::Loopback loopback(1, context);
  REQUIRE(
      loopback.client().open([&](StreamPort& port) { return std::make_shared<FixedCuts>(port, content, refused); }));
  loopback.run();
  REQUIRE(refused);
  CHECK(refused->code == Code::kProtocol);
  CHECK_FALSE(fs::exists(folder / "files" / "file"));
}

TEST_CASE_METHOD(Fixture,
                 "content that is there already is success, and stays as it is where something else was expected") {
  const Buffer old = test::random_bytes(100'000, 1);
  const Buffer content = test::random_bytes(300'000, 2);
  const auto first = upload(1, old);
  REQUIRE(first);
  const Expected was{Expected::Kind::kRoot, first->version.token.root};
  const auto second = upload(2, content, TransferOptions{.expected = was});
  REQUIRE(second);
  const Attributes others{2'000'000'000, 0600};
  // An attempt whose answer was lost, and one that expects nothing there.
  for (const Expected& expected : {was, Expected{Expected::Kind::kNone, {}}}) {
    const auto again = upload(3, content, TransferOptions{.expected = expected}, others);
    REQUIRE(again);
    CHECK(again->unchanged);
    CHECK(again->version == second->version);
    CHECK(context.store->lookup({}, "file").value() == second->version);
    CHECK(upload(4, old, TransferOptions{.expected = expected}, others).error().code == Code::kConflict);
    CHECK(context.store->lookup({}, "file").value() == second->version);
  }
  const auto touched = upload(5, content, {}, others);
  REQUIRE(touched);
  CHECK(touched->version.attributes == others);
}

TEST_CASE_METHOD(Fixture, "a few bytes that name a file of nothing but holes are refused") {
  // Asks to make a file of unknown size out of chunks of zeros.
  class Holes final : public Conversation {
   public:
    Holes(StreamPort& port, std::uint64_t count, std::uint64_t length, std::optional<Error>& refused)
        : refused_(refused) {
      wire::Upload request;
      request.path = "file";
      request.size_unknown = true;
      port.send(request);
      PartPlan plan;
      plan.items.push_back({PatchItem::Kind::kZeros, 0, count, count * length});
      PatchCursor cursor;
      const Buffer instructions = encode_instructions(plan, cursor);
      port.send_data(SharedBytes::of(encode_patch_header(4u << 20, Addressing::kBasis)));
      port.send_data(SharedBytes::of(encode_part_header(instructions.size(), 0, 0, false)));
      port.send_data(SharedBytes::of(instructions));
    }
    Status on_message(FrameType, ByteView) override { return fail(Code::kInternal, "The server took it."); }
    Status on_data(ByteView) override { return {}; }
    void on_closed(const Error& error) override { refused_ = error; }

   private:
    std::optional<Error>& refused_;
  };
  const auto refusal = [this](std::uint64_t count, std::uint64_t length) {
    std::optional<Error> refused;
    test::Loopback loopback(1, context);
    REQUIRE(loopback.client().open(
        [&](StreamPort& port) { return std::make_shared<Holes>(port, count, length, refused); }));
    loopback.run();
    REQUIRE(refused);
    return refused->code;
  };
  CHECK(refusal(std::uint64_t{1} << 32, 1) == Code::kProtocol);
  CHECK(refusal(std::uint64_t{1} << 32, kMaxChunkBytes) == Code::kTooLarge);
  CHECK_FALSE(fs::exists(folder / "files" / "file"));
}

TEST_CASE_METHOD(Fixture, "a sparse file of 20 GiB is stored as a hole, and a draft of it takes no memory for that") {
  constexpr std::uint64_t kCount = (std::uint64_t{20} << 30) / kMaxChunkBytes;
  const auto hasher = make_sha256();
  const Chunk zeros{hasher->hash(Buffer(kMaxChunkBytes, Byte{0})), 0, kMaxChunkBytes};
  DraftRequest request;
  request.path = "file";
  const auto draft = context.store->begin({}, request).value();
  REQUIRE(draft->add_zeros(zeros, kCount));
  CHECK(draft->chunk_count() == kCount);
  CHECK(draft->chunk_at(kCount - 1)->digest == zeros.digest);
  const auto root = build_tree(ChunkList(kCount, zeros), *hasher).root;
  const auto version = test::commit(*draft, root, kCount * kMaxChunkBytes, {});
  REQUIRE(version);
  CHECK(fs::file_size(folder / "files" / "file") == std::uint64_t{20} << 30);
  CHECK(context.store->open({}, "file").value()->chunks().value()->size() == kCount);
}

TEST_CASE_METHOD(Fixture, "a basis that is the version is left alone at its place, and copied from elsewhere") {
  const Buffer content = test::random_bytes(40u << 20, 7);
  REQUIRE(upload(1, content, TransferOptions{.expected = Expected{}}));
  Buffer got;
  const auto there = download(2, content, got);
  REQUIRE(there);
  CHECK(there->unchanged);
  const auto elsewhere = download(3, content, got, {}, BasisIs::kElsewhere);
  if (!elsewhere) FAIL(elsewhere.error().sentence);
  CHECK_FALSE(elsewhere->unchanged);
  CHECK(elsewhere->matched_bytes == content.size());
  CHECK(got == content);
  CHECK(bytes < 1024);
}

TEST_CASE_METHOD(Fixture, "a large basis is copied ahead where the client's file differs in something, up to a limit") {
  const Attributes others{2'000'000'000, 0644};
  const Buffer old = test::random_bytes(20 << 20, 1);
  Buffer target = old;
  target[12'345'678] ^= Byte{1};
  const auto copied = [&](const Buffer& content, const Attributes& attributes, std::uint64_t limit) {
    const auto memory = std::make_shared<test::MemoryStore>(1u << 30);
    memory->put("file", old, {1'000'000'000, 0644});
    context.store = memory;
    context.copy_ahead = limit;
    const auto done = upload(3, content, {}, attributes);
    REQUIRE(done);
    CHECK(memory->files().at("file")->content == content);
    for (const std::uint64_t bytes : memory->copied_ahead()) CHECK(bytes <= (8u << 20));
    return std::accumulate(memory->copied_ahead().begin(), memory->copied_ahead().end(), std::uint64_t{0});
  };
  CHECK(copied(target, others, 3u << 20) == 3u << 20);
  CHECK(copied(target, others, 0) == 0);
  // What is equal in time and mode is equal in content, for the most part.
  CHECK(copied(target, {1'000'000'000, 0644}, 3u << 20) == 0);
  CHECK(copied(old, {1'000'000'000, 0644}, 3u << 20) == 0);
}
