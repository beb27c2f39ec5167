#include "delta/patch.h"

#include <algorithm>
#include <cstring>

#include "base/varint.h"

namespace millrace {

namespace {

constexpr std::uint64_t kMaxCount = std::uint64_t{1} << 48;

std::uint64_t difference(std::uint64_t actual, std::uint64_t expected) {
  return zigzag(static_cast<std::int64_t>(actual - expected));
}

Result<std::uint64_t> resolve(Reader& reader, std::uint64_t expected) {
  MILLRACE_ASSIGN(const std::uint64_t coded, reader.varint());
  const std::uint64_t value = expected + static_cast<std::uint64_t>(unzigzag(coded));
  if (value > kMaxCount) return fail(Code::kProtocol, "A patch names a place outside of its basis.");
  return value;
}

}  // namespace

Buffer encode_instructions(const PartPlan& plan, PatchCursor& cursor) {
  Buffer out;
  for (const PatchItem& item : plan.items) {
    const auto kind = static_cast<std::uint64_t>(item.kind);
    switch (item.kind) {
      case PatchItem::Kind::kKeep:
        append_varint(out, item.count << 2 | kind);
        if (cursor.addressing == Addressing::kBasis) append_varint(out, difference(item.first, cursor.next_chunk));
        cursor.next_chunk = item.first + item.count;
        break;
      case PatchItem::Kind::kZeros:
        append_varint(out, item.count << 2 | kind);
        append_varint(out, item.bytes / item.count);
        break;
      case PatchItem::Kind::kChunk: {
        append_varint(out, item.bytes << 2 | kind);
        for (std::uint32_t at = item.op_begin; at < item.op_end; ++at) {
          const PatchOp& op = plan.ops[at];
          append_varint(out, op.length << 2 | static_cast<std::uint64_t>(op.kind));
          if (op.kind == PatchOp::Kind::kCopy && cursor.addressing == Addressing::kBasis) {
            append_varint(out, difference(op.offset, cursor.next_offset));
            cursor.next_offset = op.offset + op.length;
          } else if (op.kind != PatchOp::Kind::kCopy) {
            cursor.next_offset += op.length;
          }
        }
        break;
      }
      case PatchItem::Kind::kEnd:
        break;
    }
  }
  if (plan.root) {
    append_varint(out, static_cast<std::uint64_t>(PatchItem::Kind::kEnd));
    append(out, plan.root->bytes);
  }
  return out;
}

Result<PartPlan> decode_instructions(ByteView instructions, std::uint64_t raw_bytes, PatchCursor& cursor) {
  PartPlan plan;
  Reader reader(instructions);
  const auto protocol = [](const char* sentence) { return fail(Code::kProtocol, sentence); };
  while (!reader.done()) {
    if (plan.root) return protocol("A patch goes on after its end.");
    MILLRACE_ASSIGN(const std::uint64_t head, reader.varint());
    PatchItem item;
    item.kind = static_cast<PatchItem::Kind>(head & 3);
    const std::uint64_t value = head >> 2;
    if (cursor.is_at_end && item.kind != PatchItem::Kind::kEnd)
      return protocol("A patch goes on after a chunk that can only be the last of its file.");
    switch (item.kind) {
      case PatchItem::Kind::kKeep:
        if (value == 0 || value > kMaxCount) return protocol("A patch keeps an impossible number of chunks.");
        item.count = value;
        if (cursor.addressing == Addressing::kBasis) {
          MILLRACE_ASSIGN(item.first, resolve(reader, cursor.next_chunk));
        }
        cursor.next_chunk = item.first + item.count;
        break;
      case PatchItem::Kind::kZeros: {
        MILLRACE_ASSIGN(const std::uint64_t length, reader.varint());
        if (value == 0 || value > kMaxCount / kMaxChunkBytes || length == 0 || length > kMaxChunkBytes) {
          return protocol("A patch names zero chunks of an impossible size.");
        }
        // Zeros ask for no cut: a shorter chunk of them ends with the file.
        cursor.is_at_end = length != kMaxChunkBytes;
        if (cursor.is_at_end && value > 1) return protocol("A patch names several short chunks of zeros.");
        item.count = value;
        item.bytes = value * length;
        break;
      }
      case PatchItem::Kind::kChunk: {
        if (value == 0 || value > kMaxChunkBytes) return protocol("A patch names a chunk of an impossible size.");
        cursor.is_at_end = value < kMinChunkBytes;
        item.bytes = value;
        item.op_begin = static_cast<std::uint32_t>(plan.ops.size());
        std::uint64_t covered = 0;
        while (covered < value) {
          MILLRACE_ASSIGN(const std::uint64_t op_head, reader.varint());
          PatchOp op;
          if ((op_head & 3) == 3) return protocol("A patch has an unknown instruction.");
          op.kind = static_cast<PatchOp::Kind>(op_head & 3);
          op.length = op_head >> 2;
          if (op.length == 0 || op.length > value - covered) return protocol("A patch overruns its chunk.");
          if (op.kind == PatchOp::Kind::kCopy && cursor.addressing == Addressing::kBasis) {
            MILLRACE_ASSIGN(op.offset, resolve(reader, cursor.next_offset));
            cursor.next_offset = op.offset + op.length;
          } else if (op.kind != PatchOp::Kind::kCopy) {
            cursor.next_offset += op.length;
          }
          if (op.kind == PatchOp::Kind::kLiteral) plan.literal_bytes += op.length;
          covered += op.length;
          plan.ops.push_back(op);
        }
        item.op_end = static_cast<std::uint32_t>(plan.ops.size());
        break;
      }
      case PatchItem::Kind::kEnd: {
        if (value != 0) return protocol("A patch has an unknown instruction.");
        MILLRACE_ASSIGN(const ByteView digest, reader.take(32));
        plan.root.emplace();
        std::copy(digest.begin(), digest.end(), plan.root->bytes.begin());
        continue;
      }
    }
    plan.items.push_back(item);
  }
  if (plan.literal_bytes != raw_bytes) return protocol("A patch has more or fewer literals than it names.");
  return plan;
}

Buffer encode_patch_header(std::uint64_t prefix_window, Addressing addressing) {
  Buffer out;
  append_varint(out, prefix_window);
  out.push_back(static_cast<Byte>(addressing));
  return out;
}

Buffer encode_part_header(std::size_t instruction_bytes, std::uint64_t raw_bytes, std::size_t coded_bytes,
                          bool is_zstd) {
  Buffer out;
  append_varint(out, instruction_bytes);
  append_varint(out, raw_bytes);
  append_varint(out, static_cast<std::uint64_t>(coded_bytes) << 1 | (is_zstd ? 1 : 0));
  return out;
}

bool PartAssembler::parse_headers() {
  Reader reader(head_);
  const auto number = [&](std::uint64_t limit, const char* what, std::uint64_t& into) {
    if (error_) return false;
    // A number that is cut short by the end of what has arrived is not an error yet.
    const std::size_t before = reader.position();
    bool complete = false;
    for (std::size_t at = before; at < head_.size() && !complete; ++at) complete = (head_[at] & 0x80) == 0;
    if (!complete && head_.size() - before < 10) return false;
    auto value = reader.varint_up_to(limit, what);
    if (!value) {
      error_ = std::move(value).error();
      return false;
    }
    into = *value;
    return true;
  };
  if (!header_known_) {
    if (!number(std::uint64_t{64} << 20, "The prefix window of a patch", prefix_window_)) return false;
    if (reader.done()) return false;
    const Byte mode = reader.take(1).value()[0];
    if (mode > 1) {
      error_ = Error{Code::kProtocol, "A patch has an unknown addressing."};
      return false;
    }
    addressing_ = static_cast<Addressing>(mode);
    header_known_ = true;
    head_.erase(head_.begin(), head_.begin() + static_cast<std::ptrdiff_t>(reader.position()));
    return parse_headers();
  }
  std::uint64_t coded = 0;
  if (!number(kMaxPartInstructionBytes, "A part's instruction length", instruction_bytes_)) return false;
  if (!number(kMaxPartRawBytes, "A part's literal length", part_.raw_bytes)) return false;
  if (!number((kMaxPartRawBytes << 1) | 1, "A part's coded length", coded)) return false;
  part_.is_zstd = (coded & 1) != 0;
  coded_bytes_ = coded >> 1;
  if (!part_.is_zstd && coded_bytes_ != part_.raw_bytes) {
    error_ = Error{Code::kProtocol, "A raw part's length is not what it names."};
    return false;
  }
  head_.erase(head_.begin(), head_.begin() + static_cast<std::ptrdiff_t>(reader.position()));
  return true;
}

Result<std::optional<ReceivedPart>> PartAssembler::feed(ByteView& bytes) {
  while (!in_part_) {
    if (bytes.empty()) return std::nullopt;
    head_.push_back(bytes[0]);
    bytes = bytes.subspan(1);
    in_part_ = parse_headers();
    if (error_) return fail(*error_);
  }
  fill_instructions(bytes);
  if (part_.instructions.size() < instruction_bytes_) return std::nullopt;
  fill_coded(bytes);
  if (coded_filled_ < coded_bytes_) return std::nullopt;
  in_part_ = false;
  coded_filled_ = 0;
  return std::optional<ReceivedPart>(std::exchange(part_, {}));
}

/// The size that a buffer takes which has `size` bytes, needs `needed` and will have `wanted` in the end.
std::size_t PartAssembler::grown(std::size_t size, std::size_t needed, std::uint64_t wanted) const {
  return static_cast<std::size_t>(std::min<std::uint64_t>(wanted, std::max<std::uint64_t>(2 * size, needed + ahead_)));
}

void PartAssembler::fill_instructions(ByteView& bytes) {
  Buffer& into = part_.instructions;
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(instruction_bytes_ - into.size(), bytes.size()));
  if (into.capacity() < into.size() + count)
    into.reserve(grown(into.capacity(), into.size() + count, instruction_bytes_));
  append(into, bytes.first(count));
  bytes = bytes.subspan(count);
}

