#include "delta/patch_writer.h"

#include <algorithm>

namespace millrace {

std::uint64_t PatchPlanner::pending_bytes() const {
  std::uint64_t bytes = 0;
  for (std::size_t at = next_; at < chunks_.size(); ++at) bytes += chunks_[at].length;
  return bytes;
}

void PatchPlanner::plan_chunk(const TargetChunk& chunk, PartPlan& part) {
  PatchItem item;
  item.bytes = chunk.length;
  if (chunk.zero) {
    // Even where the basis has such a chunk: a run of holes is one instruction, and nothing is read.
    item.kind = PatchItem::Kind::kZeros;
    zero_bytes_ += chunk.length;
  } else if (chunk.basis != kNoChunk) {
    item.kind = PatchItem::Kind::kKeep;
    item.first = addressing_ == Addressing::kBasis ? chunk.basis : index_;
    matched_bytes_ += chunk.length;
  } else {
    item.kind = PatchItem::Kind::kChunk;
    item.op_begin = static_cast<std::uint32_t>(part.ops.size());
    std::uint64_t at = position_;
    const std::uint64_t end = position_ + chunk.length;
    while (next_match_ < matches_.size() && matches_[next_match_].target + matches_[next_match_].length <= at)
      ++next_match_;
    for (std::size_t m = next_match_; at < end; ++m) {
      const bool more = m < matches_.size() && matches_[m].target < end;
      const std::uint64_t literal_end = more ? std::max(at, matches_[m].target) : end;
      if (literal_end > at) {
        part.ops.push_back({PatchOp::Kind::kLiteral, literal_end - at, 0});
        part.literal_bytes += literal_end - at;
        literal_bytes_ += literal_end - at;
        at = literal_end;
      }
      if (!more) break;
      const std::uint64_t copy_end = std::min(end, matches_[m].target + matches_[m].length);
      if (copy_end > at) {
        const std::uint64_t offset =
            addressing_ == Addressing::kBasis ? matches_[m].basis + (at - matches_[m].target) : at;
        part.ops.push_back({PatchOp::Kind::kCopy, copy_end - at, offset});
        matched_bytes_ += copy_end - at;
        at = copy_end;
      }
    }
    item.op_end = static_cast<std::uint32_t>(part.ops.size());
  }
  PatchItem* last = part.items.empty() ? nullptr : &part.items.back();
  const bool extends_keep = last != nullptr && item.kind == PatchItem::Kind::kKeep && last->kind == item.kind &&
                            last->first + last->count == item.first;
  const bool extends_zeros = last != nullptr && item.kind == PatchItem::Kind::kZeros && last->kind == item.kind &&
                             last->bytes / last->count == item.bytes;
  if (extends_keep || extends_zeros) {
    last->count += 1;
    last->bytes += item.bytes;
  } else {
    part.items.push_back(item);
  }
  position_ += chunk.length;
  ++index_;
}

std::optional<PartPlan> PatchPlanner::next_part(std::uint64_t raw_limit) {
  static constexpr std::size_t kMaxOps = 64 * 1024;
  if (!has_chunks()) return std::nullopt;
  PartPlan part;
  while (has_chunks()) {
    const TargetChunk& chunk = chunks_[next_];
    const bool may_add_literals = chunk.basis == kNoChunk && !chunk.zero;
    const bool full =
        part.literal_bytes + chunk.length > raw_limit || part.ops.size() > kMaxOps || part.items.size() > kMaxOps;
    if (!part.items.empty() && may_add_literals && full) break;
    plan_chunk(chunk, part);
    ++next_;
  }
  if (next_ > 4096 && next_ * 2 > chunks_.size()) {
    chunks_.erase(chunks_.begin(), chunks_.begin() + static_cast<std::ptrdiff_t>(next_));
    next_ = 0;
  }
  return part;
}

}  // namespace millrace
