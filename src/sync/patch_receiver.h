// Receives a patch: cuts the stream's DATA into parts and applies them on a worker, one after the other. Credit is
// given back when a part was applied, so what is held is bounded by the stream's window and one part.
#pragma once

#include <deque>
#include <memory>

#include "delta/patch_applier.h"
#include "sync/stream.h"
#include "sync/toolbox.h"

namespace millrace {

/// Owned by a conversation.
class PatchReceiver {
 public:
  PatchReceiver(StreamPort& port, const Toolbox& toolbox, PatchBasis basis, std::shared_ptr<Draft> draft,
                std::uint64_t max_bytes, std::function<void(const Digest&)> on_end,
                std::function<void(Error)> on_error);
  ~PatchReceiver();
  Status on_data(ByteView bytes);
  const PatchApplier& applier() const;
  bool busy() const { return running_; }
  /// The patch has ended with a wrong root: a repair of the same draft follows.
  void start_repair();

 private:
  struct State;
  struct Queued {
    ReceivedPart part;
    std::uint64_t credit;
  };
  void pump();
  StreamPort& port_;
  std::shared_ptr<State> state_;
  PartAssembler assembler_;
  std::deque<Queued> queue_;
  std::uint64_t credit_ = 0;
  std::function<void(const Digest&)> on_end_;
  std::function<void(Error)> on_error_;
  bool running_ = false;
  bool ended_ = false;
};

}  // namespace millrace
