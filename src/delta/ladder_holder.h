// The holder's side of the ladder: it signs, and keeps what the searcher found.
#pragma once

#include <vector>

#include "base/error.h"
#include "delta/byte_range.h"
#include "delta/ladder.h"
#include "delta/signature_cache.h"
#include "delta/source.h"

namespace millrace {

/// A job: the blocks of some ranges of one file, to be hashed on a worker.
struct SignBatch {
  struct Item {
    ByteRange range;           ///< in the holder's file
    bool with_length = false;  ///< rung 1: the chunk's length goes in front
  };
  std::vector<Item> items;
  std::uint64_t seed = 0;
  std::uint32_t block_bytes = 0;
  unsigned width = 0;
};

/// Where hashes of a source's ranges may be found, and are kept. Without a cache, or a root, nothing is.
struct KnownContent {
  std::shared_ptr<SignatureCache> cache;
  Digest root;  ///< of the source; zeros if it has none
};

/// Reads and hashes what is not known. Errors: the source's.
Result<Buffer> sign(const SignBatch& batch, const Source& source, const KnownContent& known = {});

class LadderHolder {
 public:
  /// `lacking`: the place of each distinct lacking chunk. `margin_bits`: see kMatchMarginBits; tests weaken it.
  LadderHolder(std::vector<ByteRange> lacking, std::uint64_t seed, int margin_bits = kMatchMarginBits);

  /// Unfound bytes: what the next rung would sign at most.
  std::uint64_t unfound_bytes() const;
  std::uint32_t rung() const { return rung_; }
  /// Starts the next rung over ranges(). `pair_bytes`: rung 1: bytes of all the searcher's gaps; later: the sum over
  /// its gaps of gap length x range lengths. Errors: kProtocol for impossible block sizes.
  Status begin_rung(std::uint32_t block_bytes, std::uint64_t pair_bytes);
  std::uint32_t block_bytes() const { return block_bytes_; }
  unsigned width() const { return width_; }
  bool batches_left() const { return next_range_ < ranges_.size(); }
  SignBatch next_batch();
  /// How many bytes the searcher's answer to the whole rung has at least: its found bits.
  std::uint64_t found_bits() const { return blocks_; }
  /// Takes the answer: found bits and, behind them, a bit for each unfound range. Afterwards ranges() are those to sign
  /// finer. Errors: kProtocol.
  Status take_answer(ByteView bits);
  const std::vector<SignedRange>& ranges() const { return ranges_; }
  /// Everything found so far, by chunk and offset, joined.
  std::vector<SignedRange> found() const;

 private:
  std::vector<ByteRange> lacking_;
  std::uint64_t seed_;
  int margin_bits_;
  std::uint32_t rung_ = 0;
  std::uint32_t block_bytes_ = 0;
  unsigned width_ = 0;
  std::uint64_t blocks_ = 0;
  std::size_t next_range_ = 0;
  std::vector<SignedRange> ranges_;
  std::vector<SignedRange> found_;
};

}  // namespace millrace
