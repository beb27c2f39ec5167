// The searcher's side of the ladder: it rolls over its own gaps and finds the holder's blocks in them.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/error.h"
#include "delta/byte_range.h"
#include "delta/ladder.h"
#include "delta/source.h"
#include "delta/tree_exchange.h"

namespace millrace {

/// A block or several that both files have.
struct BlockMatch {
  std::uint64_t own = 0;     ///< offset in the searcher's file
  std::uint64_t holder = 0;  ///< offset in the holder's file
  std::uint64_t length = 0;  ///< bytes
};

/// Used by one job or by the loop at a time. Memory: the signatures of rung 1 (at most kMaxFirstRungBlocks and one a
/// chunk) or of one batch, and the matches.
class LadderSearcher {
 public:
  /// `pieces` as the tree exchange gave them, with `lacking` distinct unmatched chunks. `own_offsets`: of each own
  /// chunk, and the end. `covered`: own chunks in which nothing is searched.
  LadderSearcher(std::vector<HolderPiece> pieces, std::uint32_t lacking, std::vector<std::uint64_t> own_offsets,
                 const std::vector<bool>& covered, std::uint64_t seed);

  /// What of the own file nothing was found for yet.
  const std::vector<ByteRange>& gaps() const { return gaps_; }
  std::uint64_t gap_bytes() const;

  /// A batch of signatures of the current rung; searches them too, except at rung 1, where the last batch starts the
  /// search across all gaps. Errors: kProtocol, the source's.
  Status take_signatures(std::uint32_t block_bytes, unsigned width, ByteView bulk, const Source& own);
  bool rung_complete() const;
  std::uint32_t rung() const { return rung_; }

  struct Answer {
    Buffer bits;                     ///< found and finer
    std::uint64_t pair_bytes = 0;    ///< for the next rung
    std::uint64_t gap_bytes = 0;     ///< of the gaps beside the finer ranges: what the next rung may find at most
    std::uint64_t finer_ranges = 0;  ///< 0: there is nothing to go on with
  };
  /// Ends the rung. A range is asked for finer when it has a gap of its own, its run is not longer than 64 blocks and
  /// its signatures cost less than the gap's literals at `literal_ratio` (compressed over raw). `next_block`: the block
  /// size of the next rung; 0: there is none.
  Answer finish_rung(std::uint32_t next_block, double literal_ratio);

  /// Matches by own offset, not overlapping, joined where both files go on.
  std::vector<BlockMatch> by_own() const;
  /// Matches by the holder's offset, each holder byte once, joined where both files go on. First occurrences of the
  /// holder's chunks.
  std::vector<BlockMatch> by_holder() const;
  /// Place in the holder's file of every occurrence of each piece (all lengths are known after rung 1).
  const std::vector<HolderPiece>& pieces() const { return pieces_; }
  /// Bytes of a matched piece.
  std::uint64_t own_bytes(const HolderPiece& piece) const {
    return own_offsets_[piece.first + piece.count] - own_offsets_[piece.first];
  }
  std::uint32_t lacking_length(std::uint32_t number) const { return lengths_[number]; }
  std::uint64_t first_place(std::uint32_t number) const { return places_[number]; }

 private:
  struct Block {
    std::uint64_t hash;
    std::uint64_t holder;  ///< offset
    std::uint32_t length;
    std::uint32_t number;  ///< in the rung, for its found bit
  };
  class Index;
  struct Anchor {
    std::uint64_t holder;
    std::uint64_t own;
    std::uint64_t length;
  };
  Status parse(ByteView bulk, std::vector<Block>& blocks);
  void lay_out();
  Status search_all(const Source& own, std::vector<Block>& blocks);
  Status search_own_gaps(const Source& own, std::vector<Block>& blocks);
  Status search_gap(const Source& own, ByteRange gap, const Index& index);
  Status match_tails(const Source& own, const std::vector<Block>& blocks);
  void record(std::uint64_t own, const Block& block);
  void settle_gaps();
  void collect_anchors();
  std::optional<std::uint64_t> own_end_before(std::uint64_t holder) const;
  std::optional<std::uint64_t> own_begin_after(std::uint64_t holder) const;
  /// Numbers of the gaps beside the holder's range [begin, end): behind what precedes it and before what follows.
  std::vector<std::size_t> gaps_beside(std::uint64_t begin, std::uint64_t end) const;

  std::vector<HolderPiece> pieces_;
  std::vector<std::uint64_t> own_offsets_;
  std::uint64_t own_bytes_ = 0;
  std::uint64_t holder_bytes_ = 0;
  std::uint64_t seed_;
  std::vector<std::uint32_t> lengths_;  ///< of lacking chunks; 0: not known yet
  std::vector<std::uint64_t> places_;   ///< their first place in the holder's file
  std::vector<ByteRange> gaps_;
  std::uint32_t rung_ = 1;
  std::uint32_t block_bytes_ = 0;
  unsigned width_ = 0;
  std::vector<SignedRange> ranges_;
  std::size_t next_range_ = 0;  ///< signatures of the ranges before it have come
  std::vector<Block> first_rung_;
  std::vector<bool> found_;  ///< by block of the rung
  std::vector<BlockMatch> matches_;
  std::size_t rung_matches_ = 0;  ///< where this rung's begin
  std::vector<Anchor> anchors_;   ///< by holder offset
};

}  // namespace millrace
