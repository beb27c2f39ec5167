// What a session speaks through: TCP, or TLS upon it.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "net/tcp_info.h"

namespace millrace {

/// What is written in one go: a header of its own and bytes that `owner` keeps alive.
struct WritePiece {
  Buffer header;
  std::shared_ptr<const void> owner;
  ByteView payload;
};

/// Owned by one object; nothing is called back after close(). All calls on its loop's thread.
class Stream {
 public:
  struct Events {
    std::function<void(ByteView)> on_bytes;
    std::function<void()> on_drained;      ///< all that was written has left
    std::function<void(Error)> on_closed;  ///< the peer ended or broke the connection: kNetwork; kTls
    std::function<bool()> may_read{};      ///< asked before each read; false pauses reading. Null: always
    std::function<void()> on_refused{};    ///< reading was paused by may_read()
    /// Asked before each read: where on_bytes() wants the next bytes. Null or empty, and in streams that have to look
    /// into what they read: anywhere.
    std::function<MutableBytes()> space{};
  };
  virtual ~Stream() = default;
  virtual void start(Events events) = 0;
  virtual void pause_reading() = 0;
  virtual void resume_reading() = 0;
  /// Queues; check pending_bytes() against a high-water mark.
  virtual void write(std::vector<WritePiece> pieces) = 0;
  virtual std::size_t pending_bytes() const = 0;
  /// The other side reads the end of the stream behind what was written; reading goes on.
  virtual void finish_writing() = 0;
  /// Idempotent. With writes pending they are dropped.
  virtual void close() = 0;
  virtual TcpMeasured measured() const = 0;
  /// What has arrived and was not read.
  virtual std::size_t unread_bytes() const = 0;
  /// At the socket.
  virtual std::uint64_t bytes_read() const = 0;
  virtual std::uint64_t bytes_written() const = 0;
};

}  // namespace millrace
