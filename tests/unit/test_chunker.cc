#include <catch2/catch.hpp>
#include <set>

#include "base/cpu.h"
#include "codec/sha256.h"
#include "delta/chunk_tree.h"
#include "delta/chunker.h"
#include "delta/gear.h"
#include "support/bytes.h"
#include "support/edits.h"

using namespace millrace;

namespace {
ChunkList chunks_of(ByteView data) {
  std::vector<std::uint32_t> lengths;
  REQUIRE(cut_chunks(data, Tail::kEndOfFile, lengths) == data.size());
  const auto hasher = make_sha256();
  ChunkList chunks;
  for (const std::uint32_t length : lengths) {
    chunks.push_back({hasher->hash(data.first(length)), 0, length});
    data = data.subspan(length);
  }
  return chunks;
}
}  // namespace

TEST_CASE("chunks keep their size limits and every cut is valid") {
  const Buffer data = test::random_bytes(4u << 20, 1);
  ByteView rest(data);
  for (const Chunk& chunk : chunks_of(data)) {
    const bool last = chunk.length == rest.size();
    CHECK(chunk.length <= kMaxChunkBytes);
    CHECK((last || chunk.length >= kMinChunkBytes));
    CHECK(is_valid_chunk(rest.first(chunk.length), last));
    rest = rest.subspan(chunk.length);
  }
}

TEST_CASE("a byte inserted in front changes only the first few chunks") {
  const Buffer data = test::random_bytes(4u << 20, 2);
  Buffer moved{7};
  append(moved, data);
  std::set<Digest> before;
  for (const Chunk& chunk : chunks_of(data)) before.insert(chunk.digest);
  std::size_t fresh = 0;
  for (const Chunk& chunk : chunks_of(moved)) fresh += before.contains(chunk.digest) ? 0 : 1;
  CHECK(fresh <= 4);
}

TEST_CASE("a run of zeros gives chunks of the largest size") {
  const Buffer zeros(1u << 20, 0);
  for (const Chunk& chunk : chunks_of(zeros)) CHECK((chunk.length == kMaxChunkBytes || chunk.length == kMinChunkBytes));
}

TEST_CASE("the root names the content, and a tree with fewer leaves kept has the same root") {
  const auto hasher = make_sha256();
  const Buffer data = test::random_bytes(8u << 20, 3);
  Buffer changed = data;
  changed[changed.size() / 2] ^= 1;
  const ChunkTree tree = build_tree(chunks_of(data), *hasher);
  CHECK(tree.root == build_tree(chunks_of(data), *hasher).root);
  CHECK(tree.root != build_tree(chunks_of(changed), *hasher).root);
  const ChunkTree small = build_tree(chunks_of(data), *hasher, 64);
  CHECK(small.root == tree.root);
  CHECK(small.base_level > 0);
  CHECK(tree.levels.back().size() == 1);
  CHECK(build_tree({}, *hasher).root == empty_root(*hasher));
}

namespace {
using FindCut = std::size_t (*)(ByteView, std::size_t, std::size_t, std::size_t);

std::vector<FindCut> vector_paths() {
  std::vector<FindCut> paths;
  if (use_avx512()) paths.push_back(gear::find_cut_avx512);
  if (use_avx2()) paths.push_back(gear::find_cut_avx2);
  return paths;
}

void require_same_cuts(ByteView data, std::size_t strict_end, std::size_t to) {
  for (std::size_t from = gear::kWindow; from < to;) {
    const std::size_t cut = gear::find_cut_plain(data, from, strict_end, to);
    for (const FindCut& find_cut : vector_paths()) REQUIRE(find_cut(data, from, strict_end, to) == cut);
    from = std::min(cut + 1, from + 997);
  }
}

/// 32 bytes after which both masks ask for a cut.
Buffer bytes_that_cut() {
  Buffer window(gear::kWindow, 0);
  SeededRandom random(5);
  for (;;) {
    for (Byte& byte : window) byte = static_cast<Byte>(random());
    // The last two bytes take 65,536 values; 16 bits have to vanish.
    std::uint32_t hash = 0;
    for (std::size_t i = 0; i + 2 < window.size(); ++i) hash = gear::roll(hash, window[i]);
    for (unsigned pair = 0; pair < 65536; ++pair) {
      const auto first = static_cast<Byte>(pair);
      const auto second = static_cast<Byte>(pair >> 8);
      if ((gear::roll(gear::roll(hash, first), second) & gear::kStrictMask) != 0) continue;
      window[30] = first;
      window[31] = second;
      return window;
    }
  }
}
}  // namespace

TEST_CASE("cuts are the same on every processor") {
  // Random bytes, few different ones, long runs: short files in every length, so that each end of the data is met.
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    INFO("seed " << seed);
    Buffer data = test::random_bytes(seed % 3 == 0 ? 70'000 + seed : 4'000 + seed * 37, seed);
    if (seed % 4 == 1) {
      for (Byte& byte : data) byte &= 3;
    }
    if (seed % 4 == 2) std::fill(data.begin() + 1000, data.begin() + 3000, Byte{0});
    require_same_cuts(data, data.size() / 2 + seed, data.size() - seed % 5);
  }
}

TEST_CASE("cuts are the same on every processor where content asks for one at a place of its choice") {
  const Buffer cut = bytes_that_cut();
  const Buffer quiet = test::random_bytes(2'400, 6);
  // One at every position, next to nothing else; then a second one behind it, as near as the window allows and further.
  for (std::size_t at = 0; at + 2 * cut.size() + 1'000 < quiet.size(); ++at) {
    INFO("at " << at);
    Buffer data = quiet;
    std::copy(cut.begin(), cut.end(), data.begin() + static_cast<std::ptrdiff_t>(at));
    std::copy(cut.begin(), cut.end(), data.begin() + static_cast<std::ptrdiff_t>(at + 32 + at % 900));
    const std::size_t strict_end = 32 + at * 7 % data.size();
    for (const FindCut& find_cut : vector_paths()) {
      REQUIRE(find_cut(data, 32, strict_end, data.size()) == gear::find_cut_plain(data, 32, strict_end, data.size()));
      REQUIRE(find_cut(data, 32, data.size(), at + 31) == gear::find_cut_plain(data, 32, data.size(), at + 31));
    }
  }
}

TEST_CASE("chunk lists are the same on every processor") {
  const Buffer random = test::random_bytes(6u << 20, 9);
  const Buffer text = test::random_text(3u << 20, 10);
  Buffer cuts;
  while (cuts.size() < (1u << 20)) append(cuts, bytes_that_cut());
  for (const Buffer& data : {random, text, Buffer(1u << 20, Byte{0}), cuts}) {
    REQUIRE(choose_cpu_path(CpuPath::kPlain));
    const ChunkList plain = chunks_of(data);
    for (const CpuPath path : {CpuPath::kAvx2, CpuPath::kAvx512}) {
      if (choose_cpu_path(path)) CHECK(chunks_of(data) == plain);
    }
    REQUIRE(choose_cpu_path(CpuPath::kAuto));
    CHECK(chunks_of(data) == plain);
  }
}
