// The receiver of a patch: whatever a peer sends, nothing outside of the basis, the draft and the limits is touched,
// and what is built has the digests that it is said to have. The first byte chooses the basis and whether a repair
// comes.
#include "codec/sha256.h"
#include "codec/zstd_codec.h"
#include "delta/part_encoder.h"
#include "delta/patch_applier.h"
#include "delta/patch_repairer.h"
#include "delta/patch_writer.h"
#include "fuzz/fuzz.h"
#include "support/bytes.h"
#include "support/chunks.h"
#include "support/edits.h"
#include "support/memory_draft.h"

using namespace millrace;

namespace {

constexpr std::uint64_t kMaxTarget = 1u << 20;
constexpr std::uint64_t kMaxCheckedBytes = 200'000;
constexpr Byte kHasBasis = 1;
constexpr Byte kRepairs = 2;

const Buffer& basis() {
  static const Buffer content = [] {
    Buffer out = test::random_text(20'000, 1);
    append(out, Buffer(70'000, Byte{0}));
    append(out, test::random_bytes(6'000, 2));
    return out;
  }();
  return content;
}

const ChunkList& basis_chunks() {
  static const ChunkList chunks = test::chunks_of(basis());
  return chunks;
}

/// Some of the target's own positions are known, others are not.
PatchBasis patch_basis() {
  PatchBasis out{std::make_shared<BufferSource>(basis()), offsets_of(basis_chunks()), nullptr, nullptr};
  out.locate = [](std::uint64_t target) -> std::optional<ByteRange> {
    if (target >= basis().size() || target / 5000 % 3 == 2) return std::nullopt;
    return ByteRange{target, std::min<std::uint64_t>(1000, basis().size() - target)};
  };
  out.locate_chunk = [](std::uint64_t chunk) -> std::optional<std::uint64_t> {
    if (chunk >= basis_chunks().size() || chunk % 4 == 3) return std::nullopt;
    return chunk ^ 1;  // the last one may lie behind the end
  };
  return out;
}

void check_draft(const test::MemoryDraft& draft, Hasher& hasher) {
  std::uint64_t at = 0;
  for (std::uint64_t i = 0; i < draft.chunk_count(); ++i) {
    const Chunk chunk = draft.chunk_at(i).value();
    fuzz::require(chunk.length > 0 && chunk.length <= kMaxChunkBytes, "a chunk's length is within its limits");
    fuzz::require(chunk.length <= draft.size() - at, "the chunks are not longer than the content");
    if (draft.size() <= kMaxCheckedBytes)
      fuzz::require(hasher.hash(ByteView(draft.content).subspan(at, chunk.length)) == chunk.digest,
                    "a chunk has the content that its digest says");
    at += chunk.length;
  }
  fuzz::require(at == draft.size(), "the chunks are the content");
}

template <typename Apply>
void feed(ByteView stream, const Apply& apply) {
  PartAssembler assembler;
  const std::size_t step = stream.empty() ? 1 : 1 + stream[stream.size() / 2] * 8u;
  for (ByteView rest = stream; !rest.empty();) {
    ByteView piece = rest.first(std::min(rest.size(), step));
    rest = rest.subspan(piece.size());
    while (!piece.empty()) {
      auto part = assembler.feed(piece);
      if (!part) return;
      fuzz::require(assembler.part_bytes() <= kMaxPartInstructionBytes + kMaxPartRawBytes + 1024,
                    "a part is within its limits");
      if (*part && !apply(std::move(**part), assembler)) return;
    }
  }
}

}  // namespace

void fuzz::run(ByteView bytes) {
  Input input(bytes);
  const Byte choice = input.byte();
  const auto hasher = make_sha256();
  const auto codec = make_zstd_codec();
  static const Buffer no_content;
  static const ChunkList no_chunks;
  const bool has_basis = (choice & kHasBasis) != 0;
  test::MemoryDraft draft(has_basis ? basis() : no_content, has_basis ? basis_chunks() : no_chunks);
  if ((choice & kRepairs) != 0) {
    require(draft.add(basis_chunks(), basis()).has_value(), "there is something to repair");
    PatchRepairer repairer(draft);
    feed(input.rest(), [&](ReceivedPart part, const PartAssembler&) {
      const auto root = repairer.apply(std::move(part), *hasher, *codec);
      return root && !*root;
    });
    require(draft.size() == basis().size(), "a repair changes no length");
    return check_draft(draft, *hasher);
  }
  PatchApplier applier(has_basis ? patch_basis() : PatchBasis{}, draft, kMaxTarget);
  feed(input.rest(), [&](ReceivedPart part, const PartAssembler& assembler) {
    const auto root =
        applier.apply(std::move(part), assembler.prefix_window(), assembler.addressing(), *hasher, *codec);
    return root && !*root;
  });
  require(draft.size() <= kMaxTarget, "no more is built than was announced");
  for (const std::uint64_t chunk : applier.built_chunks())
    require(chunk <= draft.chunk_count() + kMaxTarget, "what was built has an index");
  check_draft(draft, *hasher);
}

namespace {

/// A patch that makes the basis with a few changes out of the basis.
Buffer sample_patch(Addressing addressing, int level, bool with_basis) {
  Buffer target = basis();
  for (const std::size_t at : {5'000u, 52'000u, 92'000u}) target[at] ^= 0x55;
  append(target, test::random_text(5'000, 9));
  const ChunkList chunks = test::chunks_of(target);
  std::vector<Match> matches;
  if (with_basis) matches.push_back({6'000, 6'000, 3'000});
  PatchPlanner planner(addressing, matches);
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    const bool kept = with_basis && i < basis_chunks().size() && chunks[i].digest == basis_chunks()[i].digest;
    planner.add_chunk({chunks[i].length, false, kept ? i : kNoChunk});
  }
  constexpr std::uint64_t kWindow = 1u << 20;
  Buffer out = encode_patch_header(kWindow, addressing);
  PatchCursor cursor;
  cursor.addressing = addressing;
  const auto codec = make_zstd_codec();
  for (bool last = false; !last;) {
    const std::uint64_t start = planner.position();
    auto plan = planner.next_part(20'000);
    last = !plan;
    if (last) plan.emplace().root = build_tree(chunks, *make_sha256()).root;
    const EncodedPart part =
        encode_part(*plan, encode_instructions(*plan, cursor), start, kWindow, BufferSource(target), {}, *codec, level)
            .value();
    append(out, part.head);
    for (const SharedBytes& piece : part.literals) append(out, piece.view);
  }
  return out;
}

/// The first chunk is passed over, the second one replaced.
Buffer sample_repair() {
  PartPlan plan;
  plan.items.push_back({PatchItem::Kind::kKeep, 0, 1, basis_chunks()[0].length, 0, 0});
  plan.items.push_back({PatchItem::Kind::kChunk, 0, 1, basis_chunks()[1].length, 0, 1});
  plan.ops.push_back({PatchOp::Kind::kLiteral, basis_chunks()[1].length, 0});
  plan.literal_bytes = basis_chunks()[1].length;
  PatchCursor cursor;
  const Buffer instructions = encode_instructions(plan, cursor);
  const Buffer literals(plan.literal_bytes, Byte{'r'});
  const Buffer coded = make_zstd_codec()->encode(literals, {}, 3).value();
  Buffer out = encode_patch_header(0, Addressing::kBasis);
  append(out, encode_part_header(instructions.size(), literals.size(), coded.size(), true));
  append(out, instructions);
  append(out, coded);
  return out;
}

}  // namespace

void fuzz::seeds(const AddSeed& add) {
  const auto with = [&](const std::string& name, Byte choice, const Buffer& patch) {
    Buffer input{choice};
    append(input, patch);
    add(name, input);
  };
  with("delta", kHasBasis, sample_patch(Addressing::kBasis, 3, true));
  with("by-target", kHasBasis, sample_patch(Addressing::kTarget, 3, true));
  with("whole", 0, sample_patch(Addressing::kBasis, 3, false));
  with("repair", kRepairs, sample_repair());
}
