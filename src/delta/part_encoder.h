// Codes a part of a patch: gathers its literals, out of memory where the target's bytes are there anyway, and
// compresses them against what the receiver knows, unless a probe says that they are not worth it.
#pragma once

#include <span>
#include <vector>

#include "delta/patch.h"
#include "delta/segment_codec.h"
#include "delta/source.h"

namespace millrace {

/// A piece of the target that is held in memory.
struct HeldContent {
  std::uint64_t offset = 0;
  SharedBytes bytes;

  std::uint64_t end() const { return offset + bytes.view.size(); }
};

/// A part as it goes over the wire: one behind the other.
struct EncodedPart {
  Buffer head;                        ///< header and instructions
  std::vector<SharedBytes> literals;  ///< coded or raw; raw ones may lie in what was held
};

/// `start`: the part's target offset; `held` by offset, may leave out anything. Runs on a worker. `instructions` come
/// from encode_instructions. Level 0: raw. Errors: the source's, the codec's.
Result<EncodedPart> encode_part(const PartPlan& plan, ByteView instructions, std::uint64_t start, std::uint64_t window,
                                const Source& target, std::span<const HeldContent> held, SegmentCodec& codec,
                                int level);

}  // namespace millrace
