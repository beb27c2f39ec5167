// A repair: when the root of what was built is wrong, a match was false. The receiver names what it built, chunk by
// chunk, and gets a patch against the draft itself in which KEEP passes over right chunks and every other chunk is one
// literal.
#pragma once

#include <optional>

#include "delta/draft.h"
#include "delta/patch.h"
#include "delta/segment_codec.h"

namespace millrace {

/// Runs on one worker at a time.
class PatchRepairer {
 public:
  explicit PatchRepairer(Draft& draft) : draft_(draft) {}
  /// Errors: kProtocol, the draft's. Gives the root when this was the last part.
  Result<std::optional<Digest>> apply(ReceivedPart part, Hasher& hasher, SegmentCodec& codec);

 private:
  Draft& draft_;
  PatchCursor cursor_;
  std::uint64_t index_ = 0;
};

}  // namespace millrace
