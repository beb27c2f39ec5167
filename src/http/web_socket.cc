#include "http/web_socket.h"

#include <openssl/evp.h>
#include <sys/types.h>
#include <wslay/wslay.h>

#include <algorithm>
#include <array>
#include <iterator>

namespace millrace {

namespace {

constexpr std::size_t kKeyBytes = 16;
constexpr std::size_t kKeyLetters = 24;

Buffer& plain_buffer() {
  thread_local Buffer buffer;
  return buffer;
}

}  // namespace

std::string web_socket_accept(std::string_view key) {
  // RFC 6455, section 4.2.2: proves that the server has understood, nothing else.
  const std::string joined = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned bytes = 0;
  EVP_Digest(joined.data(), joined.size(), digest.data(), &bytes, EVP_sha1(), nullptr);
  std::string out((bytes + 2) / 3 * 4 + 1, '\0');
  out.resize(static_cast<std::size_t>(
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), digest.data(), static_cast<int>(bytes))));
  return out;
}

bool is_web_socket_key(std::string_view key) {
  std::array<unsigned char, kKeyBytes + 2> decoded{};  // EVP_DecodeBlock counts the padding's two bytes too
  return key.size() == kKeyLetters && key.ends_with("==") && key[kKeyLetters - 3] != '=' &&
         EVP_DecodeBlock(decoded.data(), reinterpret_cast<const unsigned char*>(key.data()),
                         static_cast<int>(key.size())) == static_cast<int>(decoded.size());
}

/// wslay reads from `in` and appends to `plain`; what it has to say of its own goes out at once.
struct WebSocketStream::Framing {
  explicit Framing(Stream& its_carrier) : carrier(its_carrier) {
    wslay_event_callbacks calls{};
    calls.recv_callback = [](wslay_event_context_ptr context, std::uint8_t* into, std::size_t room, int, void* self) {
      return static_cast<Framing*>(self)->give(context, into, room);
    };
    calls.send_callback = [](wslay_event_context_ptr context, const std::uint8_t* from, std::size_t count, int,
                             void* self) { return static_cast<Framing*>(self)->send(context, from, count); };
    calls.on_frame_recv_start_callback = [](wslay_event_context_ptr, const wslay_event_on_frame_recv_start_arg* frame,
                                            void* self) { static_cast<Framing*>(self)->begin(frame->opcode); };
    calls.on_frame_recv_chunk_callback = [](wslay_event_context_ptr, const wslay_event_on_frame_recv_chunk_arg* chunk,
                                            void* self) {
      static_cast<Framing*>(self)->take(ByteView(reinterpret_cast<const Byte*>(chunk->data), chunk->data_length));
    };
    wslay_event_context_server_init(&events, &calls, this);
    wslay_event_config_set_no_buffering(events, 1);
    wslay_event_config_set_max_recv_msg_length(events, kMostMessageBytes);
    wslay_frame_callbacks frame_calls{};
    frame_calls.send_callback = [](const std::uint8_t* from, std::size_t count, int, void* self) {
      return static_cast<Framing*>(self)->frame(from, count);
    };
    wslay_frame_context_init(&frames, &frame_calls, this);
  }
  ~Framing() {
    wslay_event_context_free(events);
    wslay_frame_context_free(frames);
  }
  Framing(const Framing&) = delete;
  Framing& operator=(const Framing&) = delete;

  ssize_t give(wslay_event_context_ptr context, std::uint8_t* into, std::size_t room) {
    if (in.empty()) {
      wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
      return -1;
    }
    const std::size_t count = std::min(room, in.size());
    std::copy_n(in.begin(), count, reinterpret_cast<Byte*>(into));
    in = in.subspan(count);
    return static_cast<ssize_t>(count);
  }

  ssize_t send(wslay_event_context_ptr context, const std::uint8_t* from, std::size_t count) {
    if (carrier.pending_bytes() > kMostUnreadPongs) {
      wslay_event_set_error(context, WSLAY_ERR_CALLBACK_FAILURE);
      return -1;
    }
    std::vector<WritePiece> pieces(1);
    append(pieces.front().header, ByteView(reinterpret_cast<const Byte*>(from), count));
    carrier.write(std::move(pieces));
    return static_cast<ssize_t>(count);
  }

  void begin(std::uint8_t opcode) {
    in_control = wslay_is_ctrl_frame(opcode) != 0;
    if (opcode == WSLAY_TEXT_FRAME) has_text = true;
  }
  void take(ByteView bytes) {
    if (!in_control) append(plain_buffer(), bytes);
  }

