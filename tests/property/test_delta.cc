// Random files, random edits: what the searcher keeps and the patch carries always rebuilds the target.
#include <catch2/catch.hpp>

#include "codec/sha256.h"
#include "codec/zstd_codec.h"
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
    PartAssembler assembler;
    std::optional<Digest> root;
    // Cuts at random places, as a socket makes them.
    for (ByteView rest(wire); !rest.empty();) {
      ByteView piece = rest.first(std::min<std::size_t>(rest.size(), 1 + random.below(100'000)));
      rest = rest.subspan(piece.size());
      while (!piece.empty()) {
        auto part = assembler.feed(piece).value();
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
