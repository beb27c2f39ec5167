// Reads a file once, block by block, cuts it into chunks and hashes them on workers. Reading and cutting go in order,
// since a block's first chunk begins where the last one of the block before ended; earlier blocks are hashed beside it,
// several at once. Blocks are delivered in order on the loop.
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
  static constexpr std::size_t kBlockBytes = 1u << 20;  ///< enough chunks to hash side by side
  static constexpr std::size_t kBlocks = 6;

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
  void scan_at_once(const std::shared_ptr<Work>& work);
  void hash(const std::shared_ptr<Work>& work);
  void deliver();
  void give_up(Error error);
  StreamPort& port_;
  std::shared_ptr<const Source> source_;
  Toolbox toolbox_;
  std::function<void(ScannedBlock&)> on_block_;
  std::function<void(Error)> on_error_;
  Contents contents_ = Contents::kKept;
  std::deque<std::shared_ptr<Work>> in_flight_;  ///< by offset
  Buffer carried_;  ///< behind the last cut: the beginning of a chunk that goes on in the next block
  std::uint64_t next_read_ = 0;
  std::uint64_t delivered_ = 0;
  bool cutting_ = false;
  bool paused_ = false;
  bool finished_ = false;
  bool failed_ = false;
};

}  // namespace millrace
