#include "net/tls_stream.h"

#include <algorithm>

#include "net/openssl.h"

namespace millrace {

namespace {

constexpr std::size_t kRecordBytes = 16 * 1024;  ///< plaintext of the largest record (RFC 8446, section 5.1)
constexpr Byte kHandshakeRecord{22};
constexpr std::size_t kPlainBytes = 256 * 1024;  ///< decrypted before it is handed on

/// Where OpenSSL's bytes come from and go to, as long as a call lasts.
struct Pipe {
  ByteView in;
  Buffer out;
};

Pipe& pipe_of(BIO* bio) {
  return *static_cast<Pipe*>(BIO_get_data(bio));
}

int read_pipe(BIO* bio, char* into, int room) {
  Pipe& pipe = pipe_of(bio);
  BIO_clear_retry_flags(bio);
  if (pipe.in.empty()) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const std::size_t count = std::min(pipe.in.size(), static_cast<std::size_t>(room));
  std::copy_n(pipe.in.begin(), count, reinterpret_cast<Byte*>(into));
  pipe.in = pipe.in.subspan(count);
  return static_cast<int>(count);
}

int write_pipe(BIO* bio, const char* from, int count) {
  append(pipe_of(bio).out, ByteView(reinterpret_cast<const Byte*>(from), static_cast<std::size_t>(count)));
  return count;
}

long control_pipe(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

/// A memory BIO keeps the largest buffer that it ever needed and copies once more; this one borrows.
const BIO_METHOD* pipe_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* const made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "millrace pipe");
    BIO_meth_set_read(made, read_pipe);
    BIO_meth_set_write(made, write_pipe);
    BIO_meth_set_ctrl(made, control_pipe);
    BIO_meth_set_create(made, [](BIO* bio) {
      BIO_set_init(bio, 1);
      return 1;
    });
    return made;
  }();
  return method;
}

Buffer& plain_buffer() {
  thread_local Buffer buffer(kPlainBytes);
  return buffer;
}

bool is_numeric(const std::string& host) {
  return host.find(':') != std::string::npos || host.find_first_not_of("0123456789.") == std::string::npos;
}

}  // namespace

struct TlsStream::Engine {
  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  Pipe pipe;
  std::unique_ptr<SSL, Free> ssl;
  bool is_server = false;
  bool verifies = false;

  /// Why the last call failed, for people.
  Error failure() const {
    if (const long verified = SSL_get_verify_result(ssl.get()); !is_server && verifies && verified != X509_V_OK) {
      ERR_clear_error();
      return {Code::kTls, std::string("The server's certificate is not accepted: ") +
                              X509_verify_cert_error_string(verified) +
                              "; check the address, or the certificates that are believed (--cacert)."};
    }
    const int reason = ERR_GET_REASON(ERR_peek_last_error());
    const bool no_tls = reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_PACKET_LENGTH_TOO_LONG ||
                        reason == SSL_R_HTTP_REQUEST || reason == SSL_R_UNKNOWN_PROTOCOL;
    const std::string said = tls_failure();
    if (no_tls && !is_server)
      return {Code::kTls,
              "The server does not speak TLS (" + said + "); is the port right? --plain connects without it."};
    return {Code::kTls, "The connection cannot be encrypted: " + said + "."};
  }

  TlsPeer peer() const {
    TlsPeer peer;
    if (const X509* certificate = SSL_get0_peer_certificate(ssl.get())) peer.fingerprint = fingerprint_of(certificate);
    peer.resumed = SSL_session_reused(ssl.get()) == 1;
    return peer;
  }
};

TlsStream::TlsStream(std::unique_ptr<Stream> carrier, const TlsContext& context, const std::string& host, Verify verify)
    : carrier_(std::move(carrier)), engine_(std::make_unique<Engine>()), verify_(std::move(verify)) {
  engine_->is_server = context.is_server();
  engine_->verifies = context.verifies_name();
  engine_->ssl.reset(SSL_new(context.raw()));
  SSL* const ssl = engine_->ssl.get();
  BIO* const bio = BIO_new(pipe_method());
  BIO_set_data(bio, &engine_->pipe);
  SSL_set_bio(ssl, bio, bio);
  if (context.is_server()) {
    SSL_set_accept_state(ssl);
    return;
  }
  SSL_set_connect_state(ssl);
  if (is_numeric(host)) {
    if (context.verifies_name()) X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str());
  } else {
    SSL_set_tlsext_host_name(ssl, host.c_str());
    if (context.verifies_name()) SSL_set1_host(ssl, host.c_str());
  }
}

TlsStream::~TlsStream() {
  close();
}

void TlsStream::start(Events events) {
  events_ = std::move(events);
  began_ = std::chrono::steady_clock::now();
  carrier_->start({[this](ByteView bytes) { on_carrier_bytes(bytes); },
                   [this] {
                     if (secured_ && events_.on_drained) events_.on_drained();
                   },
                   [this](const Error& error) {
                     if (speaks_plain_) return end({Code::kTls, "A client did not speak TLS."});
                     if (!secured_ && !engine_->is_server)
                       return end({Code::kTls,
                                   "The server ended the connection before it was encrypted; is the port "
                                   "right? --plain connects without TLS."});
                     end(error);
                   },
                   events_.may_read, events_.on_refused});
  shake_hands();
}

