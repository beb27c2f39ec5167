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

TEST_CASE("cuts are the same on every processor") {
  if (!use_avx512()) return;
  // Random bytes, few different ones, long runs: short files in every length, so that each end of the data is met.
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    INFO("seed " << seed);
    Buffer data = test::random_bytes(seed % 3 == 0 ? 70'000 + seed : 4'000 + seed * 37, seed);
    if (seed % 4 == 1) {
      for (Byte& byte : data) byte &= 3;
    }
    if (seed % 4 == 2) std::fill(data.begin() + 1000, data.begin() + 3000, Byte{0});
    const std::size_t to = data.size() - seed % 5;
    const std::size_t strict_end = data.size() / 2 + seed;
    for (std::size_t from = gear::kWindow; from < to;) {
      const std::size_t cut = gear::find_cut_plain(data, from, strict_end, to);
      REQUIRE(gear::find_cut_avx512(data, from, strict_end, to) == cut);
      from = std::min(cut + 1, from + 997);
    }
  }
}

TEST_CASE("chunk lists are the same on every processor") {
  const Buffer random = test::random_bytes(6u << 20, 9);
  const Buffer text = test::random_text(3u << 20, 10);
  for (const Buffer& data : {random, text, Buffer(1u << 20, Byte{0})}) {
    const ChunkList fast = chunks_of(data);
    choose_cpu_path(CpuPath::kPlain);
    const ChunkList plain = chunks_of(data);
    choose_cpu_path(CpuPath::kAuto);
    CHECK(fast == plain);
  }
}
