// The client's side of the ladder on a stream: collects batches of signatures and searches them on a worker, one after
// the other.
#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "delta/ladder_searcher.h"
#include "sync/bulk.h"
#include "sync/stream.h"
#include "sync/toolbox.h"

namespace millrace {

/// Owned by a conversation.
class LadderClient {
 public:
  /// `on_rung`: all signatures of a rung were searched; given how far what is left compresses (see sample_literals).
  LadderClient(StreamPort& port, const Toolbox& toolbox, std::shared_ptr<const Source> own,
               std::shared_ptr<LadderSearcher> searcher, std::function<void(double)> on_rung,
               std::function<void(Error)> on_error);

  /// Compressibility of what is unmatched before rung 1.
  void sample(std::function<void(double)> then);
  Status on_signatures(const wire::Signatures& message);
  /// Signatures are coming or searched: nothing else may come from the server.
  bool busy() const { return bulk_.active() || running_ || !queue_.empty(); }
  bool expects_data() const { return bulk_.active(); }
  /// Takes what is the ladder's from the front of `bytes`.
  void on_data(ByteView& bytes);
  LadderSearcher& searcher() { return *searcher_; }
  std::uint32_t first_block() const { return first_block_; }
  std::uint32_t block() const { return block_; }

 private:
  struct Batch {
    Buffer bulk;
    std::uint32_t block_bytes;
    unsigned width;
    std::uint64_t credit;
  };
  static constexpr std::size_t kEarlyCreditBatches = 2;
  void pump();
  StreamPort& port_;
  Toolbox toolbox_;
  std::shared_ptr<const Source> own_;
  std::shared_ptr<LadderSearcher> searcher_;
  std::function<void(double)> on_rung_;
  std::function<void(Error)> on_error_;
  Bulk bulk_;
  wire::Signatures message_;
  std::uint64_t credit_ = 0;
  std::deque<Batch> queue_;
  std::uint32_t first_block_ = 0;
  std::uint32_t block_ = 0;
  bool running_ = false;
};

}  // namespace millrace
