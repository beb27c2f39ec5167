#include "delta/literal_sample.h"

#include <algorithm>

namespace millrace {

Result<double> sample_literals(const Source& source, std::span<const ByteRange> ranges, SegmentCodec& codec) {
  constexpr std::uint64_t kPieceBytes = 8 * 1024;
  constexpr std::uint64_t kPieces = 16;
  std::uint64_t total = 0;
  for (const ByteRange& range : ranges) total += range.length;
  if (total == 0) return 1.0;

  Buffer sample;
  const std::uint64_t stride = std::max(total / kPieces, kPieceBytes);
  std::uint64_t before = 0;  // bytes of the ranges already passed
  std::uint64_t next = 0;    // where the next piece begins, counted over all ranges
  for (const ByteRange& range : ranges) {
    while (next < before + range.length && sample.size() < kPieces * kPieceBytes) {
      const std::uint64_t skip = std::max(next, before) - before;
      const std::uint64_t length = std::min({kPieceBytes, range.length - skip, kPieces * kPieceBytes - sample.size()});
      const std::size_t old = sample.size();
      sample.resize(old + static_cast<std::size_t>(length));
      MILLRACE_TRY(source.read_at(range.offset + skip, MutableBytes(sample).subspan(old)));
      next += length == kPieceBytes ? stride : std::max<std::uint64_t>(length, 1);
    }
    before += range.length;
  }
  MILLRACE_ASSIGN(const Buffer coded, codec.encode(sample, {}, 1));
  return coded.empty() ? 1.0 : static_cast<double>(coded.size()) / static_cast<double>(sample.size());
}

}  // namespace millrace
