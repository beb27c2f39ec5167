// Random files, random edits: what the searcher keeps and the patch carries always rebuilds the target.
#include <catch2/catch.hpp>

#include "codec/sha256.h"
#include "codec/zstd_codec.h"
#include "delta/chunker.h"
#include "delta/patch_applier.h"
#include "delta/patch_writer.h"
#include "delta/tree_exchange.h"
#include "support/bytes.h"

using namespace millrace;

namespace {

class MemoryDraft : public Draft {
 public:
  MemoryDraft(const Buffer& basis, const ChunkList& chunks) : basis_(basis), basis_chunks_(chunks) {}
  Status keep(std::uint64_t first, std::uint64_t count) override {
    std::uint64_t offset = 0;
    for (std::uint64_t i = 0; i < first; ++i) offset += basis_chunks_[i].length;
    for (std::uint64_t i = first; i < first + count; ++i) {
      append(content, ByteView(basis_).subspan(offset, basis_chunks_[i].length));
      offset += basis_chunks_[i].length;
      chunks_.push_back(basis_chunks_[i]);
    }
    return {};
  }
  Status add(std::span<const Chunk> chunks, ByteView bytes) override {
    chunks_.insert(chunks_.end(), chunks.begin(), chunks.end());
    append(content, bytes);
    return {};
  }
  Status add_zeros(const Chunk& chunk, std::uint64_t count) override {
    chunks_.insert(chunks_.end(), count, chunk);
    content.resize(content.size() + chunk.length * count, Byte{0});
    return {};
  }
  Status replace(std::uint64_t, const Chunk&, ByteView) override { return fail(Code::kUsage, "not in this test"); }
  Status read_at(std::uint64_t offset, MutableBytes into) const override {
    std::copy_n(content.begin() + static_cast<std::ptrdiff_t>(offset), into.size(), into.begin());
    return {};
  }
  std::uint64_t size() const override { return content.size(); }
  std::uint64_t chunk_count() const override { return chunks_.size(); }
  Result<Chunk> chunk_at(std::uint64_t index) const override { return chunks_.at(index); }
  Buffer content;

 private:
  const Buffer& basis_;
  const ChunkList& basis_chunks_;
  ChunkList chunks_;
};

ChunkList cut(const Buffer& data) {
  std::vector<std::uint32_t> lengths;
  cut_chunks(data, Tail::kEndOfFile, lengths);
  const auto hasher = make_sha256();
  ChunkList chunks;
  ByteView rest(data);
  for (const std::uint32_t length : lengths) {
    chunks.push_back({hasher->hash(rest.first(length)), 0, length});
    rest = rest.subspan(length);
  }
  return chunks;
}

Buffer edited(const Buffer& data, SeededRandom& random) {
  Buffer out = data;
  for (std::uint64_t edits = random.below(6); edits > 0; --edits) {
    const auto at = static_cast<std::ptrdiff_t>(random.below(out.size() + 1));
    const Buffer piece = test::random_bytes(random.below(40'000), random());
    switch (random.below(4)) {
      case 0: out.insert(out.begin() + at, piece.begin(), piece.end()); break;
      case 1: out.erase(out.begin() + at, out.begin() + std::min<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(out.size()), at + static_cast<std::ptrdiff_t>(piece.size()))); break;
      case 2: std::copy_n(piece.begin(), std::min<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(piece.size()), static_cast<std::ptrdiff_t>(out.size()) - at), out.begin() + at); break;
      default: out.insert(out.begin() + at, 200'000, Byte{0}); break;
    }
  }
  return out;
}

}  // namespace

TEST_CASE("tree exchange and patch rebuild the target from the basis") {
  const auto hasher = make_sha256();
  const auto codec = make_zstd_codec();
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    INFO("seed " << seed);
    SeededRandom random(seed);
    const Buffer basis = seed % 7 == 0 ? Buffer() : test::random_bytes(random.below(6u << 20), random());
    const Buffer target = edited(basis, random);
    const ChunkList basis_chunks = cut(basis);
    const ChunkList target_chunks = cut(target);
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
      for (const HolderPiece& piece : searcher.pieces()) {
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
      const EncodedPart part = encode_part(*plan, encode_instructions(*plan, cursor), start, 4u << 20, source, *codec, 3).value();
      append(wire, part.head);
      append(wire, part.literals);
      if (last) break;
    }

    MemoryDraft draft(basis, basis_chunks);
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
        if (part) root = applier.apply(std::move(*part), assembler.prefix_window(), assembler.addressing(), *hasher, *codec).value();
      }
    }
    CHECK(root == target_tree.root);
    CHECK(draft.content == target);
  }
}
