#include "delta/ladder_searcher.h"

#include <algorithm>
#include <bit>
#include <map>

#include "delta/bits.h"
#include "delta/chunk.h"
#include "delta/rolling_hash.h"

namespace millrace {

namespace {

constexpr std::uint32_t kNone = ~std::uint32_t{0};
constexpr std::size_t kMaxChain = 4;
constexpr std::size_t kReadBytes = 1u << 20;
constexpr std::uint64_t kMaxRunBlocks = 64;

}  // namespace

/// Finds full blocks by hash: a filter that mostly fits the cache, then a table whose chains have at most kMaxChain
/// blocks, so that repeated blocks cost no more than others.
class LadderSearcher::Index {
 public:
  /// `blocks` must outlive this. Short blocks are left out.
  Index(std::span<const Block> blocks, std::uint32_t block_bytes, unsigned width) : blocks_(blocks) {
    std::size_t full = 0;
    for (const Block& block : blocks) full += block.length == block_bytes;
    filter_bits_ = std::min<unsigned>({width, std::max(8u, static_cast<unsigned>(std::bit_width(full)) + 3), 22u});
    filter_.resize((std::size_t{1} << filter_bits_) / 64 + 1);
    slots_.assign(std::bit_ceil(std::max<std::size_t>(full * 2, 8)), kNone);
    next_.assign(blocks.size(), kNone);
    for (std::uint32_t i = 0; i < blocks.size(); ++i) {
      if (blocks[i].length == block_bytes) insert(i);
    }
  }
  std::span<const Block> blocks() const { return blocks_; }
  bool may_have(std::uint64_t hash) const {
    const auto bit = static_cast<std::size_t>(low_bits(hash, filter_bits_));
    return (filter_[bit / 64] >> (bit % 64) & 1) != 0;
  }
  /// The best of the blocks with that hash: the one at the holder's `expected` offset, else the nearest to it.
  std::uint32_t find(std::uint64_t hash, std::uint64_t expected) const {
    std::uint32_t best = kNone;
    std::uint64_t best_distance = 0;
    for (std::uint32_t i = slots_[slot(hash)]; i != kNone; i = next_[i]) {
      const std::uint64_t place = blocks_[i].holder;
      const std::uint64_t distance = place > expected ? place - expected : expected - place;
      if (best == kNone || distance < best_distance) {
        best = i;
        best_distance = distance;
      }
    }
    return best;
  }

 private:
  /// The slot of this hash, or the empty one where it would be.
  std::size_t slot(std::uint64_t hash) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = (hash * 0x9e3779b97f4a7c15u >> 20) & mask;
    while (slots_[at] != kNone && blocks_[slots_[at]].hash != hash) at = (at + 1) & mask;
    return at;
  }
  void insert(std::uint32_t i) {
    const std::uint64_t hash = blocks_[i].hash;
    const auto bit = static_cast<std::size_t>(low_bits(hash, filter_bits_));
    filter_[bit / 64] |= std::uint64_t{1} << (bit % 64);
    const std::size_t at = slot(hash);
    std::size_t length = 0;
    for (std::uint32_t chained = slots_[at]; chained != kNone; chained = next_[chained]) ++length;
    if (length >= kMaxChain) return;
    next_[i] = slots_[at];
    slots_[at] = i;
  }
  std::span<const Block> blocks_;
  unsigned filter_bits_ = 0;
  std::vector<std::uint64_t> filter_;
  std::vector<std::uint32_t> slots_;
  std::vector<std::uint32_t> next_;
};

LadderSearcher::LadderSearcher(std::vector<HolderPiece> pieces, std::uint32_t lacking,
                               std::vector<std::uint64_t> own_offsets, const std::vector<bool>& covered,
                               std::uint64_t seed)
    : pieces_(std::move(pieces)),
      own_offsets_(std::move(own_offsets)),
      own_bytes_(own_offsets_.back()),
      seed_(seed),
      lengths_(lacking),
      places_(lacking, ~std::uint64_t{0}) {
  for (std::size_t i = 0; i + 1 < own_offsets_.size(); ++i) {
    if (covered[i]) continue;
    const std::uint64_t length = own_offsets_[i + 1] - own_offsets_[i];
    if (!gaps_.empty() && gaps_.back().end() == own_offsets_[i]) {
      gaps_.back().length += length;
    } else {
      gaps_.push_back({own_offsets_[i], length});
    }
  }
  ranges_.resize(lacking);
  for (std::uint32_t chunk = 0; chunk < lacking; ++chunk) ranges_[chunk].chunk = chunk;
}

