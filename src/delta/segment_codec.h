// The codec of literals: each segment decodes alone, given a prefix that both sides know. A codec object owns its
// contexts and belongs to one worker at a time; factories hand one to each job.
#pragma once

#include <functional>
#include <memory>

#include "base/bytes.h"
#include "base/error.h"

namespace millrace {

class SegmentCodec {
 public:
  virtual ~SegmentCodec() = default;
  /// Compresses `raw` against `prefix` (may be empty) at a zstd level. An empty result means: does not get smaller,
  /// send it raw.
  virtual Result<Buffer> encode(ByteView raw, ByteView prefix, int level) = 0;
  /// The inverse. `raw_bytes` is the exact size expected; anything else is kProtocol.
  virtual Result<Buffer> decode(ByteView coded, ByteView prefix, std::size_t raw_bytes) = 0;
};

/// Makes a codec for the calling thread. Callable from any thread.
using CodecFactory = std::function<std::unique_ptr<SegmentCodec>()>;

}  // namespace millrace
