#include "delta/tree_exchange.h"

#include <algorithm>
#include <bit>
#include <unordered_map>
#include <unordered_set>

#include "delta/bits.h"

namespace millrace {

namespace {

constexpr unsigned kMarginBits = 20;

/// [first, end) of a node's children in the level below.
std::pair<std::uint32_t, std::uint32_t> children(const ChunkTree& tree, std::size_t level, std::uint32_t index) {
  const auto& nodes = tree.levels[level];
  const std::uint32_t first = nodes[index].first_child;
  const std::uint32_t end = index + 1 < nodes.size() ? nodes[index + 1].first_child
                                                     : static_cast<std::uint32_t>(tree.levels[level - 1].size());
  return {first, end};
}

}  // namespace

unsigned digest_width(std::uint64_t sent, std::uint64_t searcher_bytes, std::uint64_t level) {
  // The searcher's nodes are not known to both, its size is: at the average size and fan-out, and at least one.
  std::uint64_t known = searcher_bytes / kAverageChunkBytes + 1;
  for (std::uint64_t i = 0; i < level && known > 1; ++i) known = known / 16 + 1;
  const auto width = static_cast<unsigned>(std::bit_width(sent) + std::bit_width(known)) + kMarginBits;
  return std::min(width, 64u);
}

NodesAnswer TreeHolder::answer(const std::vector<std::pair<std::uint32_t, std::uint32_t>>& groups, bool with_counts) {
  NodesAnswer out;
  out.level = level_;
  for (const auto& [begin, end] : groups) out.count += end - begin;
  const unsigned width = digest_width(out.count, searcher_bytes_, level_);
  BitWriter writer;
  std::unordered_set<std::uint64_t> seen;
  bool first = true;
  std::uint64_t previous = 0;
  distinct_.clear();
  for (const auto& [begin, end] : groups) {
    if (with_counts) writer.put(end - begin - 1, 6);
    for (std::uint32_t index = begin; index < end; ++index) {
      const std::uint64_t digest = low_bits(tree_.levels[level_][index].prefix, width);
      const bool same = !first && digest == previous;
      writer.put_bit(same);
      if (!same) writer.put(digest, width);
      if (seen.insert(digest).second) distinct_.push_back(index);
      previous = digest;
      first = false;
    }
  }
  out.bulk = writer.take();
  return out;
}

NodesAnswer TreeHolder::start() {
  level_ = 0;
  while (level_ + 1 < tree_.levels.size() && tree_.levels[level_].size() > kMaxStartNodes) ++level_;
  if (tree_.levels.empty()) return {};
  return answer({{0, static_cast<std::uint32_t>(tree_.levels[level_].size())}}, false);
}

Result<std::vector<std::uint32_t>> TreeHolder::read_bits(ByteView bits) const {
  if (bits.size() != (distinct_.size() + 7) / 8)
    return fail(Code::kProtocol, "The answer to tree nodes has the wrong length.");
  BitReader reader(bits);
  std::vector<std::uint32_t> lacking;
  for (const std::uint32_t index : distinct_) {
    MILLRACE_ASSIGN(const std::uint64_t bit, reader.get(1));
    if (bit != 0) lacking.push_back(index);
  }
  return lacking;
}

Result<NodesAnswer> TreeHolder::descend(ByteView bits) {
  if (level_ == 0) return fail(Code::kProtocol, "There is nothing below the chunks.");
  MILLRACE_ASSIGN(const auto lacking, read_bits(bits));
  std::vector<std::pair<std::uint32_t, std::uint32_t>> groups;
  groups.reserve(lacking.size());
  for (const std::uint32_t index : lacking) groups.push_back(children(tree_, level_, index));
  --level_;
  return answer(groups, true);
}

Status TreeHolder::finish(ByteView bits) {
  if (level_ != 0) return fail(Code::kProtocol, "The chunks were not reached yet.");
  MILLRACE_ASSIGN(lacking_, read_bits(bits));
  return {};
}

Result<Buffer> TreeSearcher::on_nodes(std::uint64_t level, std::uint64_t count, ByteView bulk) {
  const bool first_answer = levels_.empty();
  if (!first_answer && level + 1 != levels_.back().level)
    return fail(Code::kProtocol, "Tree nodes of an unexpected level arrived.");
  if (level > 16 || count > std::uint64_t{8} * bulk.size() + kMaxStartNodes)
    return fail(Code::kTooLarge, "There are too many tree nodes.");
  const std::size_t groups = first_answer ? 1 : levels_.back().lacking;
  const unsigned width = digest_width(count, own_.file_bytes, level);

  std::unordered_map<std::uint64_t, std::uint32_t> own;
  if (level < own_.levels.size() && own_.base_level == 0) {
    const auto& nodes = own_.levels[static_cast<std::size_t>(level)];
    own.reserve(nodes.size());
    for (std::uint32_t i = 0; i < nodes.size(); ++i) own.emplace(low_bits(nodes[i].prefix, width), i);
  }

  Level next;
  next.level = level;
  BitReader reader(bulk);
  BitWriter answer;
  std::unordered_map<std::uint64_t, Reference> distinct;
  std::uint64_t previous = 0;
  for (std::size_t group = 0; group < groups; ++group) {
    next.group_begin.push_back(static_cast<std::uint32_t>(next.nodes.size()));
    std::uint64_t size = count;
    if (!first_answer) {
      MILLRACE_ASSIGN(size, reader.get(6));
      ++size;
    }
    for (std::uint64_t i = 0; i < size; ++i) {
      MILLRACE_ASSIGN(const std::uint64_t same, reader.get(1));
      if (same == 0) {
        MILLRACE_ASSIGN(previous, reader.get(width));
      } else if (next.nodes.empty()) {
        return fail(Code::kProtocol, "The first tree node repeats nothing.");
      }
      const auto [known, is_new] = distinct.try_emplace(previous, Reference{});
      if (is_new) {
        const auto found = own.find(previous);
        const bool matched = found != own.end();
        known->second = matched ? Reference{true, found->second} : Reference{false, next.lacking++};
        answer.put_bit(!matched);
      }
      next.nodes.push_back(known->second);
    }
  }
  if (next.nodes.size() != count) return fail(Code::kProtocol, "There are more or fewer tree nodes than announced.");
  next.group_begin.push_back(static_cast<std::uint32_t>(next.nodes.size()));
  levels_.push_back(std::move(next));
  return answer.take();
}

Status TreeSearcher::expand(std::size_t depth, std::size_t begin, std::size_t end, std::size_t& steps,
                            std::vector<HolderPiece>& out) const {
  const Level& level = levels_[depth];
  for (std::size_t i = begin; i < end; ++i) {
    if (++steps > 4 * kMaxLeaves)
      return fail(Code::kTooLarge, "The server's tree stands for more chunks than a tree can have.");
    const Reference& node = level.nodes[i];
    HolderPiece piece;
    piece.matched = node.matched;
    if (!node.matched && level.level > 0) {
      const Level& below = levels_[depth + 1];
      MILLRACE_TRY(expand(depth + 1, below.group_begin[node.index], below.group_begin[node.index + 1], steps, out));
      continue;
    }
    if (node.matched) {
      std::uint32_t first = node.index;
      std::uint32_t last = node.index + 1;
      for (auto down = static_cast<std::size_t>(level.level); down > 0; --down) {
        const std::uint32_t past = last < own_.levels[down].size()
                                       ? own_.levels[down][last].first_child
                                       : static_cast<std::uint32_t>(own_.levels[down - 1].size());
        first = own_.levels[down][first].first_child;
        last = past;
      }
      piece.first = first;
      piece.count = last - first;
    } else {
      piece.first = node.index;
    }
    const bool joins =
        !out.empty() && out.back().matched && piece.matched && out.back().first + out.back().count == piece.first;
    if (joins) {
      out.back().count += piece.count;
    } else {
      out.push_back(piece);
    }
  }
  return {};
}

Result<std::vector<HolderPiece>> TreeSearcher::pieces() const {
  std::vector<HolderPiece> out;
  std::size_t steps = 0;
  if (!levels_.empty()) MILLRACE_TRY(expand(0, 0, levels_[0].nodes.size(), steps, out));
  return out;
}

}  // namespace millrace
