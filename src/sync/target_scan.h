// Reads a file block by block, cuts it into chunks and hashes them on workers, several blocks at once. Where a block's
// first chunk begins depends on the block before; instead of waiting for it, cutting begins somewhat earlier than the
// block and falls into step at the first cut that both contain. Where it did not by then, the block is done again once
// its beginning is known. Blocks are delivered in order on the loop.
#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "delta/chunk_tree.h"
#include "delta/source.h"
#include "sync/stream.h"
#include "sync/toolbox.h"

namespace millrace {

/// Whether whoever scans sends the blocks' contents on.
enum class Contents : std::uint8_t { kKept, kDropped };

/// A piece of the file that starts and ends at a chunk's boundary.
struct ScannedBlock {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  ChunkList chunks;
  SharedBytes content;  ///< empty where contents may be dropped
  std::vector<bool> zero;
  bool last = false;
};

/// Owned by a conversation; its callbacks must not outlive it. Holds at most kBlocks blocks.
class TargetScan {
 public:
  static constexpr std::size_t kBlockBytes = 2u << 20;  ///< so that what is cut twice is a small part
  static constexpr std::size_t kBlocks = 4;

  TargetScan(StreamPort& port, std::shared_ptr<const Source> source, const Toolbox& toolbox,
             std::function<void(ScannedBlock&)> on_block, std::function<void(Error)> on_error)
      : port_(port),
        source_(std::move(source)),
        toolbox_(toolbox),
        on_block_(std::move(on_block)),
        on_error_(std::move(on_error)) {}

  void start(Contents contents) {
    contents_ = contents;
    pump();
  }
  /// Of the blocks that are not scanned yet.
  void drop_contents() { contents_ = Contents::kDropped; }
  void pause() { paused_ = true; }
  void resume() {
    paused_ = false;
    deliver();
    pump();
  }
  bool finished() const { return finished_; }
  std::uint64_t position() const { return delivered_; }

 private:
  struct Work;
  void pump();
  void scan(const std::shared_ptr<Work>& work);
  void deliver();
  void give_up(Error error);
  StreamPort& port_;
  std::shared_ptr<const Source> source_;
  Toolbox toolbox_;
  std::function<void(ScannedBlock&)> on_block_;
  std::function<void(Error)> on_error_;
  Contents contents_ = Contents::kKept;
  std::deque<std::shared_ptr<Work>> in_flight_;  ///< by offset
  std::uint64_t next_ = 0;                       ///< where the next block begins
  std::uint64_t delivered_ = 0;
  bool paused_ = false;
  bool finished_ = false;
  bool failed_ = false;
};

}  // namespace millrace