std::uint64_t LadderSearcher::gap_bytes() const {
  std::uint64_t bytes = 0;
  for (const ByteRange& gap : gaps_) bytes += gap.length;
  return bytes;
}

bool LadderSearcher::rung_complete() const {
  return block_bytes_ != 0 && next_range_ == ranges_.size();
}

Status LadderSearcher::take_signatures(std::uint32_t block_bytes, unsigned width, ByteView bulk, const Source& own) {
  const bool possible = std::has_single_bit(block_bytes) && block_bytes >= kMinBlockBytes &&
                        block_bytes <= kMaxChunkBytes && width >= 9 && width <= 61;
  const bool same = next_range_ == 0 || (block_bytes == block_bytes_ && width == width_);
  if (!possible || !same || next_range_ == ranges_.size())
    return fail(Code::kProtocol, "Signatures of an impossible block size arrived.");
  block_bytes_ = block_bytes;
  width_ = width;
  if (rung_ > 1) {
    std::vector<Block> blocks;
    MILLRACE_TRY(parse(bulk, blocks));
    return search_own_gaps(own, blocks);
  }
  MILLRACE_TRY(parse(bulk, first_rung_));
  if (!rung_complete()) return {};
  lay_out();
  Status searched = search_all(own, first_rung_);
  first_rung_ = {};
  return searched;
}

/// Takes whole ranges out of a batch. At rung 1 the holder's offsets are filled in by lay_out().
Status LadderSearcher::parse(ByteView bulk, std::vector<Block>& blocks) {
  BitReader reader(bulk);
  while (reader.has(8)) {
    if (next_range_ == ranges_.size()) return fail(Code::kProtocol, "More signatures arrived than were asked for.");
    SignedRange& range = ranges_[next_range_];
    if (rung_ == 1) {
      MILLRACE_ASSIGN(const std::uint64_t length, reader.get(16));
      range.length = static_cast<std::uint32_t>(length) + 1;
      lengths_[range.chunk] = range.length;
    }
    const std::uint64_t place = rung_ == 1 ? range.chunk : places_[range.chunk] + range.offset;
    for (std::uint32_t at = 0; at < range.length; at += block_bytes_) {
      MILLRACE_ASSIGN(const std::uint64_t hash, reader.get(width_));
      const auto number = static_cast<std::uint32_t>(found_.size());
      blocks.push_back({hash, rung_ == 1 ? place : place + at, std::min(block_bytes_, range.length - at), number});
      found_.push_back(false);
    }
    ++next_range_;
  }
  return {};
}

/// All lengths are known: where everything stands in the holder's file.
void LadderSearcher::lay_out() {
  holder_bytes_ = 0;
  for (const HolderPiece& piece : pieces_) {
    if (piece.matched) {
      holder_bytes_ += own_bytes(piece);
    } else {
      places_[piece.first] = std::min(places_[piece.first], holder_bytes_);
      holder_bytes_ += lengths_[piece.first];
    }
  }
  std::uint64_t offset = 0;
  std::uint32_t chunk = kNone;
  for (Block& block : first_rung_) {
    const auto number = static_cast<std::uint32_t>(block.holder);
    if (number != chunk) offset = 0;
    chunk = number;
    block.holder = places_[number] + offset;
    offset += block.length;
  }
}

Status LadderSearcher::search_all(const Source& own, std::vector<Block>& blocks) {
  const Index index(blocks, block_bytes_, width_);
  for (const ByteRange& gap : gaps_) MILLRACE_TRY(search_gap(own, gap, index));
  settle_gaps();
  return match_tails(own, blocks);
}

