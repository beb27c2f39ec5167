// The receiver's side of a patch: builds the target in a draft, part by part. Every chunk is hashed as it is built; the
// caller compares the root at the end.
#pragma once

#include <functional>
#include <memory>

#include "delta/draft.h"
#include "delta/patch.h"
#include "delta/segment_codec.h"
#include "delta/source.h"

namespace millrace {

/// What the receiver has: the basis's bytes and, for Addressing::kTarget, where in it a target range stands.
struct PatchBasis {
  std::shared_ptr<const Source> source;      ///< null: no basis
  std::vector<std::uint64_t> chunk_offsets;  ///< byte offset of each basis chunk, and the end
  /// Addressing::kTarget only: where in the basis the target's bytes from an offset on stand, and how many of them (at
  /// least 1), or nothing.
  std::function<std::optional<ByteRange>(std::uint64_t target)> locate;
  /// Addressing::kTarget only: basis chunk that equals the target's chunk of that index.
  std::function<std::optional<std::uint64_t>(std::uint64_t target_chunk)> locate_chunk;
};

/// Runs on one worker at a time.
class PatchApplier {
 public:
  PatchApplier(PatchBasis basis, Draft& draft, std::uint64_t max_bytes)
      : basis_(std::move(basis)), draft_(draft), max_bytes_(max_bytes) {}

  /// Applies one part. Errors: kProtocol, kTooLarge (of what it names nothing is built then), kIntegrity, the draft's.
  /// Gives the root when this was the last part.
  Result<std::optional<Digest>> apply(ReceivedPart part, std::uint64_t window, Addressing addressing, Hasher& hasher,
                                      SegmentCodec& codec);

  std::uint64_t literal_bytes() const { return literal_bytes_; }
  std::uint64_t matched_bytes() const { return matched_bytes_; }
  std::uint64_t zero_bytes() const { return zero_bytes_; }
  /// A chunk that was built ends where its content does not ask for a cut, and not at the end of the file. Means
  /// something only once the root is proven: a false match can look like it.
  bool has_wrong_cut() const { return has_wrong_cut_; }
  /// Indices in the target of the chunks that were not kept: what a false match can have damaged.
  const std::vector<std::uint64_t>& built_chunks() const { return built_chunks_; }

 private:
  Status resolve(PartPlan& plan, Addressing addressing);
  Status resolve_op(PatchOp op, std::uint64_t target, Addressing addressing, std::vector<PatchOp>& ops) const;
  void claim_cut(ByteView chunk);
  Status read_known(const PartPlan& plan, std::uint64_t start, ByteRange range, MutableBytes into) const;

  PatchBasis basis_;
  Draft& draft_;
  std::uint64_t max_bytes_;
  PatchCursor cursor_;
  std::uint64_t literal_bytes_ = 0;
  std::uint64_t matched_bytes_ = 0;
  std::uint64_t zero_bytes_ = 0;
  std::uint64_t zero_chunks_ = 0;  ///< of what was resolved
  std::vector<std::uint64_t> built_chunks_;
  bool last_cut_unasked_ = false;  ///< right only if nothing follows
  bool has_wrong_cut_ = false;
  Digest zero_digest_;
  std::uint32_t zero_length_ = 0;
};

}  // namespace millrace
