#include "sync/target_scan.h"

#include <algorithm>

#include "delta/hashed_chunks.h"

namespace millrace {

namespace {
/// In front of what is read there is room for what the block before leaves over, so that a chunk's bytes stand
/// together.
constexpr std::size_t kHeadroom = kMaxChunkBytes;
/// Cuts are looked for while what was read is still in the processor's cache.
constexpr std::size_t kCutBytes = 512u << 10;
}  // namespace

struct TargetScan::Work {
  std::uint64_t offset = 0;  ///< of what is read
  Buffer carried;            ///< what the block before left over
  Buffer buffer;             ///< headroom and what was read
  std::size_t begin = kHeadroom;
  std::size_t end = kHeadroom;  ///< of the last chunk
  std::vector<std::uint32_t> lengths;
  ScannedBlock block;
  Status status;
  bool hashed = false;

  Status read_and_cut(const Source& source);
  void take(const HashedChunks& cut);
  Status scan(const Source& source, Hasher& hasher);
};

void TargetScan::Work::take(const HashedChunks& cut) {
  for (std::size_t i = 0; i < cut.contents.size(); ++i) {
    block.chunks.push_back(Chunk{cut.digests[i], 0, static_cast<std::uint32_t>(cut.contents[i].size())});
    block.zero.push_back(all_zero(cut.contents[i]));
  }
}

/// The whole block, a slice after the other in the same memory.
Status TargetScan::Work::scan(const Source& source, Hasher& hasher) {
  for (std::uint64_t filled = 0; filled < block.length;) {
    const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(kCutBytes, block.length - filled));
    MILLRACE_TRY(source.read_at(filled, MutableBytes(buffer).subspan(kHeadroom, length)));
    filled += length;
    const ByteView there = ByteView(buffer).first(kHeadroom + length).subspan(begin);
    const HashedChunks cut =
        cut_and_hash(there, filled == block.length ? Tail::kEndOfFile : Tail::kMoreFollows, hasher);
    take(cut);
    const ByteView rest = there.subspan(cut.covered);
    begin = kHeadroom - rest.size();
    std::copy(rest.begin(), rest.end(), buffer.begin() + static_cast<std::ptrdiff_t>(begin));
  }
  return {};
}

Status TargetScan::Work::read_and_cut(const Source& source) {
  begin = end = kHeadroom - carried.size();
  std::copy(carried.begin(), carried.end(), buffer.begin() + static_cast<std::ptrdiff_t>(begin));
  for (std::size_t filled = kHeadroom; filled < buffer.size();) {
    const std::size_t length = std::min(kCutBytes, buffer.size() - filled);
    MILLRACE_TRY(source.read_at(offset + filled - kHeadroom, MutableBytes(buffer).subspan(filled, length)));
    filled += length;
    const bool last = block.last && filled == buffer.size();
    end +=
        cut_chunks(ByteView(buffer).subspan(end, filled - end), last ? Tail::kEndOfFile : Tail::kMoreFollows, lengths);
  }
  block.offset = offset - carried.size();
  block.length = end - begin;
  carried.clear();
  append(carried, ByteView(buffer).subspan(end));
  return {};
}

void TargetScan::pump() {
  if (failed_ || paused_ || cutting_ || in_flight_.size() >= kBlocks || next_read_ >= source_->size()) return;
  auto work = std::make_shared<Work>();
  work->offset = next_read_;
  const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(source_->size() - next_read_, kBlockBytes));
  next_read_ += length;
  work->block.last = next_read_ == source_->size();
  in_flight_.push_back(work);
  if (contents_ == Contents::kDropped && length == source_->size()) return scan_at_once(work);
  work->carried = std::move(carried_);
  work->buffer.resize(kHeadroom + length);
  cutting_ = true;
  port_.run(
      Lane::kCpu, [work, source = source_] { work->status = work->read_and_cut(*source); },
      [this, work] {
        cutting_ = false;
        if (!work->status) return give_up(std::move(work->status).error());
        carried_ = std::move(work->carried);
        hash(work);
        pump();
      });
}

/// A file of one block whose content nobody wants: each page of memory that a short command touches costs it as much as
/// hashing what stands there.
void TargetScan::scan_at_once(const std::shared_ptr<Work>& work) {
  work->block.length = source_->size();
  work->buffer.resize(kHeadroom + std::min(kCutBytes, static_cast<std::size_t>(source_->size())));
  port_.run(
      Lane::kCpu,
      [work, source = source_, factory = toolbox_.hasher] { work->status = work->scan(*source, *factory()); },
      [this, work] {
        if (!work->status) return give_up(std::move(work->status).error());
        work->hashed = true;
        deliver();
      });
}

void TargetScan::hash(const std::shared_ptr<Work>& work) {
  port_.run(
      Lane::kCpu,
      [work, factory = toolbox_.hasher] {
        const auto hasher = factory();
        work->take(hash_chunks(ByteView(work->buffer).subspan(work->begin), work->lengths, *hasher));
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
    delivered_ = work->block.offset + work->block.length;
    if (work->block.last) finished_ = true;
    if (contents_ == Contents::kKept) {
      work->block.content = {work,
                             ByteView(work->buffer).subspan(work->begin, static_cast<std::size_t>(work->block.length))};
    }
    ScannedBlock block = std::move(work->block);
    on_block_(block);
  }
}

void TargetScan::give_up(Error error) {
  failed_ = true;
  on_error_(std::move(error));
}

}  // namespace millrace