/// Later rungs: each gap is rolled over once, with the blocks of all ranges beside it.
Status LadderSearcher::search_own_gaps(const Source& own, std::vector<Block>& blocks) {
  std::sort(blocks.begin(), blocks.end(), [](const Block& a, const Block& b) { return a.holder < b.holder; });
  std::map<std::size_t, std::vector<Block>> beside;
  for (std::size_t begin = 0; begin < blocks.size();) {
    std::size_t end = begin + 1;
    while (end < blocks.size() && blocks[end].holder == blocks[end - 1].holder + blocks[end - 1].length) ++end;
    for (const std::size_t gap : gaps_beside(blocks[begin].holder, blocks[end - 1].holder + blocks[end - 1].length)) {
      beside[gap].insert(beside[gap].end(), blocks.begin() + static_cast<std::ptrdiff_t>(begin),
                         blocks.begin() + static_cast<std::ptrdiff_t>(end));
    }
    begin = end;
  }
  for (const auto& [gap, chosen] : beside) {
    const Index index(chosen, block_bytes_, width_);
    MILLRACE_TRY(search_gap(own, gaps_[gap], index));
  }
  return match_tails(own, blocks);
}

Status LadderSearcher::search_gap(const Source& own, ByteRange gap, const Index& index) {
  if (gap.length < block_bytes_) return {};
  const RollingHash hash(seed_, block_bytes_);
  Buffer window;
  std::uint64_t window_at = gap.offset;  // file offset of window[0]
  std::uint64_t expected = 0;
  std::uint64_t at = gap.offset;
  std::uint64_t value = 0;
  bool have_value = false;
  while (at + block_bytes_ <= gap.end()) {
    if (window.empty() || at + block_bytes_ + 1 > window_at + window.size()) {
      const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(gap.end() - at, kReadBytes + block_bytes_));
      if (window.empty() || window_at + window.size() < gap.end()) {
        window.resize(length);
        window_at = at;
        MILLRACE_TRY(own.read_at(at, window));
      }
    }
    const Byte* data = window.data() + (at - window_at);
    if (!have_value) value = hash.value(ByteView(data, block_bytes_));
    have_value = true;
    // Roll until something may match or the window ends.
    const Byte* const last = window.data() + (window.size() - block_bytes_);
    std::uint64_t cut = RollingHash::cut(value, width_);
    while (!index.may_have(cut) && data < last) {
      value = hash.roll(value, data[0], data[block_bytes_]);
      cut = RollingHash::cut(value, width_);
      ++data;
    }
    at = window_at + static_cast<std::uint64_t>(data - window.data());
    const std::uint32_t match = index.may_have(cut) ? index.find(cut, expected) : kNone;
    if (match != kNone) {
      const Block& block = index.blocks()[match];
      record(at, block);
      expected = block.holder + block.length;
      at += block_bytes_;
      have_value = false;
    } else if (data < last) {
      value = hash.roll(value, data[0], data[block_bytes_]);
      ++at;
    } else {
      // The window's last position: read on from the next one.
      ++at;
      have_value = false;
    }
  }
  return {};
}

void LadderSearcher::record(std::uint64_t own, const Block& block) {
  found_[block.number] = true;
  if (!matches_.empty()) {
    BlockMatch& last = matches_.back();
    if (matches_.size() > rung_matches_ && last.own + last.length == own && last.holder + last.length == block.holder) {
      last.length += block.length;
      return;
    }
  }
  matches_.push_back({own, block.holder, block.length});
}

