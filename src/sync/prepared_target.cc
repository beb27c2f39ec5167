#include "sync/prepared_target.h"

#include "delta/hashed_chunks.h"
#include "delta/part_encoder.h"

namespace millrace {

namespace {

/// Appends the planner's chunks as parts, and the end.
Status append_patch(PatchPlanner& planner, const HeldContent& content, const Source& target, const Digest& root,
                    SegmentCodec& codec, int level, Buffer& patch) {
  static constexpr std::uint64_t kNoPrefix = 0;
  PatchCursor cursor;
  append(patch, encode_patch_header(kNoPrefix, cursor.addressing));
  for (std::uint64_t start = 0;; start = planner.position()) {
    const auto plan = planner.next_part(kMaxPartRawBytes - kMaxChunkBytes);
    if (!plan) break;
    const Buffer instructions = encode_instructions(*plan, cursor);
    MILLRACE_ASSIGN(const EncodedPart part,
                    encode_part(*plan, instructions, start, kNoPrefix, target, std::span(&content, 1), codec, level));
    append(patch, part.head);
    for (const SharedBytes& piece : part.literals) append(patch, piece.view);
  }
  PartPlan last;
  last.root = root;
  const Buffer end = encode_instructions(last, cursor);
  append(patch, encode_part_header(end.size(), 0, 0, false));
  append(patch, end);
  return {};
}

}  // namespace

Result<PreparedTarget> prepare_target(const Source& target, Hasher& hasher, SegmentCodec& codec, int level) {
  Buffer bytes(static_cast<std::size_t>(target.size()));
  MILLRACE_TRY(target.read_at(0, bytes));
  const HeldContent content{0, SharedBytes::of(std::move(bytes))};
  const HashedChunks cut = cut_and_hash(content.bytes.view, Tail::kEndOfFile, hasher);
  PreparedTarget prepared;
  ChunkTreeBuilder builder;
  PatchPlanner planner(Addressing::kBasis, {});
  for (std::size_t i = 0; i < cut.contents.size(); ++i) {
    const auto length = static_cast<std::uint32_t>(cut.contents[i].size());
    builder.add(length, cut.digests[i], hasher);
    prepared.chunks.push_back({length, all_zero(cut.contents[i]), kNoChunk});
    planner.add_chunk(prepared.chunks.back());
  }
  prepared.tree = builder.finish(hasher);
  MILLRACE_TRY(append_patch(planner, content, target, prepared.tree.root, codec, level, prepared.patch));
  prepared.literal_bytes = planner.literal_bytes();
  prepared.zero_bytes = planner.zero_bytes();
  return prepared;
}

}  // namespace millrace