bool TlsStream::shake_hands() {
  if (secured_) return true;
  if (ended_) return false;
  ERR_clear_error();
  const int done = SSL_do_handshake(engine_->ssl.get());
  send_output();
  if (done != 1) {
    if (SSL_get_error(engine_->ssl.get(), done) != SSL_ERROR_WANT_READ) end(engine_->failure());
    return false;
  }
  if (const Status trusted = verify_ ? verify_(engine_->peer()) : Status(); !trusted) {
    end(trusted.error());
    return false;
  }
  secured_ = true;
  tell_handshake(Handshake{SSL_session_reused(engine_->ssl.get()) == 1, std::chrono::steady_clock::now() - began_});
  waiting_bytes_ = 0;
  encrypt(std::exchange(waiting_, {}));
  if (finish_) finish_writing();
  return true;
}

void TlsStream::on_carrier_bytes(ByteView bytes) {
  const std::weak_ptr<bool> alive = alive_;
  if (speaks_plain_) return;
  if (!std::exchange(heard_, true) && bytes.front() != kHandshakeRecord && !plain_answer_.empty()) {
    // What it goes on to say is read and dropped until it has gone: a socket that is closed over unread bytes would
    // take the answer with it.
    speaks_plain_ = true;
    engine_->pipe.out = std::move(plain_answer_);
    send_output();
    return carrier_->finish_writing();
  }
  engine_->pipe.in = bytes;
  if (!shake_hands()) return;
  Buffer& plain = plain_buffer();
  for (bool more = true; more && !ended_;) {
    std::size_t filled = 0;
    while (kPlainBytes - filled >= kRecordBytes) {
      ERR_clear_error();
      const int count = SSL_read(engine_->ssl.get(), plain.data() + filled, static_cast<int>(kPlainBytes - filled));
      if (count > 0) {
        filled += static_cast<std::size_t>(count);
        continue;
      }
      more = false;
      const int why = SSL_get_error(engine_->ssl.get(), count);
      const bool is_end = why == SSL_ERROR_ZERO_RETURN;
      if (why == SSL_ERROR_WANT_READ) break;
      const Error error = is_end ? Error{Code::kNetwork, "The other side closed the connection"} : engine_->failure();
      if (filled > 0 && events_.on_bytes) events_.on_bytes(ByteView(plain).first(filled));
      if (alive.expired()) return;
      send_output();
      return end(error);
    }
    send_output();  // answers to requests for new keys
    if (filled > 0 && events_.on_bytes) events_.on_bytes(ByteView(plain).first(filled));
    if (alive.expired()) return;
  }
}

void TlsStream::write(std::vector<WritePiece> pieces) {
  if (ended_) return;
  if (secured_) return encrypt(pieces);
  for (WritePiece& piece : pieces) {
    waiting_bytes_ += piece.header.size() + piece.payload.size();
    waiting_.push_back(std::move(piece));
  }
}

void TlsStream::encrypt(const std::vector<WritePiece>& pieces) {
  // Small pieces share a record: each costs 22 bytes and a call.
  Buffer record;
  const auto put = [this](ByteView bytes) {
    if (!bytes.empty()) SSL_write(engine_->ssl.get(), bytes.data(), static_cast<int>(bytes.size()));
  };
  const auto add = [&](ByteView bytes) {
    while (!bytes.empty()) {
      if (record.empty() && bytes.size() >= kRecordBytes) {
        const std::size_t whole = bytes.size() - bytes.size() % kRecordBytes;
        put(bytes.first(whole));
        bytes = bytes.subspan(whole);
        continue;
      }
      const std::size_t count = std::min(kRecordBytes - record.size(), bytes.size());
      append(record, bytes.first(count));
      bytes = bytes.subspan(count);
      if (record.size() < kRecordBytes) continue;
      put(record);
      record.clear();
    }
  };
  for (const WritePiece& piece : pieces) {
    add(piece.header);
    add(piece.payload);
  }
  put(record);
  send_output();
}

void TlsStream::send_output() {
  Buffer& out = engine_->pipe.out;
  if (out.empty()) return;
  std::vector<WritePiece> pieces;
  pieces.push_back({std::exchange(out, {}), nullptr, {}});
  carrier_->write(std::move(pieces));
}

void TlsStream::finish_writing() {
  if (ended_) return;
  finish_ = true;
  if (!secured_) return;
  SSL_shutdown(engine_->ssl.get());
  send_output();
  carrier_->finish_writing();
}

void TlsStream::tell_handshake(const std::optional<Handshake>& done) {
  const OnHandshake call = std::exchange(on_handshake_, nullptr);
  if (call) call(done);
}

void TlsStream::end(const Error& error) {
  if (std::exchange(ended_, true)) return;
  tell_handshake(std::nullopt);
  carrier_->pause_reading();
  const auto on_closed = events_.on_closed;
  if (on_closed) on_closed(error);
}

void TlsStream::close() {
  tell_handshake(std::nullopt);
  ended_ = true;
  alive_.reset();
  events_ = {};
  carrier_->close();
}

}  // namespace millrace