/// A chunk's short last block is tried where it would stand if nothing moved: behind what precedes it and before what
/// follows it.
Status LadderSearcher::match_tails(const Source& own, const std::vector<Block>& blocks) {
  collect_anchors();
  const RollingHash hash(seed_, block_bytes_);
  Buffer content;
  for (const Block& block : blocks) {
    if (block.length == block_bytes_ || found_[block.number]) continue;
    const auto before = own_end_before(block.holder);
    const auto after = own_begin_after(block.holder + block.length);
    for (const auto place :
         {before, after && *after >= block.length ? std::optional(*after - block.length) : std::nullopt}) {
      if (!place || *place + block.length > own_bytes_ || found_[block.number]) continue;
      content.resize(block.length);
      MILLRACE_TRY(own.read_at(*place, content));
      if (RollingHash::cut(hash.value(content), width_) != block.hash) continue;
      found_[block.number] = true;
      matches_.push_back({*place, block.holder, block.length});
    }
  }
  return {};
}

/// Takes what was matched out of the gaps. Matches of tails may reach into what is covered already.
void LadderSearcher::settle_gaps() {
  std::vector<ByteRange> taken;
  for (std::size_t i = rung_matches_; i < matches_.size(); ++i) taken.push_back({matches_[i].own, matches_[i].length});
  std::sort(taken.begin(), taken.end(), [](const ByteRange& a, const ByteRange& b) { return a.offset < b.offset; });
  std::vector<ByteRange> left;
  std::size_t next = 0;
  for (const ByteRange& gap : gaps_) {
    std::uint64_t at = gap.offset;
    while (next < taken.size() && taken[next].end() <= at) ++next;
    for (std::size_t i = next; i < taken.size() && taken[i].offset < gap.end(); ++i) {
      if (taken[i].offset > at) left.push_back({at, taken[i].offset - at});
      at = std::max(at, taken[i].end());
    }
    if (at < gap.end()) left.push_back({at, gap.end() - at});
  }
  gaps_ = std::move(left);
}

void LadderSearcher::collect_anchors() {
  anchors_.clear();
  std::uint64_t place = 0;
  for (const HolderPiece& piece : pieces_) {
    if (piece.matched) {
      const std::uint64_t length = own_bytes(piece);
      anchors_.push_back({place, own_offsets_[piece.first], length});
      place += length;
    } else {
      place += lengths_[piece.first];
    }
  }
  for (const BlockMatch& match : matches_) anchors_.push_back({match.holder, match.own, match.length});
  std::sort(anchors_.begin(), anchors_.end(), [](const Anchor& a, const Anchor& b) { return a.holder < b.holder; });
}

