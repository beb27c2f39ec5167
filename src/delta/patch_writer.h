// The sender's side of a patch: plans parts from what is known of the target.
#pragma once

#include <optional>
#include <vector>

#include "delta/patch.h"

namespace millrace {

/// A piece of the target that the basis has, found block by block.
struct Match {
  std::uint64_t target = 0;  ///< offset
  std::uint64_t basis = 0;   ///< offset
  std::uint64_t length = 0;  ///< bytes
};

inline constexpr std::uint64_t kNoChunk = ~std::uint64_t{0};

/// One chunk of the target, as far as it is known.
struct TargetChunk {
  std::uint32_t length = 0;
  bool zero = false;               ///< all bytes are zero
  std::uint64_t basis = kNoChunk;  ///< index of the same chunk in the basis
};

/// Walks over the target in order and cuts it into parts. Holds no content.
class PatchPlanner {
 public:
  /// `matches` are sorted by target offset and do not overlap. With Addressing::kTarget offsets and indices are the
  /// target's own.
  PatchPlanner(Addressing addressing, std::vector<Match> matches)
      : addressing_(addressing), matches_(std::move(matches)) {}

  void add_chunk(const TargetChunk& chunk) { chunks_.push_back(chunk); }
  /// The next part with at most some `raw_limit` literal bytes (at least one chunk), out of the chunks added so far;
  /// nothing when there are none left. A chunk with more zeros in a row than kMinZeroRun gets ZERO only through `zero`
  /// (whole chunks).
  std::optional<PartPlan> next_part(std::uint64_t raw_limit);
  std::uint64_t position() const { return position_; }  ///< target bytes planned so far
  bool has_chunks() const { return next_ < chunks_.size(); }
  std::uint64_t pending_bytes() const;
  std::uint64_t matched_bytes() const { return matched_bytes_; }
  std::uint64_t literal_bytes() const { return literal_bytes_; }
  std::uint64_t zero_bytes() const { return zero_bytes_; }

 private:
  void plan_chunk(const TargetChunk& chunk, PartPlan& part);
  Addressing addressing_;
  std::vector<Match> matches_;
  std::size_t next_match_ = 0;
  std::vector<TargetChunk> chunks_;
  std::size_t next_ = 0;
  std::uint64_t index_ = 0;
  std::uint64_t position_ = 0;
  std::uint64_t matched_bytes_ = 0;
  std::uint64_t literal_bytes_ = 0;
  std::uint64_t zero_bytes_ = 0;
};

}  // namespace millrace
