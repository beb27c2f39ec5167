#include "sync/target_scan.h"

#include <algorithm>

#include "delta/chunker.h"

namespace millrace {

struct TargetScan::Work {
  ScannedBlock block;
  std::vector<std::uint32_t> lengths;
  Status status;
  bool hashed = false;
};

void TargetScan::pump() {
  if (cutting_ || read_all_ || failed_ || paused_ || in_flight_.size() >= kBlocks) return;
  cutting_ = true;
  auto work = std::make_shared<Work>();
  work->block.offset = next_;
  in_flight_.push_back(work);
  const auto cut = [work, source = source_] {
    const std::uint64_t left = source->size() - work->block.offset;
    Buffer content(std::min<std::uint64_t>(left, kBlockBytes));
    work->status = source->read_at(work->block.offset, content);
    if (!work->status) return;
    work->block.last = content.size() == left;
    const std::size_t covered = cut_chunks(content, work->block.last ? Tail::kEndOfFile : Tail::kMoreFollows, work->lengths);
    content.resize(covered);
    work->block.content = std::make_shared<const Buffer>(std::move(content));
  };
  const auto hash = [work, factory = toolbox_.hasher] {
    const auto hasher = factory();
    ByteView rest(*work->block.content);
    for (const std::uint32_t length : work->lengths) {
      const ByteView content = rest.first(length);
      work->block.chunks.push_back(Chunk{hasher->hash(content), 0, length});
      work->block.zero.push_back(all_zero(content));
      rest = rest.subspan(length);
    }
  };
  port_.run(Lane::kCpu, cut, [this, work, hash] {
    cutting_ = false;
    if (failed_) return;
    if (!work->status) {
      failed_ = true;
      on_error_(std::move(work->status).error());
      return;
    }
    next_ = work->block.offset + work->block.content->size();
    read_all_ = work->block.last;
    port_.run(Lane::kCpu, hash, [this, work] {
      work->hashed = true;
      deliver();
      pump();
    });
    pump();
  });
}

void TargetScan::deliver() {
  while (!paused_ && !failed_ && !in_flight_.empty() && in_flight_.front()->hashed) {
    const auto work = std::move(in_flight_.front());
    in_flight_.pop_front();
    delivered_ = work->block.offset + work->block.content->size();
    if (work->block.last) finished_ = true;
    on_block_(work->block);
  }
}

}  // namespace millrace
