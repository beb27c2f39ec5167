#include "sync/target_scan.h"

#include <algorithm>

#include "delta/chunker.h"

namespace millrace {

namespace {
/// In front of what is read there is room for what the block before leaves over, so that a chunk's bytes stand
/// together.
constexpr std::size_t kHeadroom = kMaxChunkBytes;
}  // namespace

struct TargetScan::Work {
  std::uint64_t offset = 0;  ///< of what is read
  Buffer buffer;             ///< headroom and what was read
  std::size_t begin = kHeadroom;
  std::vector<std::uint32_t> lengths;
  ScannedBlock block;
  Status status;
  bool read = false;
  bool hashed = false;
};

void TargetScan::pump() {
  if (failed_ || paused_) return;
  while (in_flight_.size() < kBlocks && next_read_ < source_->size()) read_next();
  cut_next();
}

void TargetScan::read_next() {
  auto work = std::make_shared<Work>();
  work->offset = next_read_;
  const std::uint64_t length = std::min<std::uint64_t>(source_->size() - next_read_, kBlockBytes);
  next_read_ += length;
  work->block.last = next_read_ == source_->size();
  in_flight_.push_back(work);
  port_.run(
      Lane::kCpu,
      [work, length, source = source_] {
        work->buffer.resize(kHeadroom + length);
        work->status = source->read_at(work->offset, MutableBytes(work->buffer).subspan(kHeadroom));
      },
      [this, work] {
        work->read = true;
        pump();
      });
}

void TargetScan::cut_next() {
  if (cutting_ || cut_ >= in_flight_.size() || !in_flight_[cut_]->read) return;
  const auto work = in_flight_[cut_];
  if (!work->status) return give_up(std::move(work->status).error());
  cutting_ = true;
  auto carried = std::make_shared<Buffer>(std::move(carried_));
  port_.run(
      Lane::kCpu,
      [work, carried] {
        work->begin = kHeadroom - carried->size();
        std::copy(carried->begin(), carried->end(), work->buffer.begin() + static_cast<std::ptrdiff_t>(work->begin));
        const ByteView content = ByteView(work->buffer).subspan(work->begin);
        work->block.offset = work->offset - carried->size();
        work->block.length =
            cut_chunks(content, work->block.last ? Tail::kEndOfFile : Tail::kMoreFollows, work->lengths);
        carried->clear();
        append(*carried, content.subspan(work->block.length));
      },
      [this, work, carried] {
        cutting_ = false;
        if (failed_) return;
        carried_ = std::move(*carried);
        ++cut_;
        hash(work);
        pump();
      });
}

void TargetScan::hash(const std::shared_ptr<Work>& work) {
  port_.run(
      Lane::kCpu,
      [work, factory = toolbox_.hasher] {
        const auto hasher = factory();
        std::vector<ByteView> pieces;
        ByteView rest = ByteView(work->buffer).subspan(work->begin);
        for (const std::uint32_t length : work->lengths) {
          pieces.push_back(rest.first(length));
          rest = rest.subspan(length);
        }
        std::vector<Digest> digests(pieces.size());
        hasher->hash_all(pieces, digests);
        for (std::size_t i = 0; i < pieces.size(); ++i) {
          work->block.chunks.push_back(Chunk{digests[i], 0, work->lengths[i]});
          work->block.zero.push_back(all_zero(pieces[i]));
        }
      },
      [this, work] {
        work->hashed = true;
        deliver();
        pump();
      });
}

void TargetScan::deliver() {
  while (!paused_ && !failed_ && !in_flight_.empty() && in_flight_.front()->hashed) {
    const auto work = std::move(in_flight_.front());
    in_flight_.pop_front();
    --cut_;
    delivered_ = work->block.offset + work->block.length;
    if (work->block.last) finished_ = true;
    work->block.content = {work, ByteView(work->buffer).subspan(work->begin, work->block.length)};
    ScannedBlock block = std::move(work->block);
    on_block_(block);
  }
}

void TargetScan::give_up(Error error) {
  failed_ = true;
  on_error_(std::move(error));
}

}  // namespace millrace
