// The server's side of the ladder on a stream: signs blocks on workers and sends them batch by batch, as the stream
// takes them.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "delta/ladder_holder.h"
#include "sync/stream.h"

namespace millrace {

/// Owned by a conversation.
class Signer {
 public:
  Signer(StreamPort& port, std::shared_ptr<const Source> held, KnownContent known, std::vector<ByteRange> lacking,
         std::uint64_t seed, int margin_bits, std::function<void(Error)> on_error)
      : port_(port),
        held_(std::move(held)),
        known_(std::move(known)),
        holder_(std::move(lacking), seed, margin_bits),
        on_error_(std::move(on_error)) {}

  LadderHolder& holder() { return holder_; }
  const LadderHolder& holder() const { return holder_; }
  /// Signs the next rung. `block_bytes` 0: that of the first rung. Errors: kProtocol.
  Status begin(std::uint64_t block_bytes, std::uint64_t pair_bytes);
  /// Goes on where the stream was full.
  void pump();
  std::uint32_t first_block() const { return first_block_; }
  /// The last rung asked for has been sent.
  bool idle() const { return !running_ && !holder_.batches_left(); }

 private:
  StreamPort& port_;
  std::shared_ptr<const Source> held_;
  KnownContent known_;
  LadderHolder holder_;
  std::function<void(Error)> on_error_;
  std::uint32_t first_block_ = 0;
  bool running_ = false;
  bool begun_ = false;
};

}  // namespace millrace
