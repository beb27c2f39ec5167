// TLS 1.3 upon another stream: OpenSSL reads from and writes to memory, the carrier moves the bytes.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "net/stream.h"
#include "net/tls_context.h"

namespace millrace {

class TlsStream final : public Stream {
 public:
  /// Looks at the peer once the handshake is done, before anything is said; an error ends the connection with it.
  using Verify = std::function<Status(const TlsPeer&)>;
  /// `host` (client): what the certificate must name where `context` verifies names, and told to the server. The
  /// handshake begins with start(), when the carrier must stand.
  TlsStream(std::unique_ptr<Stream> carrier, const TlsContext& context, const std::string& host, Verify verify);
  /// Server: sent as it is to a peer whose first byte shows that it does not speak TLS.
  void set_plain_answer(Buffer answer) { plain_answer_ = std::move(answer); }
  /// Told once how the handshake ended. `done`: nothing when it failed, or was given up before its end.
  struct Handshake {
    bool is_resumed = false;  ///< with keys of an earlier connection
    std::chrono::nanoseconds took{0};
  };
  using OnHandshake = std::function<void(const std::optional<Handshake>& done)>;
  void set_on_handshake(OnHandshake call) { on_handshake_ = std::move(call); }
  ~TlsStream() override;
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  void start(Events events) override;
  void pause_reading() override { carrier_->pause_reading(); }
  void resume_reading() override { carrier_->resume_reading(); }
  /// What is written before the handshake is done waits for it.
  void write(std::vector<WritePiece> pieces) override;
  std::size_t pending_bytes() const override { return carrier_->pending_bytes() + waiting_bytes_; }
  void finish_writing() override;
  void close() override;
  TcpMeasured measured() const override { return carrier_->measured(); }
  std::size_t unread_bytes() const override { return carrier_->unread_bytes(); }
  std::uint64_t bytes_read() const override { return carrier_->bytes_read(); }
  std::uint64_t bytes_written() const override { return carrier_->bytes_written(); }

 private:
  struct Engine;
  void on_carrier_bytes(ByteView bytes);
  /// Goes on with the handshake. False while it is not done, and after a failure.
  bool shake_hands();
  void encrypt(const std::vector<WritePiece>& pieces);
  /// Hands the carrier what OpenSSL has written.
  void send_output();
  void end(const Error& error);
  void tell_handshake(const std::optional<Handshake>& done);

  std::unique_ptr<Stream> carrier_;
  std::unique_ptr<Engine> engine_;
  Verify verify_;
  Events events_;
  std::vector<WritePiece> waiting_;  ///< for the handshake
  std::size_t waiting_bytes_ = 0;
  Buffer plain_answer_;
  OnHandshake on_handshake_;
  std::chrono::steady_clock::time_point began_;
  bool heard_ = false;         ///< something has come
  bool speaks_plain_ = false;  ///< the peer
  bool secured_ = false;
  bool finish_ = false;  ///< finish_writing() was called before the handshake was done
  bool ended_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace millrace
