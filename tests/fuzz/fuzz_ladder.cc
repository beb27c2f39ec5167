// The ladder. A hostile holder's signatures and a hostile searcher's answers lead to no match outside of the files. The
// first byte chooses who is hostile.
#include "codec/sha256.h"
#include "delta/ladder_holder.h"
#include "delta/ladder_searcher.h"
#include "fuzz/fuzz.h"
#include "support/bytes.h"
#include "support/edits.h"

using namespace millrace;

namespace {

constexpr std::uint64_t kSeed = 5;

const Buffer& own_content() {
  static const Buffer content = [] {
    Buffer out = test::random_text(30'000, 3);
    append(out, Buffer(8'000, Byte{0}));
    append(out, test::random_bytes(20'000, 4));
    return out;
  }();
  return content;
}

/// Four chunks of the own file, its end.
std::vector<std::uint64_t> own_offsets() {
  return {0, 16'000, 30'000, 38'000, own_content().size()};
}

/// Pieces as a tree exchange may give them, each number of a lacking chunk at least once. One byte each.
std::vector<HolderPiece> pieces_of(ByteView description, std::uint32_t lacking) {
  std::vector<HolderPiece> out;
  for (const Byte byte : description.first(std::min<std::size_t>(description.size(), 64))) {
    const std::uint32_t number = byte >> 1;
    if ((byte & 1) == 0) {
      out.push_back({false, number % lacking, 1});
    } else {
      const std::uint32_t first = number % 4;
      out.push_back({true, first, 1 + (number >> 2) % (4 - first)});
    }
  }
  for (std::uint32_t number = 0; number < lacking; ++number) out.push_back({false, number, 1});
  return out;
}

void check(const std::vector<BlockMatch>& matches, const LadderSearcher& searcher) {
  std::uint64_t holder_bytes = 0;
  for (const HolderPiece& piece : searcher.pieces())
    holder_bytes += piece.matched ? searcher.own_bytes(piece) : searcher.lacking_length(piece.first);
  for (const BlockMatch& match : matches) {
    fuzz::require(match.own <= own_content().size() && match.length <= own_content().size() - match.own,
                  "a match lies in the own file");
    fuzz::require(match.holder <= holder_bytes && match.length <= holder_bytes - match.holder,
                  "a match lies in the holder's file");
  }
}

void check_searcher(fuzz::Input& input) {
  const std::uint32_t lacking = 1 + input.byte() % 8;
  const Byte covered = input.byte();
  LadderSearcher searcher(pieces_of(input.piece(), lacking), lacking, own_offsets(),
                          {(covered & 1) != 0, (covered & 2) != 0, (covered & 4) != 0, (covered & 8) != 0}, kSeed);
  const BufferSource own(own_content());
  while (!input.done()) {
    const std::uint32_t block_bytes = input.number<std::uint32_t>();
    const unsigned width = input.byte();
    const std::uint32_t next = 1u << input.byte() % 16;
    const double ratio = input.byte() / 255.0;
    const auto taken = searcher.take_signatures(block_bytes, width, input.piece(), own);
    if (!taken) return;
    if (!searcher.rung_complete()) continue;
    const LadderSearcher::Answer answer = searcher.finish_rung(next == 1 ? 0 : next, ratio);
    check(searcher.by_own(), searcher);
    check(searcher.by_holder(), searcher);
    std::uint64_t end = 0;
    for (const ByteRange& gap : searcher.gaps()) {
      fuzz::require(gap.length > 0 && gap.offset >= end && gap.end() <= own_content().size(), "a gap is in the file");
      end = gap.end();
    }
    if (answer.finer_ranges == 0 || searcher.rung() > kMaxRungs) return;
  }
}

void check_holder(fuzz::Input& input) {
  std::vector<ByteRange> lacking;
  for (std::uint64_t at = 0, count = 1 + input.byte() % 16; count > 0 && at < own_content().size(); --count) {
    const std::uint64_t length = std::min<std::uint64_t>(1 + input.number<std::uint16_t>(), own_content().size() - at);
    lacking.push_back({at, length});
    at += length;
  }
  const auto lengths = lacking;
  LadderHolder holder(std::move(lacking), kSeed);
  const BufferSource source(own_content());
  while (!input.done()) {
    if (!holder.begin_rung(input.number<std::uint32_t>(), input.number<std::uint64_t>())) return;
    while (holder.batches_left()) {
      const auto signed_blocks = sign(holder.next_batch(), source);
      fuzz::require(signed_blocks.has_value(), "every range that is signed lies in the file");
    }
    if (!holder.take_answer(input.piece())) return;
    std::uint64_t found_bytes = 0;
    for (const SignedRange& range : holder.found()) {
      fuzz::require(range.chunk < lengths.size() && range.offset + range.length <= lengths[range.chunk].length,
                    "what was found lies in its chunk");
      found_bytes += range.length;
    }
    std::uint64_t all = 0;
    for (const ByteRange& range : lengths) all += range.length;
    fuzz::require(found_bytes + holder.unfound_bytes() <= all, "nothing is found twice");
  }
}

}  // namespace

void fuzz::run(ByteView bytes) {
  Input input(bytes);
  if ((input.byte() & 1) == 0) {
    check_searcher(input);
  } else {
    check_holder(input);
  }
}

/// What two honest sides say: the holder has the own file with changes.
void fuzz::seeds(const AddSeed& add) {
  Buffer held(own_content().begin() + 16'000, own_content().end());
  for (const std::size_t at : {1'000u, 9'000u, 30'000u}) held[at] ^= 1;
  const std::vector<ByteRange> chunks{{0, 14'000}, {14'000, 20'000}, {34'000, held.size() - 34'000}};
  LadderHolder holder(chunks, kSeed);
  LadderSearcher searcher(pieces_of({}, 3), 3, own_offsets(), {false, false, false, false}, kSeed);
  Buffer to_searcher{0, 2, 0};
  append_piece(to_searcher, {});
  Buffer to_holder{1, 2};
  for (const ByteRange& chunk : chunks) append_le(to_holder, static_cast<std::uint16_t>(chunk.length - 1));
  std::uint64_t pair_bytes = searcher.gap_bytes();
  Byte next = 9;
  for (const std::uint32_t block : {2048u, 512u, 64u}) {
    (void)holder.begin_rung(block, pair_bytes);
    const SignBatch batch = holder.next_batch();
    const Buffer signatures = sign(batch, BufferSource(held)).value();
    (void)searcher.take_signatures(block, batch.width, signatures, BufferSource(own_content()));
    append_le(to_searcher, block);
    to_searcher.push_back(static_cast<Byte>(batch.width));
    to_searcher.push_back(block == 64 ? 0 : next);
    to_searcher.push_back(255);
    append_piece(to_searcher, signatures);
    const auto answer = searcher.finish_rung(block == 64 ? 0 : 1u << next, 1.0);
    next = 6;
    append_le(to_holder, block);
    append_le(to_holder, pair_bytes);
    append_piece(to_holder, answer.bits);
    pair_bytes = answer.pair_bytes;
    (void)holder.take_answer(answer.bits);
  }
  add("signatures", to_searcher);
  add("answers", to_holder);
}