void PartAssembler::fill_coded(ByteView& bytes) {
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(coded_bytes_ - coded_filled_, bytes.size()));
  if (count == 0) return;
  const std::size_t needed = coded_filled_ + count;
  if (part_.coded.size() < needed) take_memory(grown(part_.coded.size(), needed, coded_bytes_));
  Byte* const place = part_.coded.data() + coded_filled_;
  if (bytes.data() != place) std::memcpy(place, bytes.data(), count);
  coded_filled_ += count;
  bytes = bytes.subspan(count);
}

void PartAssembler::take_memory(std::size_t bytes) {
  part_.coded.reserve(bytes);
  part_.coded.resize(bytes);
}

void PartAssembler::take_rest() {
  if (in_part_) take_memory(static_cast<std::size_t>(coded_bytes_));
}

MutableBytes PartAssembler::space() {
  return MutableBytes(part_.coded).subspan(coded_filled_);
}

std::vector<ByteRange> prefix_ranges(const PartPlan& plan, std::uint64_t start, std::uint64_t window) {
  if (window <= plan.literal_bytes) return {};
  const std::uint64_t budget = window - plan.literal_bytes;

  // Known ranges inside of the part, and how far from a literal each of their ends is.
  struct Known {
    std::uint64_t begin, end;
    bool after_literal, before_literal;
  };
  std::vector<Known> known;
  std::uint64_t at = start;
  bool last_was_literal = false;
  const auto add_known = [&](std::uint64_t length) {
    if (!known.empty() && known.back().end == at) {
      known.back().end += length;
    } else {
      known.push_back({at, at + length, last_was_literal, false});
    }
    at += length;
    last_was_literal = false;
  };
  for (const PatchItem& item : plan.items) {
    if (item.kind != PatchItem::Kind::kChunk) {
      add_known(item.bytes);
      continue;
    }
    for (std::uint32_t op = item.op_begin; op < item.op_end; ++op) {
      if (plan.ops[op].kind != PatchOp::Kind::kLiteral) {
        add_known(plan.ops[op].length);
        continue;
      }
      if (!known.empty() && known.back().end == at) known.back().before_literal = true;
      at += plan.ops[op].length;
      last_was_literal = true;
    }
  }

  const auto neighbours = [&](std::uint64_t side) {
    std::vector<ByteRange> ranges;
    for (const Known& range : known) {
      const std::uint64_t length = range.end - range.begin;
      const std::uint64_t head = range.after_literal ? std::min(side, length) : 0;
      const std::uint64_t tail = range.before_literal ? std::min(side, length) : 0;
      if (head + tail >= length && head + tail > 0) {
        ranges.push_back({range.begin, length});
        continue;
      }
      if (head > 0) ranges.push_back({range.begin, head});
      if (tail > 0) ranges.push_back({range.end - tail, tail});
    }
    return ranges;
  };
  std::vector<ByteRange> near;
  std::uint64_t total = 0;
  for (std::uint64_t side = kNeighbourBytes; side >= 256; side /= 2) {
    near = neighbours(side);
    total = 0;
    for (const ByteRange& range : near) total += range.length;
    if (total <= budget) break;
    near.clear();
    total = 0;
  }
  std::vector<ByteRange> prefix;
  const std::uint64_t before = std::min(start, budget - total);
  if (before > 0) prefix.push_back({start - before, before});
  prefix.insert(prefix.end(), near.begin(), near.end());
  return prefix;
}

}  // namespace millrace
