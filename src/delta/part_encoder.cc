#include "delta/part_encoder.h"

#include <algorithm>

namespace millrace {

namespace {

constexpr std::size_t kProbeBytes = 64 * 1024;
constexpr std::size_t kLeastProbed = 1024;

/// The part's literals in the target, neighbours joined.
std::vector<ByteRange> literal_ranges(const PartPlan& plan, std::uint64_t start) {
  std::vector<ByteRange> ranges;
  std::uint64_t at = start;
  for (const PatchItem& item : plan.items) {
    if (item.kind != PatchItem::Kind::kChunk) {
      at += item.bytes;
      continue;
    }
    for (std::uint32_t i = item.op_begin; i < item.op_end; ++i) {
      const PatchOp& op = plan.ops[i];
      if (op.kind == PatchOp::Kind::kLiteral) {
        if (!ranges.empty() && ranges.back().end() == at) {
          ranges.back().length += op.length;
        } else {
          ranges.push_back({at, op.length});
        }
      }
      at += op.length;
    }
  }
  return ranges;
}

/// A part and its window are held in memory, so their lengths are of its kind.
constexpr std::size_t in_memory(std::uint64_t bytes) {
  return static_cast<std::size_t>(bytes);
}

/// Literals one after the other, in as few pieces as they lie in memory.
class Gathered {
 public:
  Gathered(std::uint64_t bytes, std::span<const HeldContent> held) : bytes_(bytes), held_(held) {}

  Status add(ByteRange range, const Source& target) {
    while (range.length > 0) {
      auto holder = std::find_if(held_.begin(), held_.end(),
                                 [&](const HeldContent& content) { return content.end() > range.offset; });
      std::uint64_t length = range.length;
      if (holder != held_.end() && holder->offset <= range.offset) {
        length = std::min(length, holder->end() - range.offset);
        append({holder->bytes.owner,
                holder->bytes.view.subspan(in_memory(range.offset - holder->offset), in_memory(length))});
      } else {
        if (holder != held_.end()) length = std::min(length, holder->offset - range.offset);
        if (!read_) read_ = std::make_shared<Buffer>(in_memory(bytes_));
        const MutableBytes into = MutableBytes(*read_).subspan(filled_, in_memory(length));
        MILLRACE_TRY(target.read_at(range.offset, into));
        filled_ += into.size();
        append({read_, into});
      }
      range.offset += length;
      range.length -= length;
    }
    return {};
  }

  /// Copies from `offset` on into `into`, which must not reach past the end.
  void copy(std::uint64_t offset, MutableBytes into) const {
    for (const SharedBytes& piece : pieces_) {
      if (offset >= piece.view.size()) {
        offset -= piece.view.size();
        continue;
      }
      const ByteView from = piece.view.subspan(in_memory(offset));
      const std::size_t length = std::min(from.size(), into.size());
      std::copy_n(from.begin(), length, into.begin());
      into = into.subspan(length);
      offset = 0;
      if (into.empty()) return;
    }
  }

  std::vector<SharedBytes> take() { return std::move(pieces_); }

 private:
  void append(SharedBytes piece) {
    if (!pieces_.empty() && pieces_.back().owner == piece.owner &&
        pieces_.back().view.data() + pieces_.back().view.size() == piece.view.data()) {
      pieces_.back().view = {pieces_.back().view.data(), pieces_.back().view.size() + piece.view.size()};
    } else {
      pieces_.push_back(std::move(piece));
    }
  }
  std::uint64_t bytes_;
  std::span<const HeldContent> held_;
  std::vector<SharedBytes> pieces_;
  std::shared_ptr<Buffer> read_;
  std::size_t filled_ = 0;
};

/// Tries some 64 KiB from the front and the middle at level 1, without the prefix: under 2 % gain means that trying the
/// rest is wasted time (loading an 8 MiB prefix costs more than coding 1 MiB). What repeats only what the prefix has is
/// given up for that.
Result<bool> worth_coding(const Gathered& raw, std::uint64_t bytes, SegmentCodec& codec) {
  if (bytes < kLeastProbed) return true;
  const std::size_t half = in_memory(std::min<std::uint64_t>(bytes, kProbeBytes / 2));
  const bool two = bytes >= 2 * kProbeBytes;
  Buffer probe(two ? 2 * half : half);
  raw.copy(0, MutableBytes(probe).first(half));
  if (two) raw.copy(bytes / 2, MutableBytes(probe).subspan(half));
  MILLRACE_ASSIGN(const Buffer coded, codec.encode(probe, {}, 1));
  return !coded.empty() && coded.size() + probe.size() / 50 <= probe.size();
}

}  // namespace

Result<EncodedPart> encode_part(const PartPlan& plan, ByteView instructions, std::uint64_t start, std::uint64_t window,
                                const Source& target, std::span<const HeldContent> held, SegmentCodec& codec,
                                int level) {
  Gathered gathered(plan.literal_bytes, held);
  for (const ByteRange& range : literal_ranges(plan, start)) MILLRACE_TRY(gathered.add(range, target));

  Buffer coded;
  bool code = plan.literal_bytes > 0 && level > 0;
  if (code) {
    MILLRACE_ASSIGN(code, worth_coding(gathered, plan.literal_bytes, codec));
  }
  if (code) {
    Buffer prefix;
    for (const ByteRange& range : prefix_ranges(plan, start, window)) {
      const std::size_t old = prefix.size();
      prefix.resize(old + in_memory(range.length));
      MILLRACE_TRY(target.read_at(range.offset, MutableBytes(prefix).subspan(old)));
    }
    Buffer raw(in_memory(plan.literal_bytes));
    gathered.copy(0, raw);
    MILLRACE_ASSIGN(coded, codec.encode(raw, prefix, level));
  }
  const bool is_zstd = !coded.empty();
  EncodedPart part;
  part.head = encode_part_header(instructions.size(), plan.literal_bytes,
                                 is_zstd ? coded.size() : in_memory(plan.literal_bytes), is_zstd);
  append(part.head, instructions);
  if (is_zstd) {
    part.literals.push_back(SharedBytes::of(std::move(coded)));
  } else {
    part.literals = gathered.take();
  }
  return part;
}

}  // namespace millrace
