// TCP over libuv: a stream that counts its bytes. It is owned by one object; nothing is called back after close().
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "net/loop.h"
#include "net/socket.h"
#include "net/stream.h"

namespace millrace {

class TcpStream final : public Stream {
 public:
  explicit TcpStream(Loop& loop);
  ~TcpStream() override;
  TcpStream(const TcpStream&) = delete;
  TcpStream& operator=(const TcpStream&) = delete;

  /// Numeric or named host; all addresses of a name are tried in turn. `done` is called once, on the loop.
  void connect(const std::string& host, const std::string& port, std::function<void(Status)> done);
  /// Takes a connection that a listener, maybe of another loop, has accepted.
  Status adopt(Socket accepted);
  void start(Events events) override;
  void pause_reading() override;
  void resume_reading() override;
  void write(std::vector<WritePiece> pieces) override;
  std::size_t pending_bytes() const override;
  void finish_writing() override;
  void close() override;
  TcpMeasured measured() const override;
  std::size_t unread_bytes() const override;
  std::uint64_t bytes_read() const override { return bytes_read_; }
  std::uint64_t bytes_written() const override { return bytes_written_; }

 private:
  struct Handle;
  struct Connecting;
  void make_handle(uv_loop_t* loop);
  void close_handle();
  /// A write failed.
  void end_writing(int status);
  /// Begins with the next address, or reports that there is none.
  void try_next(std::unique_ptr<Connecting> connecting);
  Handle* handle_ = nullptr;
  std::uint64_t bytes_read_ = 0;
  std::uint64_t bytes_written_ = 0;
};

}  // namespace millrace
