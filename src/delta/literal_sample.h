// What literals will cost: a sample of them, compressed.
#pragma once

#include <span>

#include "base/error.h"
#include "delta/byte_range.h"
#include "delta/segment_codec.h"
#include "delta/source.h"

namespace millrace {

/// Compressed size over raw size at zstd level 1, of at most 128 KiB taken from all over `ranges`; 1 where they do not
/// compress or there are none.
Result<double> sample_literals(const Source& source, std::span<const ByteRange> ranges, SegmentCodec& codec);

}  // namespace millrace
