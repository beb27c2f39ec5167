// The coarse step: two chunk trees are compared from a level with at most kMaxStartNodes nodes down to the chunks. The
// holder's nodes travel, cut to as many bits as keep a false match improbable; the searcher answers a bit for each
// distinct node (1: lacking) and the lacking ones' children follow. Distinct means distinct as cut, so that both sides
// count alike.
//
// Nodes of one answer: for each distinct lacking parent its child count - 1 (6 bits); then for each child a bit 'same
// as the one before', or 0 and the cut digest.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/error.h"
#include "delta/chunk_tree.h"

namespace millrace {

inline constexpr std::uint64_t kMaxStartNodes = 256;

/// Bits of a digest where `sent` nodes travel and the searcher's file has `searcher_bytes`.
unsigned digest_width(std::uint64_t sent, std::uint64_t searcher_bytes, std::uint64_t level);

struct NodesAnswer {
  std::uint64_t level = 0;
  std::uint64_t count = 0;  ///< nodes in the answer
  Buffer bulk;
};

class TreeHolder {
 public:
  /// `tree` must outlive this. Only trees whose chunks are kept (base level 0) can be exchanged.
  TreeHolder(const ChunkTree& tree, std::uint64_t searcher_bytes) : tree_(tree), searcher_bytes_(searcher_bytes) {}
  NodesAnswer start();
  /// The searcher's bits for the last answer; gives the children of the lacking nodes. At the chunks the answer is
  /// empty: lacking() is then known.
  Result<NodesAnswer> descend(ByteView bits);
  bool at_chunks() const { return level_ == 0; }
  /// The searcher's bits for the chunks: ends the exchange.
  Status finish(ByteView bits);
  /// Distinct chunks that the searcher lacks, by index, in order of their first occurrence.
  const std::vector<std::uint32_t>& lacking() const { return lacking_; }

 private:
  NodesAnswer answer(const std::vector<std::pair<std::uint32_t, std::uint32_t>>& groups, bool with_counts);
  Result<std::vector<std::uint32_t>> read_bits(ByteView bits) const;
  const ChunkTree& tree_;
  std::uint64_t searcher_bytes_;
  std::size_t level_ = 0;
  std::vector<std::uint32_t> distinct_;  ///< nodes of level_ whose bits are awaited
  std::vector<std::uint32_t> lacking_;
};

/// A piece of the holder's file, in its order.
struct HolderPiece {
  bool matched = false;
  std::uint32_t first = 0;  ///< matched: first own chunk; else: number of the distinct lacking chunk
  std::uint32_t count = 1;  ///< chunks
};

class TreeSearcher {
 public:
  explicit TreeSearcher(const ChunkTree& own) : own_(own) {}
  /// Takes the holder's nodes and gives the bits to answer with. Errors: kProtocol.
  Result<Buffer> on_nodes(std::uint64_t level, std::uint64_t count, ByteView bulk);
  bool at_chunks() const { return !levels_.empty() && levels_.back().level == 0; }
  bool any_lacking() const { return !levels_.empty() && levels_.back().lacking > 0; }
  std::uint32_t lacking() const { return levels_.empty() ? 0 : levels_.back().lacking; }
  /// After the chunk level (or once nothing is lacking): the holder's file piece by piece.
  /// Errors: kTooLarge where a hostile holder's nodes refer to each other so often that they would stand for more
  /// chunks than are exchanged.
  Result<std::vector<HolderPiece>> pieces() const;

 private:
  struct Reference {
    bool matched;
    std::uint32_t index;  ///< own node of the level, or the number of a distinct lacking node
  };
  struct Level {
    std::uint64_t level = 0;
    std::vector<Reference> nodes;            ///< as sent
    std::vector<std::uint32_t> group_begin;  ///< children of lacking node g of the level above: [g], [g + 1]
    std::uint32_t lacking = 0;
  };
  Status expand(std::size_t depth, std::size_t begin, std::size_t end, std::size_t& steps,
                std::vector<HolderPiece>& out) const;
  const ChunkTree& own_;
  std::vector<Level> levels_;
};

}  // namespace millrace
