// The bytes of a connection in the binary messages of a WebSocket (RFC 6455), on the server's side: where the messages
// begin and end means nothing. Framing is wslay's.
#pragma once

#include <memory>
#include <string>

#include "net/stream.h"

namespace millrace {

/// The value of Sec-WebSocket-Accept for that of Sec-WebSocket-Key.
std::string web_socket_accept(std::string_view key);
/// Whether it is what a client sends as Sec-WebSocket-Key: 16 bytes in base64.
bool is_web_socket_key(std::string_view key);

class WebSocketStream final : public Stream {
 public:
  static constexpr std::uint64_t kMostMessageBytes = 64u << 20;  ///< longer ones are refused by what their frame says
  static constexpr std::size_t kMostUnreadPongs = 1u << 20;      ///< bytes in front of one, before its peer is cut off

  /// `carrier` has seen the handshake; `early` came behind it.
  WebSocketStream(std::unique_ptr<Stream> carrier, Buffer early);
  ~WebSocketStream() override;
  /// Not from within a call of the carrier's.
  void start(Events events) override;
  void pause_reading() override { carrier_->pause_reading(); }
  void resume_reading() override { carrier_->resume_reading(); }
  /// One message.
  void write(std::vector<WritePiece> pieces) override;
  std::size_t pending_bytes() const override { return carrier_->pending_bytes(); }
  void finish_writing() override;
  void close() override;
  TcpMeasured measured() const override { return carrier_->measured(); }
  std::size_t unread_bytes() const override { return carrier_->unread_bytes(); }
  /// Since the handshake.
  std::uint64_t bytes_read() const override { return carrier_->bytes_read() - read_before_; }
  std::uint64_t bytes_written() const override { return carrier_->bytes_written() - written_before_; }

 private:
  struct Framing;
  void on_carrier_bytes(ByteView bytes);
  void end(const Error& error);

  std::unique_ptr<Stream> carrier_;
  std::unique_ptr<Framing> framing_;
  Events events_;
  Buffer early_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  const std::uint64_t read_before_;
  const std::uint64_t written_before_;
  bool finished_ = false;  ///< has said that nothing more comes
  bool ended_ = false;
};

}  // namespace millrace