std::optional<std::uint64_t> LadderSearcher::own_end_before(std::uint64_t holder) const {
  if (holder == 0) return 0;
  auto after = std::lower_bound(anchors_.begin(), anchors_.end(), holder,
                                [](const Anchor& anchor, std::uint64_t at) { return anchor.holder < at; });
  for (int tries = 0; after != anchors_.begin() && tries < 8; ++tries) {
    --after;
    if (after->holder + after->length == holder) return after->own + after->length;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> LadderSearcher::own_begin_after(std::uint64_t holder) const {
  const auto found = std::lower_bound(anchors_.begin(), anchors_.end(), holder,
                                      [](const Anchor& anchor, std::uint64_t at) { return anchor.holder < at; });
  if (found != anchors_.end() && found->holder == holder) return found->own;
  if (holder == holder_bytes_) return own_bytes_;
  return std::nullopt;
}

std::vector<std::size_t> LadderSearcher::gaps_beside(std::uint64_t begin, std::uint64_t end) const {
  std::vector<std::size_t> out;
  const auto first_from = [this](std::uint64_t offset) {
    return std::lower_bound(gaps_.begin(), gaps_.end(), offset,
                            [](const ByteRange& gap, std::uint64_t at) { return gap.offset < at; });
  };
  if (const auto own = own_end_before(begin)) {
    const auto gap = first_from(*own);
    if (gap != gaps_.end() && gap->offset == *own) out.push_back(static_cast<std::size_t>(gap - gaps_.begin()));
  }
  if (const auto own = own_begin_after(end)) {
    auto gap = first_from(*own);
    if (gap != gaps_.begin() && (--gap)->end() == *own) {
      const auto number = static_cast<std::size_t>(gap - gaps_.begin());
      if (out.empty() || out[0] != number) out.push_back(number);
    }
  }
  return out;
}

LadderSearcher::Answer LadderSearcher::finish_rung(std::uint32_t next_block, double literal_ratio) {
  settle_gaps();
  collect_anchors();
  rung_matches_ = matches_.size();
  BitWriter writer;
  for (const bool found : found_) writer.put_bit(found);
  const std::vector<SignedRange> unfound = unfound_ranges(ranges_, block_bytes_, found_);

  // Runs go across chunks: neighbours in the holder's file are judged together.
  std::vector<std::uint32_t> order(unfound.size());
  for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  const auto place = [&](std::uint32_t i) { return places_[unfound[i].chunk] + unfound[i].offset; };
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) { return place(a) < place(b); });
  std::vector<bool> finer(unfound.size());
  Answer answer;
  std::map<std::size_t, std::uint64_t> bytes_beside;
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin;
    std::uint64_t at = place(order[begin]);
    for (; end < order.size() && place(order[end]) == at; ++end) at += unfound[order[end]].length;
    const std::uint64_t run_bytes = at - place(order[begin]);
    std::uint64_t gap_bytes = 0;
    const std::vector<std::size_t> beside = gaps_beside(place(order[begin]), at);
    for (const std::size_t gap : beside) gap_bytes += gaps_[gap].length;
    const double signature_bytes = next_block == 0 ? 0 : static_cast<double>(run_bytes) / next_block * 4;
    const bool worth = next_block != 0 && gap_bytes >= next_block && run_bytes <= kMaxRunBlocks * block_bytes_ &&
                       signature_bytes < static_cast<double>(gap_bytes) * literal_ratio;
    for (std::size_t i = begin; worth && i < end; ++i) finer[order[i]] = true;
    if (worth) {
      for (const std::size_t gap : beside) bytes_beside[gap] += run_bytes;
    }
    begin = end;
  }
  ranges_.clear();
  for (std::size_t i = 0; i < unfound.size(); ++i) {
    writer.put_bit(finer[i]);
    if (finer[i]) ranges_.push_back(unfound[i]);
  }
  for (const auto& [gap, bytes] : bytes_beside) {
    answer.pair_bytes += gaps_[gap].length * bytes;
    answer.gap_bytes += gaps_[gap].length;
  }
  answer.finer_ranges = ranges_.size();
  answer.bits = writer.take();
  ++rung_;
  block_bytes_ = 0;
  next_range_ = 0;
  found_.clear();
  return answer;
}

std::vector<BlockMatch> LadderSearcher::by_own() const {
  std::vector<BlockMatch> sorted = matches_;
  std::sort(sorted.begin(), sorted.end(), [](const BlockMatch& a, const BlockMatch& b) { return a.own < b.own; });
  std::vector<BlockMatch> out;
  for (BlockMatch match : sorted) {
    const std::uint64_t covered = out.empty() ? 0 : out.back().own + out.back().length;
    if (match.own < covered) {
      const std::uint64_t overlap = covered - match.own;
      if (overlap >= match.length) continue;
      match = {covered, match.holder + overlap, match.length - overlap};
    }
    const bool joins = !out.empty() && match.own == covered && out.back().holder + out.back().length == match.holder;
    if (joins) {
      out.back().length += match.length;
    } else {
      out.push_back(match);
    }
  }
  return out;
}

std::vector<BlockMatch> LadderSearcher::by_holder() const {
  std::vector<BlockMatch> sorted = matches_;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const BlockMatch& a, const BlockMatch& b) { return a.holder < b.holder; });
  std::vector<BlockMatch> out;
  for (BlockMatch match : sorted) {
    const std::uint64_t covered = out.empty() ? 0 : out.back().holder + out.back().length;
    if (match.holder < covered) {
      const std::uint64_t overlap = covered - match.holder;
      if (overlap >= match.length) continue;
      match = {match.own + overlap, covered, match.length - overlap};
    }
    const bool joins = !out.empty() && match.holder == covered && out.back().own + out.back().length == match.own;
    if (joins) {
      out.back().length += match.length;
    } else {
      out.push_back(match);
    }
  }
  return out;
}

}  // namespace millrace
