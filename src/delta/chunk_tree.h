// The chunk tree: the list of chunk digests is cut by content into nodes, node over node, up to one root. The root
// is a file's identity: equal bytes have equal roots everywhere, and two versions share every subtree that did not
// change.
//
//   node = SHA-256("millrace node" tag, tree id, level, count, (length, digest) of each child)
//   root = SHA-256("millrace root" tag, tree id, file size, digest of the top node)
//
// A node ends after a child whose digest asks for it (a 1 in 13 chance, counted from the minimum), at least
// kMinFanOut and at most kMaxFanOut children. The decision looks at that one digest, so shared runs of children give
// shared nodes.
#pragma once

#include <cstdint>
#include <vector>

#include "base/digest.h"
#include "delta/chunk.h"

namespace millrace {

inline constexpr std::uint32_t kMinFanOut = 4;
inline constexpr std::uint32_t kMaxFanOut = 64;

/// Past this many chunks (128 GiB at the average size) a tree keeps only the levels above, and the file is sent whole:
/// a bound on the tree's memory (24 bytes a chunk, 200 MiB), however large the file is.
inline constexpr std::size_t kMaxLeaves = std::size_t{1} << 23;

/// As `max_leaves` where only the root is wanted: a draft's tree takes no memory then, however many chunks it has.
inline constexpr std::size_t kOnlyRoot = kMaxFanOut;

/// What the exchange needs of one node: a digest's prefix is enough to compare truncated digests.
struct TreeNode {
  std::uint64_t prefix = 0;       ///< first 8 bytes of the digest, little-endian
  std::uint64_t bytes = 0;        ///< length of the content below
  std::uint32_t first_child = 0;  ///< index in the level below; children end where the next node's begin
};

/// The levels that are kept, lowest (`base_level`) first. Level 0 are the chunks. The last level has one node, except
/// for an empty file, which has no levels.
struct ChunkTree {
  std::uint64_t file_bytes = 0;
  std::uint64_t chunk_count = 0;
  Digest root;
  std::uint8_t base_level = 0;
  std::vector<std::vector<TreeNode>> levels;
};

/// Builds a tree from chunks in order; holds the tree and at most kMaxFanOut pending children a level.
class ChunkTreeBuilder {
 public:
  /// `max_leaves`: see kMaxLeaves; tests pass less.
  explicit ChunkTreeBuilder(std::size_t max_leaves = kMaxLeaves);
  void add(std::uint32_t length, const Digest& digest, Hasher& hasher);
  /// Ends the file. Call once; the builder is spent afterwards.
  ChunkTree finish(Hasher& hasher);

 private:
  struct Pending {
    std::uint64_t length;
    Digest digest;
  };
  void close_node(std::size_t level, Hasher& hasher);
  void add_at(std::size_t level, std::uint64_t length, const Digest& digest, std::uint32_t first_child, Hasher& hasher);
  void drop_base_level();

  std::size_t max_leaves_;
  ChunkTree tree_;
  std::vector<std::vector<Pending>> pending_;  ///< open node of each level: its children
  std::vector<std::vector<TreeNode>> levels_;  ///< closed nodes, by absolute level
  std::vector<std::uint32_t> counts_;          ///< nodes seen so far, by absolute level
  std::vector<std::uint32_t> open_first_child_;
};

/// The tree of a list of chunks.
ChunkTree build_tree(const ChunkList& chunks, Hasher& hasher, std::size_t max_leaves = kMaxLeaves);

/// The root of an empty file.
Digest empty_root(Hasher& hasher);

}  // namespace millrace
