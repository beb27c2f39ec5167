#include "delta/ladder_holder.h"

#include <bit>

#include "delta/bits.h"
#include "delta/chunk.h"
#include "delta/rolling_hash.h"

namespace millrace {

namespace {

/// Hashes blocks of one source, one range after the other.
class BlockHasher {
 public:
  BlockHasher(const SignBatch& batch, const Source& source, const KnownContent& known)
      : hash_(batch.seed, batch.block_bytes), batch_(batch), source_(source), known_(known) {}

  Result<SignatureCache::Values> values_of(const ByteRange& range) {
    if (!known_.cache || known_.root.is_zero()) return hash(range);
    const SignatureCache::Key key{known_.root, batch_.seed, range.offset, static_cast<std::uint32_t>(range.length),
                                  batch_.block_bytes};
    if (auto values = known_.cache->find(key)) return values;
    MILLRACE_ASSIGN(auto values, hash(range));
    known_.cache->keep(key, values);
    return values;
  }

 private:
  Result<SignatureCache::Values> hash(const ByteRange& range) {
    content_.resize(range.length);
    MILLRACE_TRY(source_.read_at(range.offset, content_));
    auto values = std::make_shared<std::vector<std::uint64_t>>();
    values->reserve(blocks_of(range.length, batch_.block_bytes));
    for (ByteView rest(content_); !rest.empty();) {
      const ByteView block = rest.first(std::min<std::size_t>(rest.size(), batch_.block_bytes));
      values->push_back(hash_.value(block));
      rest = rest.subspan(block.size());
    }
    return values;
  }

  const RollingHash hash_;
  const SignBatch& batch_;
  const Source& source_;
  const KnownContent& known_;
  Buffer content_;
};

}  // namespace

Result<Buffer> sign(const SignBatch& batch, const Source& source, const KnownContent& known) {
  BlockHasher hasher(batch, source, known);
  BitWriter writer;
  for (const SignBatch::Item& item : batch.items) {
    MILLRACE_ASSIGN(const auto values, hasher.values_of(item.range));
    if (item.with_length) writer.put(item.range.length - 1, 16);
    for (const std::uint64_t value : *values) writer.put(RollingHash::cut(value, batch.width), batch.width);
  }
  return writer.take();
}

LadderHolder::LadderHolder(std::vector<ByteRange> lacking, std::uint64_t seed, int margin_bits)
    : lacking_(std::move(lacking)), seed_(seed), margin_bits_(margin_bits) {
  ranges_.reserve(lacking_.size());
  for (std::uint32_t chunk = 0; chunk < lacking_.size(); ++chunk)
    ranges_.push_back({chunk, 0, static_cast<std::uint32_t>(lacking_[chunk].length)});
}

std::uint64_t LadderHolder::unfound_bytes() const {
  std::uint64_t bytes = 0;
  for (const SignedRange& range : ranges_) bytes += range.length;
  return bytes;
}

Status LadderHolder::begin_rung(std::uint32_t block_bytes, std::uint64_t pair_bytes) {
  const bool divides = rung_ == 0 || (block_bytes != 0 && block_bytes < block_bytes_);
  if (!std::has_single_bit(block_bytes) || block_bytes < kMinBlockBytes || block_bytes > kMaxChunkBytes || !divides ||
      rung_ >= kMaxRungs) {
    return fail(Code::kProtocol, "Signatures of an impossible block size were asked for.");
  }
  ++rung_;
  block_bytes_ = block_bytes;
  next_range_ = 0;
  blocks_ = 0;
  for (const SignedRange& range : ranges_) blocks_ += blocks_of(range.length, block_bytes);
  width_ = rung_ == 1 ? signature_width(pair_bytes, blocks_, margin_bits_)
                      : signature_width(pair_bytes / block_bytes + 1, 1, margin_bits_);
  return {};
}

SignBatch LadderHolder::next_batch() {
  SignBatch batch{{}, seed_, block_bytes_, width_};
  std::uint64_t blocks = 0;
  std::uint64_t bytes = 0;
  while (batches_left() && blocks < kBatchBlocks && bytes < kBatchBytes) {
    const SignedRange& range = ranges_[next_range_++];
    batch.items.push_back({{lacking_[range.chunk].offset + range.offset, range.length}, rung_ == 1});
    blocks += blocks_of(range.length, block_bytes_);
    bytes += range.length;
  }
  return batch;
}

Status LadderHolder::take_answer(ByteView bits) {
  BitReader reader(bits);
  std::vector<bool> found(blocks_);
  for (std::uint64_t i = 0; i < blocks_; ++i) {
    MILLRACE_ASSIGN(const std::uint64_t bit, reader.get(1));
    found[i] = bit != 0;
  }
  std::size_t block = 0;
  for (const SignedRange& range : ranges_) {
    for (std::uint32_t at = 0; at < range.length; at += block_bytes_, ++block) {
      if (!found[block]) continue;
      const SignedRange piece{range.chunk, range.offset + at, std::min(block_bytes_, range.length - at)};
      const bool joins = !found_.empty() && found_.back().chunk == piece.chunk &&
                         found_.back().offset + found_.back().length == piece.offset;
      if (joins) {
        found_.back().length += piece.length;
      } else {
        found_.push_back(piece);
      }
    }
  }
  const std::vector<SignedRange> unfound = unfound_ranges(ranges_, block_bytes_, found);
  ranges_.clear();
  for (const SignedRange& range : unfound) {
    MILLRACE_ASSIGN(const std::uint64_t finer, reader.get(1));
    if (finer != 0) ranges_.push_back(range);
  }
  next_range_ = ranges_.size();  // nothing to sign before the next rung begins
  return {};
}

std::vector<SignedRange> LadderHolder::found() const {
  std::vector<SignedRange> sorted = found_;
  std::sort(sorted.begin(), sorted.end(), [](const SignedRange& a, const SignedRange& b) {
    return a.chunk != b.chunk ? a.chunk < b.chunk : a.offset < b.offset;
  });
  std::vector<SignedRange> out;
  for (const SignedRange& piece : sorted) {
    if (!out.empty() && out.back().chunk == piece.chunk && out.back().offset + out.back().length == piece.offset) {
      out.back().length += piece.length;
    } else {
      out.push_back(piece);
    }
  }
  return out;
}

}  // namespace millrace
