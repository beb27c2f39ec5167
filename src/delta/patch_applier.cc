#include "delta/patch_applier.h"

#include <algorithm>
#include <utility>

#include "delta/chunker.h"

namespace millrace {

namespace {
/// Bytes that are hashed and written while they are still in the processor's cache, and enough chunks to hash side by
/// side.
constexpr std::size_t kRunBytes = 512u << 10;
constexpr const char* kNotInBasis = "A patch names something that its basis does not have.";
}  // namespace

/// Turns the part's places into basis positions and checks that the basis has them, and that what is built stays within
/// its limits, before anything of it is built.
Status PatchApplier::resolve(PartPlan& plan, Addressing addressing) {
  std::uint64_t at = draft_.size();
  std::uint64_t index = draft_.chunk_count();
  // All but the last have their least length; a match that is false may keep another short one.
  const std::uint64_t max_chunks = std::min(kMaxFileChunks, max_bytes_ / kMinChunkBytes + 1);
  const std::uint64_t chunks = basis_.chunk_offsets.empty() ? 0 : basis_.chunk_offsets.size() - 1;
  const auto nothing = [] { return fail(Code::kProtocol, kNotInBasis); };
  std::vector<PatchItem> resolved;
  std::vector<PatchOp> ops;
  ops.reserve(plan.ops.size());
  for (PatchItem& item : plan.items) {
    if (item.kind == PatchItem::Kind::kKeep) {
      // A run of the target's chunks may stand in several places of the basis.
      for (std::uint64_t left = item.count; left > 0;) {
        PatchItem run = item;
        run.count = left;
        if (addressing == Addressing::kTarget) {
          if (!basis_.locate_chunk) return nothing();
          const auto first = basis_.locate_chunk(index);
          if (!first) return nothing();
          run.first = *first;
          run.count = 1;
          while (run.count < left && basis_.locate_chunk(index + run.count) == run.first + run.count) ++run.count;
        }
        if (run.first >= chunks || run.count > chunks - run.first) return nothing();
        run.bytes = basis_.chunk_offsets[run.first + run.count] - basis_.chunk_offsets[run.first];
        at += run.bytes;
        index += run.count;
        left -= run.count;
        resolved.push_back(run);
      }
    } else {
      if (item.kind == PatchItem::Kind::kChunk) {
        const auto op_begin = static_cast<std::uint32_t>(ops.size());
        std::uint64_t op_at = at;
        for (std::uint32_t i = item.op_begin; i < item.op_end; ++i) {
          MILLRACE_TRY(resolve_op(plan.ops[i], op_at, addressing, ops));
          op_at += plan.ops[i].length;
        }
        item.op_begin = op_begin;
        item.op_end = static_cast<std::uint32_t>(ops.size());
      }
      at += item.bytes;
      const bool is_zeros = item.kind == PatchItem::Kind::kZeros;
      index += is_zeros ? item.count : 1;
      zero_chunks_ += is_zeros ? item.count : 0;
      resolved.push_back(item);
    }
    if (at > max_bytes_) return fail(Code::kTooLarge, "A patch makes a longer file than was announced.");
    if (index > max_chunks) return fail(Code::kTooLarge, "A patch makes a file of more chunks than it may have.");
    if (zero_chunks_ > kMaxZeroChunks)
      return fail(Code::kTooLarge, "A patch makes a file with more than 256 GiB of zeros, which is not supported.");
  }
  plan.items = std::move(resolved);
  plan.ops = std::move(ops);
  return {};
}

/// A COPY of the target's own bytes may stand in several places of the basis: it becomes as many.
Status PatchApplier::resolve_op(PatchOp op, std::uint64_t target, Addressing addressing,
                                std::vector<PatchOp>& ops) const {
  static constexpr std::size_t kMaxOps = kMaxPartRawBytes;
  const std::uint64_t size = basis_.source ? basis_.source->size() : 0;
  if (op.kind != PatchOp::Kind::kCopy) {
    ops.push_back(op);
    return {};
  }
  for (std::uint64_t left = op.length; left > 0;) {
    PatchOp piece = op;
    if (addressing == Addressing::kTarget) {
      const auto found = basis_.locate ? basis_.locate(target) : std::nullopt;
      if (!found || found->length == 0 || ops.size() > kMaxOps) return fail(Code::kProtocol, kNotInBasis);
      piece.offset = found->offset;
      piece.length = std::min(left, found->length);
    }
    if (piece.offset > size || piece.length > size - piece.offset) return fail(Code::kProtocol, kNotInBasis);
    ops.push_back(piece);
    target += piece.length;
    left -= piece.length;
  }
  return {};
}

void PatchApplier::claim_cut(ByteView chunk) {
  has_wrong_cut_ |= last_cut_unasked_;
  last_cut_unasked_ = !is_valid_chunk(chunk, false);
}

/// Known target bytes: before the part from the draft, inside of it from the basis.
Status PatchApplier::read_known(const PartPlan& plan, std::uint64_t start, ByteRange range, MutableBytes into) const {
  if (range.offset < start) return draft_.read_at(range.offset, into);
  std::uint64_t at = start;
  const std::uint64_t end = range.offset + range.length;
  const auto read = [&](std::uint64_t piece_at, std::uint64_t length,
                        const std::optional<std::uint64_t>& offset) -> Status {
    const std::uint64_t from = std::max(piece_at, range.offset);
    const std::uint64_t to = std::min(piece_at + length, end);
    if (from >= to) return {};
    const MutableBytes piece = into.subspan(from - range.offset, to - from);
    if (offset) return basis_.source->read_at(*offset + (from - piece_at), piece);
    std::fill(piece.begin(), piece.end(), Byte{0});
    return {};
  };
  for (const PatchItem& item : plan.items) {
    if (at >= end) break;
    if (item.kind == PatchItem::Kind::kChunk && at + item.bytes > range.offset) {
      std::uint64_t op_at = at;
      for (std::uint32_t i = item.op_begin; i < item.op_end; ++i) {
        const PatchOp& op = plan.ops[i];
        if (op.kind == PatchOp::Kind::kCopy) MILLRACE_TRY(read(op_at, op.length, op.offset));
        if (op.kind == PatchOp::Kind::kZero) MILLRACE_TRY(read(op_at, op.length, std::nullopt));
        op_at += op.length;
      }
    } else if (item.kind == PatchItem::Kind::kKeep) {
      MILLRACE_TRY(read(at, item.bytes, basis_.chunk_offsets[item.first]));
    } else if (item.kind == PatchItem::Kind::kZeros) {
      MILLRACE_TRY(read(at, item.bytes, std::nullopt));
    }
    at += item.bytes;
  }
  return {};
}

Result<std::optional<Digest>> PatchApplier::apply(ReceivedPart part, std::uint64_t window, Addressing addressing,
                                                  Hasher& hasher, SegmentCodec& codec) {
  cursor_.addressing = addressing;
  MILLRACE_ASSIGN(PartPlan plan, decode_instructions(part.instructions, part.raw_bytes, cursor_));
  const std::uint64_t start = draft_.size();
  MILLRACE_TRY(resolve(plan, addressing));

  Buffer literals;
  if (part.is_zstd) {
    Buffer prefix;
    for (const ByteRange& range : prefix_ranges(plan, start, window)) {
      const std::size_t old = prefix.size();
      prefix.resize(old + range.length);
      MILLRACE_TRY(read_known(plan, start, range, MutableBytes(prefix).subspan(old)));
    }
    MILLRACE_ASSIGN(literals, codec.decode(part.coded, prefix, part.raw_bytes));
  } else {
    literals = std::move(part.coded);
  }
  literal_bytes_ += literals.size();

  // Chunks that are one literal are handed on straight from the segment, as many at once as stand together.
  std::vector<Chunk> run;
  std::size_t run_begin = 0;
  std::size_t used = 0;
  const auto flush_run = [&]() -> Status {
    if (run.empty()) return {};
    const ByteView content = ByteView(literals).subspan(run_begin, used - run_begin);
    std::vector<ByteView> pieces;
    ByteView rest = content;
    for (const Chunk& chunk : run) {
      pieces.push_back(rest.first(chunk.length));
      rest = rest.subspan(chunk.length);
    }
    std::vector<Digest> digests(run.size());
    hasher.hash_all(pieces, digests);
    for (std::size_t i = 0; i < run.size(); ++i) run[i].digest = digests[i];
    MILLRACE_TRY(draft_.add(run, content));
    run.clear();
    return {};
  };
  Buffer mixed;
  for (const PatchItem& item : plan.items) {
    const bool one_literal = item.kind == PatchItem::Kind::kChunk && item.op_end == item.op_begin + 1 &&
                             plan.ops[item.op_begin].kind == PatchOp::Kind::kLiteral;
    if (one_literal) {
      if (run.empty()) run_begin = used;
      built_chunks_.push_back(draft_.chunk_count() + run.size());
      Chunk chunk;
      chunk.length = static_cast<std::uint32_t>(item.bytes);
      claim_cut(ByteView(literals).subspan(used, item.bytes));
      used += item.bytes;
      run.push_back(chunk);
      if (used - run_begin >= kRunBytes) MILLRACE_TRY(flush_run());
      continue;
    }
    MILLRACE_TRY(flush_run());
    if (item.kind == PatchItem::Kind::kKeep) {
      has_wrong_cut_ |= std::exchange(last_cut_unasked_, false);
      MILLRACE_TRY(draft_.keep(item.first, item.count));
      matched_bytes_ += item.bytes;
    } else if (item.kind == PatchItem::Kind::kZeros) {
      const auto length = static_cast<std::uint32_t>(item.bytes / item.count);
      if (length != zero_length_) {
        zero_digest_ = hasher.hash(Buffer(length, Byte{0}));
        zero_length_ = length;
      }
      has_wrong_cut_ |= std::exchange(last_cut_unasked_, false);
      MILLRACE_TRY(draft_.add_zeros(Chunk{zero_digest_, 0, length}, item.count));
      zero_bytes_ += item.bytes;
    } else {
      mixed.clear();
      for (std::uint32_t i = item.op_begin; i < item.op_end; ++i) {
        const PatchOp& op = plan.ops[i];
        const std::size_t old = mixed.size();
        if (op.kind == PatchOp::Kind::kLiteral) {
          append(mixed, ByteView(literals).subspan(used, op.length));
          used += op.length;
          continue;
        }
        mixed.resize(old + op.length, Byte{0});
        if (op.kind == PatchOp::Kind::kCopy) {
          MILLRACE_TRY(basis_.source->read_at(op.offset, MutableBytes(mixed).subspan(old)));
          matched_bytes_ += op.length;
        } else {
          zero_bytes_ += op.length;
        }
      }
      built_chunks_.push_back(draft_.chunk_count());
      claim_cut(mixed);
      const Chunk chunk{hasher.hash(mixed), 0, static_cast<std::uint32_t>(mixed.size())};
      MILLRACE_TRY(draft_.add(std::span(&chunk, 1), mixed));
    }
  }
  MILLRACE_TRY(flush_run());
  return plan.root;
}

}  // namespace millrace
