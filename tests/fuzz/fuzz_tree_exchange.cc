// The comparison of two chunk trees. Two honest sides end with the whole of the holder's file; a hostile holder's nodes
// and a hostile searcher's bits are refused or name only what is there. The first byte chooses who is hostile.
#include <map>

#include "base/random.h"
#include "codec/sha256.h"
#include "delta/chunk_tree.h"
#include "delta/tree_exchange.h"
#include "fuzz/fuzz.h"

using namespace millrace;

namespace {

constexpr std::size_t kMaxChunks = 4000;

/// Runs of chunks, three bytes each: which run, where in it, how many chunks. Digests differ in their lowest bits.
ChunkList chunks_of(ByteView description) {
  ChunkList chunks;
  for (fuzz::Input input(description); !input.done();) {
    const std::uint64_t run = input.byte() % 64;
    const std::uint64_t first = input.byte();
    const std::uint64_t count = std::uint64_t{input.byte()} * 2 + 1;
    for (std::uint64_t i = first; i < first + count && chunks.size() < kMaxChunks; ++i) {
      SeededRandom random(run << 10 | i);
      Chunk chunk;
      for (std::size_t at = 0; at < chunk.digest.bytes.size(); at += 8)
        store_le(chunk.digest.bytes.data() + at, random() << 16 | run << 10 | i);
      chunk.length = static_cast<std::uint32_t>(kMinChunkBytes + random.below(kMaxChunkBytes - kMinChunkBytes));
      chunks.push_back(chunk);
    }
  }
  return chunks;
}

/// Digests are compared cut: two that differ may look the same, and then the ladder's proof finds it, not this.
bool any_look_alike(const ChunkTree& a, const ChunkTree& b) {
  constexpr std::uint64_t kFewest = (1u << 21) - 1;
  for (std::size_t level = 0; level < std::max(a.levels.size(), b.levels.size()); ++level) {
    std::map<std::uint64_t, std::uint64_t> seen;
    for (const ChunkTree* tree : {&a, &b}) {
      if (level >= tree->levels.size()) continue;
      for (const TreeNode& node : tree->levels[level]) {
        if (seen.try_emplace(node.prefix & kFewest, node.prefix).first->second != node.prefix) return true;
      }
    }
  }
  return false;
}

void check_honest(const ChunkTree& held, const ChunkTree& own) {
  if (held.levels.empty() || any_look_alike(held, own)) return;
  TreeHolder holder(held, own.file_bytes);
  TreeSearcher searcher(own);
  NodesAnswer nodes = holder.start();
  for (;;) {
    const auto bits = searcher.on_nodes(nodes.level, nodes.count, nodes.bulk);
    fuzz::require(bits.has_value(), "an honest holder's nodes are taken");
    if (nodes.level == 0) fuzz::require(holder.finish(*bits).has_value(), "and the searcher's bits");
    if (!searcher.any_lacking() || nodes.level == 0) break;
    auto next = holder.descend(*bits);
    fuzz::require(next.has_value(), "an honest searcher's bits are taken");
    nodes = std::move(*next);
  }
  const auto pieces = searcher.pieces();
  fuzz::require(pieces.has_value(), "there are pieces");
  std::size_t at = 0;
  for (const HolderPiece& piece : *pieces) {
    for (std::uint32_t i = 0; i < piece.count; ++i, ++at) {
      fuzz::require(at < held.levels[0].size(), "the pieces are not longer than the holder's file");
      const std::uint64_t prefix = held.levels[0][at].prefix;
      if (piece.matched) fuzz::require(own.levels[0][piece.first + i].prefix == prefix, "a match is one");
      if (!piece.matched && searcher.at_chunks())
        fuzz::require(held.levels[0][holder.lacking().at(piece.first)].prefix == prefix, "a lacking chunk is named");
    }
  }
  fuzz::require(at == held.levels[0].size(), "the pieces are the holder's whole file");
}

void check_hostile_holder(const ChunkTree& own, fuzz::Input& input) {
  TreeSearcher searcher(own);
  std::uint64_t level = input.byte() % 20;
  while (!input.done()) {
    const std::uint64_t count = input.number<std::uint16_t>();
    const auto bits = searcher.on_nodes(level, count, input.piece());
    if (!bits) return;
    if (searcher.at_chunks() || !searcher.any_lacking()) break;
    --level;
  }
  if (!searcher.at_chunks() && searcher.any_lacking()) return;
  const auto pieces = searcher.pieces();
  if (!pieces) return;
  for (const HolderPiece& piece : *pieces) {
    if (piece.matched) {
      fuzz::require(piece.count > 0 && piece.first < own.chunk_count && piece.count <= own.chunk_count - piece.first,
                    "a match lies in the own file");
    } else {
      fuzz::require(piece.count == 1 && piece.first < searcher.lacking(), "a lacking chunk has a number");
    }
  }
}

void check_hostile_searcher(const ChunkTree& held, fuzz::Input& input) {
  TreeHolder holder(held, input.number<std::uint64_t>());
  holder.start();
  while (!input.done() && !holder.at_chunks()) {
    if (!holder.descend(input.piece())) return;
  }
  if (!holder.finish(input.piece())) return;
  for (const std::uint32_t chunk : holder.lacking()) fuzz::require(chunk < held.chunk_count, "a lacking chunk exists");
}

}  // namespace

void fuzz::run(ByteView bytes) {
  Input input(bytes);
  const Byte hostile = input.byte() % 3;
  const auto hasher = make_sha256();
  const ChunkTree first = build_tree(chunks_of(input.piece()), *hasher);
  if (hostile == 1) return check_hostile_holder(first, input);
  if (hostile == 2) return check_hostile_searcher(first, input);
  check_honest(first, build_tree(chunks_of(input.piece()), *hasher));
}

void fuzz::seeds(const AddSeed& add) {
  const Buffer long_file{1, 0, 255, 2, 0, 255, 3, 9, 255, 4, 0, 3, 4, 0, 3};
  const Buffer edited{1, 0, 255, 7, 7, 1, 2, 0, 255, 3, 9, 200, 4, 0, 3, 4, 1, 3};
  const Buffer small{5, 0, 9};
  const auto pair = [&](const std::string& name, const Buffer& a, const Buffer& b) {
    Buffer input{0};
    append_piece(input, a);
    append_piece(input, b);
    add(name, input);
  };
  pair("edited", long_file, edited);
  pair("small", small, edited);
  pair("nothing", {}, small);
  // What an honest peer would send to either side.
  const auto hasher = make_sha256();
  const ChunkTree held = build_tree(chunks_of(edited), *hasher);
  const ChunkTree own = build_tree(chunks_of(long_file), *hasher);
  TreeHolder holder(held, own.file_bytes);
  TreeSearcher searcher(own);
  Buffer to_searcher{1};
  append_piece(to_searcher, long_file);
  Buffer to_holder{2};
  append_piece(to_holder, edited);
  append_le(to_holder, own.file_bytes);
  NodesAnswer nodes = holder.start();
  to_searcher.push_back(static_cast<Byte>(nodes.level));
  for (;;) {
    append_le(to_searcher, static_cast<std::uint16_t>(nodes.count));
    append_piece(to_searcher, nodes.bulk);
    const Buffer bits = searcher.on_nodes(nodes.level, nodes.count, nodes.bulk).value();
    append_piece(to_holder, bits);
    if (nodes.level == 0 || !searcher.any_lacking()) break;
    nodes = holder.descend(bits).value();
  }
  add("holder", to_searcher);
  add("searcher", to_holder);
}
