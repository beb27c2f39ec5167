// Random files, random edits: what the searcher keeps and the patch carries always rebuilds the target.
#include <catch2/catch.hpp>

#include "codec/sha256.h"
#include "codec/zstd_codec.h"
#include "delta/chunk_runs.h"
#include "delta/chunker.h"
#include "delta/part_encoder.h"
#include "delta/patch_applier.h"
#include "delta/patch_writer.h"
#include "delta/tree_exchange.h"
#include "support/bytes.h"
#include "support/chunks.h"
#include "support/edits.h"
#include "support/memory_draft.h"

using namespace millrace;

TEST_CASE("tree exchange and patch rebuild the target from the basis") {
  const auto hasher = make_sha256();
  const auto codec = make_zstd_codec();
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    INFO("seed " << seed);
    SeededRandom random(seed);
    const Buffer basis = seed % 7 == 0 ? Buffer() : test::random_bytes(random.below(6u << 20), random());
    const Buffer target = test::edited(basis, random);
    const ChunkList basis_chunks = test::chunks_of(basis);
    const ChunkList target_chunks = test::chunks_of(target);
    const ChunkTree basis_tree = build_tree(basis_chunks, *hasher);
    const ChunkTree target_tree = build_tree(target_chunks, *hasher);

    std::vector<TargetChunk> known;
    for (const Chunk& chunk : target_chunks) known.push_back({chunk.length, false, kNoChunk});
    if (!basis_chunks.empty()) {
      TreeHolder holder(basis_tree, target.size());
      TreeSearcher searcher(target_tree);
      NodesAnswer nodes = holder.start();
      for (;;) {
        const Buffer bits = searcher.on_nodes(nodes.level, nodes.count, nodes.bulk).value();
        if (!searcher.any_lacking() || nodes.level == 0) break;
        nodes = holder.descend(bits).value();
      }
      std::uint64_t position = 0;
      const std::vector<HolderPiece> pieces = searcher.pieces().value();
      for (const HolderPiece& piece : pieces) {
        for (std::uint32_t i = 0; piece.matched && i < piece.count; ++i) known[piece.first + i].basis = position + i;
        position += piece.count;
      }
      CHECK(position == basis_chunks.size());
    }

    PatchPlanner planner(Addressing::kBasis, {});
    for (const TargetChunk& chunk : known) planner.add_chunk(chunk);
    const BufferSource source(target);
    Buffer wire = encode_patch_header(4u << 20, Addressing::kBasis);
    PatchCursor cursor;
    for (;;) {
      const std::uint64_t start = planner.position();
      auto plan = planner.next_part(256 * 1024);
      const bool last = !plan;
      if (last) {
        plan.emplace();
        plan->root = target_tree.root;
      }
      const EncodedPart part =
          encode_part(*plan, encode_instructions(*plan, cursor), start, 4u << 20, source, {}, *codec, 3).value();
      append(wire, part.head);
      for (const SharedBytes& piece : part.literals) append(wire, piece.view);
      if (last) break;
    }

    test::MemoryDraft draft(basis, basis_chunks);
    PatchBasis patch_basis{std::make_shared<BufferSource>(basis), {}, nullptr, nullptr};
    std::uint64_t offset = 0;
    for (const Chunk& chunk : basis_chunks) {
      patch_basis.chunk_offsets.push_back(offset);
      offset += chunk.length;
    }
    patch_basis.chunk_offsets.push_back(offset);
    PatchApplier applier(patch_basis, draft, target.size());
    PartAssembler assembler(random.below(2) * random.below(8u << 20));
    std::optional<Digest> root;
    // Cuts at random places, as a socket makes them; some are read to where they belong.
    for (ByteView rest(wire); !rest.empty();) {
      ByteView piece = rest.first(std::min<std::size_t>(rest.size(), 1 + random.below(100'000)));
      rest = rest.subspan(piece.size());
      while (!piece.empty()) {
        if (random.below(4) == 0) assembler.take_rest();
        const MutableBytes space = assembler.space();
        ByteView portion = piece.first(random.below(2) == 0 ? piece.size() : std::min(piece.size(), space.size()));
        piece = piece.subspan(portion.size());
        if (portion.size() <= space.size() && !portion.empty()) {
          std::memcpy(space.data(), portion.data(), portion.size());
          portion = space.first(portion.size());
        }
        const std::size_t given = portion.size();
        auto part = assembler.feed(portion).value();
        CHECK(portion.size() <= given);
        // What was not taken belongs to the next part.
        piece = ByteView(piece.data() - portion.size(), piece.size() + portion.size());
        if (part)
          root = applier.apply(std::move(*part), assembler.prefix_window(), assembler.addressing(), *hasher, *codec)
                     .value();
      }
    }
    CHECK(root == target_tree.root);
    CHECK(draft.content == target);
    CHECK_FALSE(applier.has_wrong_cut());
  }
}

TEST_CASE("literals that are held in memory are sent from there") {
  // A source that is never asked for what is held.
  class OnlyFrom final : public Source {
   public:
    OnlyFrom(Buffer bytes, std::uint64_t least) : bytes_(std::move(bytes)), least_(least) {}
    std::uint64_t size() const override { return bytes_.size(); }
    Status read_at(std::uint64_t offset, MutableBytes into) const override {
      if (offset < least_) return fail(Code::kInternal, "Read again.");
      return bytes_.read_at(offset, into);
    }

   private:
    BufferSource bytes_;
    std::uint64_t least_;
  };
  const Buffer target = test::random_bytes(300'000, 4);
  PatchPlanner planner(Addressing::kBasis, {});
  for (int i = 0; i < 6; ++i) planner.add_chunk({50'000});
  auto plan = planner.next_part(1u << 20);
  REQUIRE(plan);
  const auto first = std::make_shared<Buffer>(target.begin(), target.begin() + 120'000);
  const auto second = std::make_shared<Buffer>(target.begin() + 120'000, target.begin() + 200'000);
  const HeldContent held[] = {{0, {first, *first}}, {120'000, {second, *second}}};
  PatchCursor cursor;
  const auto codec = make_zstd_codec();
  const auto part =
      encode_part(*plan, encode_instructions(*plan, cursor), 0, 4u << 20, OnlyFrom(target, 200'000), held, *codec, 3);
  REQUIRE(part);
  Buffer sent;
  for (const SharedBytes& piece : part->literals) append(sent, piece.view);
  CHECK(sent == target);
  CHECK(part->literals.size() == 3);
  CHECK(part->literals[0].view.data() == first->data());
}

TEST_CASE("chunks in runs are the chunks one by one") {
  const auto chunk = [](std::uint64_t number) {
    Chunk out;
    out.check = number;
    out.length = static_cast<std::uint32_t>(1 + number % 1000);
    return out;
  };
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    INFO("seed " << seed);
    SeededRandom random(seed);
    ChunkRuns runs;
    ChunkList list;
    std::vector<bool> stands_alone;
    for (std::uint64_t i = 0; i < 30; ++i) {
      const std::uint64_t count = random.below(2) == 0 ? 1 : random.below(6);
      runs.add(chunk(i), count);
      list.insert(list.end(), count, chunk(i));
      stands_alone.insert(stands_alone.end(), count, count == 1);
    }
    REQUIRE(runs.size() == list.size());
    for (std::size_t i = 0; i < list.size(); ++i) {
      const Chunk other = chunk(1000 + i);
      REQUIRE(runs.replace(i, other) == stands_alone[i]);
      if (stands_alone[i]) list[i] = other;
    }
    CHECK_FALSE(runs.replace(list.size(), chunk(1)));
    std::uint64_t offset = 0;
    for (std::size_t i = 0; i < list.size(); ++i) {
      REQUIRE(runs.at(i) == list[i]);
      REQUIRE(runs.offset_of(i) == offset);
      offset += list[i].length;
    }
    ChunkList again;
    runs.for_each([&](const Chunk& each, std::uint64_t count) {
      again.insert(again.end(), static_cast<std::size_t>(count), each);
    });
    CHECK(again == list);
  }
}

TEST_CASE("a patch with chunks that no file has is refused before anything is built") {
  // Remembers what it was to build, and builds nothing.
  class Untouched final : public test::MemoryDraft {
   public:
    using MemoryDraft::MemoryDraft;
    Status add_zeros(const Chunk&, std::uint64_t count) override {
      zero_chunks += count;
      return {};
    }
    std::uint64_t zero_chunks = 0;
  };
  constexpr std::uint64_t kLimit = std::uint64_t{1} << 50;
  const Buffer basis = test::random_bytes(100, 1);
  const ChunkList basis_chunks = test::chunks_of(basis);
  const auto hasher = make_sha256();
  const auto codec = make_zstd_codec();
  PartPlan plan;
  const auto zeros = [&plan](std::uint64_t count, std::uint64_t length) {
    plan.items.push_back({PatchItem::Kind::kZeros, 0, count, count * length});
  };
  const auto literal = [&plan](std::uint64_t length) {
    const auto op = static_cast<std::uint32_t>(plan.ops.size());
    plan.items.push_back({PatchItem::Kind::kChunk, 0, 1, length, op, op + 1});
    plan.ops.push_back({PatchOp::Kind::kLiteral, length});
    plan.literal_bytes += length;
  };
  const auto apply = [&](std::uint64_t limit) {
    Untouched draft(basis, basis_chunks);
    PatchApplier applier({std::make_shared<BufferSource>(basis), offsets_of(basis_chunks), nullptr, nullptr}, draft,
                         limit);
    PatchCursor cursor;
    ReceivedPart part;
    part.instructions = encode_instructions(plan, cursor);
    part.coded = test::random_bytes(plan.literal_bytes, 2);
    part.raw_bytes = plan.literal_bytes;
    const auto applied = applier.apply(std::move(part), 0, Addressing::kBasis, *hasher, *codec);
    if (!applied) CHECK((draft.zero_chunks == 0 && draft.content.empty()));
    return applied ? std::nullopt : std::optional(applied.error().code);
  };
  SECTION("short ones of zeros, many or followed by something") {
    zeros(std::uint64_t{1} << 32, 1);
    CHECK(apply(kLimit) == Code::kProtocol);
    plan = {};
    zeros(1, 5000);
    CHECK(apply(kLimit) == std::nullopt);
    zeros(1, 5000);
    CHECK(apply(kLimit) == Code::kProtocol);
  }
  SECTION("short ones of literals, but for the last") {
    literal(kMinChunkBytes);
    literal(kMinChunkBytes - 1);
    CHECK(apply(kLimit) == std::nullopt);
    literal(kMinChunkBytes);
    CHECK(apply(kLimit) == Code::kProtocol);
  }
  SECTION("more zeros than a file may have") {
    zeros(kMaxZeroChunks, kMaxChunkBytes);
    CHECK(apply(kLimit) == std::nullopt);
    literal(kMinChunkBytes);
    zeros(1, kMaxChunkBytes);
    CHECK(apply(kLimit) == Code::kTooLarge);
  }
  SECTION("a short one of the basis again and again") {
    for (int i = 0; i < 3; ++i) plan.items.push_back({PatchItem::Kind::kKeep, 0, 1, 0});
    CHECK(apply(2 * kMinChunkBytes) == std::nullopt);
    CHECK(apply(kMinChunkBytes) == Code::kTooLarge);
  }
}
