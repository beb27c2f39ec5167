// TCP over libuv: a stream that counts its bytes. It is owned by one object; nothing is called back after close().
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/error.h"
#include "net/loop.h"
#include "net/socket.h"
#include "net/tcp_info.h"

namespace millrace {

/// What is written in one go: a header of its own and bytes that `owner` keeps alive.
struct WritePiece {
  Buffer header;
  std::shared_ptr<const void> owner;
  ByteView payload;
};

class TcpStream {
 public:
  struct Events {
    std::function<void(ByteView)> on_bytes;
    std::function<void()> on_drained;      ///< all that was written has left
    std::function<void(Error)> on_closed;  ///< the peer ended or broke the connection; kNetwork
    std::function<bool()> may_read{};      ///< asked before each read; false pauses reading. Null: always
    std::function<void()> on_refused{};    ///< reading was paused by may_read()
  };
  explicit TcpStream(Loop& loop);
  ~TcpStream();
  TcpStream(const TcpStream&) = delete;
  TcpStream& operator=(const TcpStream&) = delete;

  /// Numeric or named host; all addresses of a name are tried in turn. `done` is called once, on the loop.
  void connect(const std::string& host, const std::string& port, std::function<void(Status)> done);
  /// Takes a connection that a listener, maybe of another loop, has accepted.
  Status adopt(Socket accepted);
  void start(Events events);
  void pause_reading();
  void resume_reading();
  /// Queues; check pending_bytes() against a high-water mark.
  void write(std::vector<WritePiece> pieces);
  std::size_t pending_bytes() const;
  /// The other side reads the end of the stream behind what was written; reading goes on.
  void finish_writing();
  /// Idempotent. With writes pending they are dropped.
  void close();
  TcpMeasured measured() const;
  /// What has arrived and was not read.
  std::size_t unread_bytes() const;
  std::uint64_t bytes_read() const { return bytes_read_; }
  std::uint64_t bytes_written() const { return bytes_written_; }

 private:
  struct Handle;
  struct Connecting;
  void make_handle(uv_loop_t* loop);
  void close_handle();
  /// Begins with the next address, or reports that there is none.
  void try_next(std::unique_ptr<Connecting> connecting);
  Handle* handle_ = nullptr;
  std::uint64_t bytes_read_ = 0;
  std::uint64_t bytes_written_ = 0;
};

}  // namespace millrace
