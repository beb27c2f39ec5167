#include "delta/patch_repairer.h"

namespace millrace {

Result<std::optional<Digest>> PatchRepairer::apply(ReceivedPart part, Hasher& hasher, SegmentCodec& codec) {
  MILLRACE_ASSIGN(const PartPlan plan, decode_instructions(part.instructions, part.raw_bytes, cursor_));
  Buffer literals = std::move(part.coded);
  if (part.is_zstd) {
    MILLRACE_ASSIGN(literals, codec.decode(literals, {}, part.raw_bytes));
  }
  ByteView rest(literals);
  const auto wrong = [] { return fail(Code::kProtocol, "A repair does not fit what it repairs."); };
  for (const PatchItem& item : plan.items) {
    if (item.kind == PatchItem::Kind::kKeep) {
      if (item.first != index_ || item.count > draft_.chunk_count() - index_) return wrong();
      index_ += item.count;
      continue;
    }
    const bool one_literal = item.kind == PatchItem::Kind::kChunk && item.op_end == item.op_begin + 1 &&
                             plan.ops[item.op_begin].kind == PatchOp::Kind::kLiteral;
    if (!one_literal || index_ >= draft_.chunk_count()) return wrong();
    const ByteView content = rest.first(item.bytes);
    rest = rest.subspan(item.bytes);
    MILLRACE_ASSIGN(const Chunk built, draft_.chunk_at(index_));
    if (built.length != content.size()) return wrong();
    MILLRACE_TRY(draft_.replace(index_, {hasher.hash(content), 0, built.length}, content));
    ++index_;
  }
  if (plan.root && index_ != draft_.chunk_count()) return wrong();
  return plan.root;
}

}  // namespace millrace
