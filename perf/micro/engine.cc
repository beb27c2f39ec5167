// The delta engine's loops: chunker, hashes, ladder.
#include "base/cpu.h"
#include "benchmarks.h"
#include "codec/sha256.h"
#include "codec/sha256_lanes.h"
#include "codec/xxh3.h"
#include "delta/chunker.h"
#include "delta/ladder_holder.h"
#include "delta/ladder_searcher.h"
#include "delta/rolling_hash.h"
#include "support/bytes.h"

namespace millrace::perf {

namespace {

constexpr std::size_t kContentBytes = 32u << 20;
constexpr std::size_t kPieceBytes = 16u << 10;
constexpr std::size_t kSmallPieceBytes = 512;
constexpr std::size_t kPieces = 256;
constexpr std::size_t kLadderBytes = 8u << 20;
constexpr std::size_t kEditEvery = 64u << 10;
constexpr std::uint64_t kSeed = 99;

std::vector<std::uint32_t> cuts_of(ByteView content) {
  std::vector<std::uint32_t> lengths;
  cut_chunks(content, Tail::kEndOfFile, lengths);
  return lengths;
}

std::vector<ByteView> pieces_of(ByteView content, std::size_t bytes) {
  std::vector<ByteView> pieces;
  for (std::size_t i = 0; i < kPieces; ++i) pieces.push_back(content.subspan(i * bytes, bytes));
  return pieces;
}

/// The holder's file as if none of its chunks were known to the searcher.
LadderHolder holder_of(std::size_t bytes) {
  std::vector<ByteRange> lacking;
  for (std::size_t at = 0; at < bytes; at += kPieceBytes) lacking.push_back({at, kPieceBytes});
  return LadderHolder(std::move(lacking), kSeed);
}

LadderSearcher searcher_of(std::size_t bytes) {
  const auto chunks = static_cast<std::uint32_t>(bytes / kPieceBytes);
  std::vector<HolderPiece> pieces;
  std::vector<std::uint64_t> offsets;
  for (std::uint32_t i = 0; i < chunks; ++i) pieces.push_back({false, i, 1});
  for (std::uint32_t i = 0; i <= chunks; ++i) offsets.push_back(std::uint64_t{i} * kPieceBytes);
  return LadderSearcher(std::move(pieces), chunks, std::move(offsets), std::vector<bool>(chunks), kSeed);
}

struct Signatures {
  std::uint32_t block = 0;
  unsigned width = 0;
  std::vector<Buffer> batches;
};

Signatures first_rung(const Source& held, const KnownContent& known = {}) {
  LadderHolder holder = holder_of(kLadderBytes);
  require(holder.begin_rung(kFirstRungBlockBytes, kLadderBytes).has_value(), "a rung begins");
  Signatures signatures{holder.block_bytes(), holder.width(), {}};
  while (holder.batches_left()) signatures.batches.push_back(sign(holder.next_batch(), held, known).value());
  return signatures;
}

std::uint64_t gap_after(const Signatures& signatures, const Source& own) {
  LadderSearcher searcher = searcher_of(kLadderBytes);
  for (const Buffer& batch : signatures.batches)
    require(searcher.take_signatures(signatures.block, signatures.width, batch, own).has_value(), "a search");
  return searcher.gap_bytes();
}

}  // namespace

Timings time_chunker(const Stopwatch& watch) {
  const Buffer content = test::random_bytes(kContentBytes, 1);
  choose_cpu_path(CpuPath::kPlain);
  const auto plain = cuts_of(content);
  const Work round{plain.size(), content.size()};
  Timings timings{watch.time("chunker, plain", "chunk", round, [&] { keep(cuts_of(content)); })};
  choose_cpu_path(CpuPath::kAuto);
  if (!use_avx512()) return timings;
  require(cuts_of(content) == plain, "the same cuts with AVX-512");
  timings.push_back(watch.time("chunker, AVX-512", "chunk", round, [&] { keep(cuts_of(content)); }));
  return timings;
}

Timings time_hashes(const Stopwatch& watch) {
  const Buffer content = test::random_bytes(kPieces * kPieceBytes, 2);
  const auto hasher = make_sha256();
  Timings timings;
  for (const std::size_t bytes : {kPieceBytes, kSmallPieceBytes}) {
    const auto pieces = pieces_of(content, bytes);
    const Work round{kPieces, kPieces * bytes};
    const std::string of = bytes == kPieceBytes ? " of 16 KiB" : " of 512 B";
    std::vector<Digest> alone(kPieces);
    const auto one_by_one = [&] {
      for (std::size_t i = 0; i < kPieces; ++i) alone[i] = hasher->hash(pieces[i]);
      keep(alone);
    };
    timings.push_back(watch.time("SHA-256, OpenSSL" + of, "message", round, one_by_one));
    if (use_avx512()) {
      std::vector<Digest> together(kPieces);
      timings.push_back(watch.time("SHA-256, 16 lanes" + of, "message", round, [&] {
        sha256_lanes(pieces, together);
        keep(together);
      }));
      require(together == alone, "the same digests in lanes");
    }
    timings.push_back(watch.time("XXH3-64" + of, "message", round, [&] {
      std::uint64_t sum = 0;
      for (const ByteView piece : pieces) sum += xxh3_64(piece);
      keep(sum);
    }));
  }
  return timings;
}

Timings time_ladder(const Stopwatch& watch) {
  const Buffer held = test::random_bytes(kLadderBytes, 3);
  const BufferSource holder_source(held);
  Timings timings;
  {
    const RollingHash hash(kSeed, kFirstRungBlockBytes);
    const std::size_t positions = held.size() - kFirstRungBlockBytes;
    timings.push_back(watch.time("rolling hash, one stream", "byte", {positions, positions}, [&] {
      std::uint64_t value = hash.value(ByteView(held).first(kFirstRungBlockBytes));
      for (std::size_t at = 0; at < positions; ++at)
        value = hash.roll(value, held[at], held[at + kFirstRungBlockBytes]);
      keep(value);
    }));
  }
  const Signatures signatures = first_rung(holder_source);
  std::uint64_t blocks = kLadderBytes / signatures.block;
  timings.push_back(
      watch.time("ladder, sign", "block", {blocks, kLadderBytes}, [&] { keep(first_rung(holder_source)); }));
  const KnownContent known{std::make_shared<SignatureCache>(kLadderBytes), Digest{{1}}};
  for (int i = 0; i < 2; ++i) keep(first_rung(holder_source, known));  // the second time it is kept
  timings.push_back(watch.time("ladder, sign from the cache", "block", {blocks, kLadderBytes},
                               [&] { keep(first_rung(holder_source, known)); }));
  const BufferSource other(test::random_bytes(kLadderBytes, 4));
  require(gap_after(signatures, other) == kLadderBytes, "nothing found in other data");
  timings.push_back(watch.time("ladder, search in vain", "byte", {kLadderBytes, kLadderBytes},
                               [&] { keep(gap_after(signatures, other)); }));
  Buffer edited = held;
  for (std::size_t at = kEditEvery / 2; at < edited.size(); at += kEditEvery) edited[at] ^= 1;
  const BufferSource edited_source(std::move(edited));
  require(gap_after(signatures, edited_source) == kLadderBytes / kEditEvery * signatures.block, "all but the edits");
  timings.push_back(watch.time("ladder, search with an edit every 64 KiB", "byte", {kLadderBytes, kLadderBytes},
                               [&] { keep(gap_after(signatures, edited_source)); }));
  return timings;
}

}  // namespace millrace::perf
