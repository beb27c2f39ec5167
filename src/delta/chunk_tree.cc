#include "delta/chunk_tree.h"

#include <algorithm>

namespace millrace {

namespace {

constexpr std::string_view kNodeTag = "millrace node";
constexpr std::string_view kRootTag = "millrace root";

/// A digest asks for the end of its node with a chance of 1 in 13: with the minimum of 4 that gives a fan-out of
/// about 16.
bool ends_node(const Digest& digest) {
  return load_le<std::uint32_t>(digest.bytes.data() + 28) % 13 == 0;
}

}  // namespace

ChunkTreeBuilder::ChunkTreeBuilder(std::size_t max_leaves) : max_leaves_(max_leaves) {}

void ChunkTreeBuilder::add(std::uint32_t length, const Digest& digest, Hasher& hasher) {
  tree_.file_bytes += length;
  add_at(0, length, digest, 0, hasher);
  ++tree_.chunk_count;
  if (levels_.size() > tree_.base_level && levels_[tree_.base_level].size() > max_leaves_) drop_base_level();
}

void ChunkTreeBuilder::add_at(std::size_t level, std::uint64_t length, const Digest& digest, std::uint32_t first_child,
                              Hasher& hasher) {
  if (levels_.size() <= level) {
    levels_.emplace_back();
    pending_.emplace_back();
    counts_.push_back(0);
    open_first_child_.push_back(0);
  }
  if (level >= tree_.base_level) levels_[level].push_back({digest.prefix(), length, first_child});
  if (pending_[level].empty()) open_first_child_[level] = counts_[level];
  ++counts_[level];
  pending_[level].push_back({length, digest});
  const std::size_t count = pending_[level].size();
  if (count >= kMaxFanOut || (count >= kMinFanOut && ends_node(digest))) close_node(level, hasher);
}

void ChunkTreeBuilder::close_node(std::size_t level, Hasher& hasher) {
  Buffer text;
  append(text, as_bytes(kNodeTag));
  text.push_back(kTreeId);
  text.push_back(static_cast<Byte>(level + 1));
  append_le(text, static_cast<std::uint32_t>(pending_[level].size()));
  std::uint64_t length = 0;
  for (const Pending& child : pending_[level]) {
    append_le(text, child.length);
    append(text, child.digest.bytes);
    length += child.length;
  }
  pending_[level].clear();
  const std::uint32_t first_child = open_first_child_[level];
  add_at(level + 1, length, hasher.hash(text), first_child, hasher);
}

ChunkTree ChunkTreeBuilder::finish(Hasher& hasher) {
  Digest top;
  if (!levels_.empty()) {
    for (std::size_t level = 0;; ++level) {
      if (counts_[level] == 1) {
        top = pending_[level].empty() ? top : pending_[level].front().digest;
        break;
      }
      if (!pending_[level].empty()) close_node(level, hasher);
    }
  }
  Buffer text;
  append(text, as_bytes(kRootTag));
  text.push_back(kTreeId);
  append_le(text, tree_.file_bytes);
  append(text, top.bytes);
  tree_.root = hasher.hash(text);
  for (std::size_t level = tree_.base_level; level < levels_.size(); ++level)
    tree_.levels.push_back(std::move(levels_[level]));
  return std::move(tree_);
}

/// Lets go of the lowest kept level: its nodes are named by their parents from now on.
void ChunkTreeBuilder::drop_base_level() {
  levels_[tree_.base_level].clear();
  levels_[tree_.base_level].shrink_to_fit();
  ++tree_.base_level;
}

ChunkTree build_tree(const ChunkList& chunks, Hasher& hasher, std::size_t max_leaves) {
  ChunkTreeBuilder builder(max_leaves);
  for (const Chunk& chunk : chunks) builder.add(chunk.length, chunk.digest, hasher);
  return builder.finish(hasher);
}

Digest empty_root(Hasher& hasher) {
  return ChunkTreeBuilder().finish(hasher).root;
}

}  // namespace millrace
