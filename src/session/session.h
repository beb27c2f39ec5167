// A multiplexer on a TCP stream: the piece that server and client share. Lives and dies on one loop.
#pragma once

#include "net/tcp.h"
#include "sync/mux.h"

namespace millrace {

class Session : public Mux::Owner, public std::enable_shared_from_this<Session> {
 public:
  using Accept = std::function<Result<std::shared_ptr<Conversation>>(FrameType, ByteView, StreamPort&)>;
  /// `accept` is null on a client. `on_closed` is called once; the session may be dropped then.
  Session(Loop& loop, std::unique_ptr<TcpStream> stream, Mux::Role role, Accept accept,
          std::function<void(const Error&)> on_closed);
  void start();
  Mux& mux() { return mux_; }
  TcpStream& stream() { return *stream_; }
  void close(const Error& error);

  void wants_write() override;
  void run(JobKind kind, std::function<void()> work, std::function<void()> done) override;
  void run_deferred(JobKind kind, std::function<void(std::function<void()>)> work, std::function<void()> done) override;
  Result<std::shared_ptr<Conversation>> accept(FrameType type, ByteView payload, StreamPort& port) override;
  Link link() const override;
  void on_goaway(const wire::GoAway& message) override;

 private:
  void flush();
  Loop& loop_;
  const Lanes::Owner owner_;  ///< of its jobs
  std::unique_ptr<TcpStream> stream_;
  Accept accept_;
  std::function<void(const Error&)> on_closed_;
  bool started_ = false;
  bool flushing_ = false;
  bool closed_ = false;
  std::optional<Error> closing_;  ///< close when the output has left
  Mux mux_;                       ///< last: it calls its owner from its constructor
};

}  // namespace millrace
