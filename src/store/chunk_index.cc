#include "store/chunk_index.h"

#include <algorithm>

#include "codec/xxh3.h"

namespace millrace {

namespace {

constexpr std::size_t kHeaderBytes = 16;
constexpr std::size_t kIndexTrailerBytes = 8;
constexpr Byte kIndexMagic[8] = {'M', 'R', 'C', 'L', 1, 0, 0, 0};

/// `for_each`: gives each chunk in order, with how many of it follow one another.
template <typename ForEach>
Buffer encode(std::size_t count, const ForEach& for_each) {
  Buffer out(kHeaderBytes + count * kIndexBytesPerChunk + kIndexTrailerBytes, Byte{0});
  Byte* to = out.data();
  std::memcpy(to, kIndexMagic, sizeof kIndexMagic);
  store_le<std::uint64_t>(to + 8, count);
  to += kHeaderBytes;
  for_each([&to](const Chunk& chunk, std::uint64_t times) {
    for (; times > 0; --times) {
      store_le<std::uint32_t>(to, chunk.length);
      std::memcpy(to + 4, chunk.digest.bytes.data(), 32);
      store_le<std::uint64_t>(to + 36, chunk.check);
      to += kIndexBytesPerChunk;
    }
  });
  store_le<std::uint64_t>(to, xxh3_64(ByteView(out).first(out.size() - kIndexTrailerBytes)));
  return out;
}

}  // namespace

Buffer encode_chunk_list(const ChunkRuns& chunks) {
  return encode(static_cast<std::size_t>(chunks.size()), [&chunks](const auto& call) { chunks.for_each(call); });
}

Buffer encode_chunk_list(const ChunkList& chunks) {
  return encode(chunks.size(), [&chunks](const auto& call) {
    for (const Chunk& chunk : chunks) call(chunk, 1);
  });
}

Result<ChunkList> decode_chunk_list(ByteView bytes) {
  const auto damaged = [] { return fail(Code::kIntegrity, "A stored chunk list is damaged."); };
  if (bytes.size() < kHeaderBytes + kIndexTrailerBytes) return damaged();
  if (!std::equal(std::begin(kIndexMagic), std::end(kIndexMagic), bytes.begin())) return damaged();
  const std::size_t body = bytes.size() - kHeaderBytes - kIndexTrailerBytes;
  const auto count = load_le<std::uint64_t>(bytes.data() + 8);
  if (body % kIndexBytesPerChunk != 0 || body / kIndexBytesPerChunk != count) return damaged();
  if (load_le<std::uint64_t>(bytes.data() + bytes.size() - kIndexTrailerBytes) !=
      xxh3_64(bytes.first(bytes.size() - kIndexTrailerBytes))) {
    return damaged();
  }
  ChunkList chunks(static_cast<std::size_t>(count));
  const Byte* from = bytes.data() + kHeaderBytes;
  for (Chunk& chunk : chunks) {
    chunk.length = load_le<std::uint32_t>(from);
    std::memcpy(chunk.digest.bytes.data(), from + 4, 32);
    chunk.check = load_le<std::uint64_t>(from + 36);
    if (chunk.length == 0 || chunk.length > kMaxChunkBytes) return damaged();
    from += kIndexBytesPerChunk;
  }
  return chunks;
}

}  // namespace millrace