  /// Content leaves in the pieces that it came in; of what wslay frames only the header is kept.
  ssize_t frame(const std::uint8_t* from, std::size_t count) {
    if (from != content) append(header, ByteView(reinterpret_cast<const Byte*>(from), count));
    return static_cast<ssize_t>(count);
  }

  /// The header of one message of one frame with these pieces.
  Buffer header_of(const std::vector<WritePiece>& pieces, std::size_t bytes) {
    header.clear();
    wslay_frame_iocb message{};
    message.fin = 1;
    message.opcode = WSLAY_BINARY_FRAME;
    message.payload_length = bytes;
    const auto count_in = [&](ByteView piece) {
      if (piece.empty()) return;
      content = reinterpret_cast<const std::uint8_t*>(piece.data());
      message.data = content;
      message.data_length = piece.size();
      (void)wslay_frame_send(frames, &message);
    };
    for (const WritePiece& piece : pieces) {
      count_in(piece.header);
      count_in(piece.payload);
    }
    return std::exchange(header, {});
  }

  Stream& carrier;
  wslay_event_context_ptr events = nullptr;
  wslay_frame_context_ptr frames = nullptr;
  ByteView in;
  const std::uint8_t* content = nullptr;  ///< what is being framed
  Buffer header;
  bool in_control = false;
  bool has_text = false;
};

WebSocketStream::WebSocketStream(std::unique_ptr<Stream> carrier, Buffer early)
    : carrier_(std::move(carrier)),
      framing_(std::make_unique<Framing>(*carrier_)),
      early_(std::move(early)),
      read_before_(carrier_->bytes_read()),
      written_before_(carrier_->bytes_written()) {}

WebSocketStream::~WebSocketStream() {
  close();
}

void WebSocketStream::start(Events events) {
  events_ = std::move(events);
  carrier_->start({[this](ByteView bytes) { on_carrier_bytes(bytes); },
                   [this] {
                     const auto on_drained = events_.on_drained;
                     if (on_drained) on_drained();
                   },
                   [this](const Error& error) { end(error); }, events_.may_read, events_.on_refused});
  if (!early_.empty()) on_carrier_bytes(std::exchange(early_, {}));
}

void WebSocketStream::on_carrier_bytes(ByteView bytes) {
  if (ended_) return;
  const std::weak_ptr<bool> alive = alive_;
  Buffer& plain = plain_buffer();
  plain.clear();
  framing_->in = bytes;
  const int received = wslay_event_recv(framing_->events);
  if (framing_->has_text) wslay_event_queue_close(framing_->events, WSLAY_CODE_UNSUPPORTED_DATA, nullptr, 0);
  const int sent = wslay_event_send(framing_->events);
  const bool is_over = wslay_event_get_read_enabled(framing_->events) == 0 || framing_->has_text;
  const bool is_goodbye = wslay_event_get_close_received(framing_->events) != 0 && !framing_->has_text;
  if (!plain.empty() && !framing_->has_text && events_.on_bytes) {
    const auto on_bytes = events_.on_bytes;
    on_bytes(plain);
  }
  if (alive.expired()) return;
  if (sent != 0) return end({Code::kTooSlow, "A client asked for more answers than it read."});
  if (received != 0) return end({Code::kProtocol, "A client's WebSocket cannot be read on."});
  if (!is_over) return;
  finished_ = true;
  carrier_->finish_writing();
  end(is_goodbye ? Error{Code::kNetwork, "The other side closed the connection"}
                 : Error{Code::kProtocol, "A client did not keep to what WebSockets are."});
}

void WebSocketStream::write(std::vector<WritePiece> pieces) {
  if (ended_ || finished_) return;
  std::size_t bytes = 0;
  for (const WritePiece& piece : pieces) bytes += piece.header.size() + piece.payload.size();
  if (bytes == 0) return;
  std::vector<WritePiece> framed;
  framed.reserve(pieces.size() + 1);
  framed.push_back({framing_->header_of(pieces, bytes), nullptr, {}});
  std::move(pieces.begin(), pieces.end(), std::back_inserter(framed));
  carrier_->write(std::move(framed));
}

void WebSocketStream::finish_writing() {
  if (ended_ || std::exchange(finished_, true)) return;
  wslay_event_queue_close(framing_->events, WSLAY_CODE_NORMAL_CLOSURE, nullptr, 0);
  wslay_event_send(framing_->events);
  carrier_->finish_writing();
}

void WebSocketStream::end(const Error& error) {
  if (std::exchange(ended_, true)) return;
  carrier_->pause_reading();
  const auto on_closed = events_.on_closed;
  if (on_closed) on_closed(error);
}

void WebSocketStream::close() {
  ended_ = true;
  alive_.reset();
  events_ = {};
  carrier_->close();
}

}  // namespace millrace
