#include "sync/mux_impl.h"

#include "base/path.h"

namespace millrace {

namespace {

constexpr std::size_t kMaxQueuedControl =
    4u << 20;  ///< bytes of unsent control frames: past that the peer asks without reading

constexpr std::size_t kMostUnasked = 1u << 20;  ///< bytes that are kept until the peer is let in

constexpr std::uint8_t kFirstAnswer = 32;  ///< types below 16 are the connection's own

Error must_be_known(std::uint8_t type) {
  return {Code::kProtocol,
          "A frame of type " + std::to_string(type) + " must be understood and is unknown here; use a newer version."};
}

Status add_credit(std::int64_t& to, std::uint64_t credit) {
  if (credit > kMaxCredit || to > static_cast<std::int64_t>(kMaxCredit - credit)) {
    return fail(Code::kProtocol, "The peer granted an impossible credit.");
  }
  to += static_cast<std::int64_t>(credit);
  return {};
}

}  // namespace

Mux::Impl::Impl(Role given_role, wire::Hello hello, Owner& given_owner)
    : role(given_role), own(std::move(hello)), owner(given_owner), messages_held(given_owner.budget(), 0) {
  next_id = role == Role::kClient ? 1 : 2;
  send_credit = static_cast<std::int64_t>(peer.connection_window);
  // A peer that has not read our HELLO yet sends by the defaults.
  receive_credit = static_cast<std::int64_t>(std::max(own.connection_window, wire::Hello{}.connection_window));
  control(FrameType::kHello, 0, wire::encode(own), kMustUnderstand);
}

Mux::Impl::~Impl() {
  for (auto& [id, stream] : streams) stream->forget();
  for (auto& stream : retired) stream->forget();
}

void Mux::Impl::control(FrameType type, std::uint32_t stream, const Buffer& payload, std::uint8_t flags) {
  Buffer frame;
  append_frame_header(frame,
                      {static_cast<std::uint8_t>(type), flags, stream, static_cast<std::uint32_t>(payload.size())});
  append(frame, payload);
  control_bytes += frame.size();
  controls.push_back(std::move(frame));
  count_messages();
  owner.wants_write();
}

void Mux::Impl::control_error(std::uint32_t stream, const Error& error, std::uint8_t flags) {
  wire::ErrorMessage message;
  message.code = static_cast<std::uint32_t>(error.code);
  message.name = code_name(error.code);
  message.sentence = error.sentence;
  control(FrameType::kError, stream, wire::encode(message), flags);
}

void Mux::Impl::drop_outbox(Stream& stream) {
  for (const Stream::Outgoing& one : stream.outbox) message_bytes -= one.message.size();
  stream.outbox.clear();
  stream.unsent = 0;
}

void Mux::Impl::count_messages() {
  messages_held.resize(control_bytes + message_bytes + decoder.held_bytes() + first_request.size());
}

void Mux::Impl::make_ready(Stream& stream) {
  if (stream.unsent >= stream.slice()) stream.above_high_water = true;
  if (stream.ready) return;
  stream.ready = true;
  ready.push_back(stream.shared_from_this());
  owner.wants_write();
}

void Mux::Impl::retire(Stream& stream) {
  const auto self = stream.shared_from_this();
  streams.erase(stream.id);
  if (stream.outbox.empty()) {
    stream.place.reset();
  } else {
    retired.push_back(self);
  }
  // Credit that it lent to the connection is taken back out of what would be returned next; what it still held is
  // returned.
  borrowed += std::exchange(stream.extra, 0);
  if (stream.conversation) dying.push_back(std::move(stream.conversation));
  const std::uint64_t kept = std::exchange(stream.unreleased, 0);
  stream.count_held();
  if (!owner.budget()) release_connection(kept);
}

void Mux::Impl::release_connection(std::uint64_t bytes) {
  const std::uint64_t kept = std::min(borrowed, bytes);
  borrowed -= kept;
  owed += bytes - kept;
  if (owed == 0 || owed < own.connection_window / 4) return;
  wire::Window message;
  message.credit = owed;
  receive_credit += static_cast<std::int64_t>(owed);
  owed = 0;
  control(FrameType::kWindow, 0, wire::encode(message));
}

Status Mux::Impl::on_data(const FrameHeader& header, ByteView part, bool last) {
  if (!hello_received) return fail(not_ours());
  receive_credit -= static_cast<std::int64_t>(part.size());
  if (receive_credit < 0) return fail(Code::kProtocol, "The peer sent more bytes than the connection's credit allows.");
  const auto found = streams.find(header.stream);
  if (found == streams.end() || found->second->ended) {
    release_connection(part.size());
    return {};
  }
  const auto stream = found->second;
  stream->receive_credit -= static_cast<std::int64_t>(part.size());
  stream->unreleased += part.size();
  stream->count_held();
  // With a budget it is that which bounds what is held, and a stream that waits does not stop those beside it.
  if (owner.budget()) release_connection(part.size());
  if (stream->receive_credit < 0)
    return fail(Code::kProtocol, "The peer sent more bytes than a stream's credit allows.");
  const auto kept = stream->conversation;
  auto status = stream->check_order();
  if (last && (header.flags & kEndOfStream) != 0) stream->peer_ended = true;
  if (status && !part.empty()) status = kept->on_data(part);
  if (!status) stream->fail(status.error());
  return {};
}

Status Mux::Impl::on_frame(const FrameHeader& header, ByteView payload) {
  const auto type = static_cast<FrameType>(header.type);
  // What carries neither a request nor content moves nothing.
  if (!is_request_type(header.type) && header.type < kFirstAnswer)
    moved -= std::min<std::uint64_t>(moved, payload.size() + 4);
  if (!hello_received) {
    if (type != FrameType::kHello || header.stream != 0) return fail(not_ours());
    return on_hello(payload);
  }
  if (control_bytes > kMaxQueuedControl) return fail(Code::kProtocol, "The peer asks without reading the answers.");
  if (!is_known_type(header.type)) {
    if ((header.flags & kMustUnderstand) != 0) return fail(must_be_known(header.type));
    return {};
  }
  switch (type) {
    case FrameType::kHello:
      return fail(Code::kProtocol, "The peer said HELLO twice.");
    case FrameType::kWindow:
      return on_window(header, payload);
    case FrameType::kPing: {
      MILLRACE_ASSIGN(const auto ping, wire::decode<wire::Ping>(payload));
      control(FrameType::kPong, 0, wire::encode(wire::Pong{ping.token}));
      return {};
    }
    case FrameType::kPong:
      return {};
    case FrameType::kAuthenticate:
      return on_authenticate(payload);
    case FrameType::kAuthenticated: {
      MILLRACE_ASSIGN(const auto message, wire::decode<wire::Authenticated>(payload));
      if (role == Role::kClient) owner.on_authenticated(message);
      return {};
    }
    case FrameType::kGoAway: {
      MILLRACE_ASSIGN(const auto message, wire::decode<wire::GoAway>(payload));
      peer_leaves = true;
      owner.on_goaway(message);
      return {};
    }
    case FrameType::kError: {
      MILLRACE_ASSIGN(const auto message, wire::decode<wire::ErrorMessage>(payload));
      const Error error{code_from_wire(message.code), printable(message.sentence)};
      if (header.stream == 0) return fail(error);
      if (const auto stream = find(header.stream)) end_by_peer(stream, error);
      give_up(header.stream);
      return {};
    }
    case FrameType::kCancel:
      if (const auto stream = find(header.stream))
        end_by_peer(stream, {Code::kCancelled, "The peer cancelled the transfer."});
      give_up(header.stream);
      return {};
    default:
      break;
  }
  const auto found = streams.find(header.stream);
  if (found == streams.end()) return on_request(header, payload);
  const auto stream = found->second;
  const auto kept = stream->conversation;
  auto status = stream->check_order();
  if ((header.flags & kEndOfStream) != 0) stream->peer_ended = true;
  if (status) status = kept->on_message(type, payload);
  if (!status) stream->fail(status.error());
  return {};
}

Status Mux::Impl::on_window(const FrameHeader& header, ByteView payload) {
  MILLRACE_ASSIGN(const auto window, wire::decode<wire::Window>(payload));
  if (header.stream == 0) {
    MILLRACE_TRY(add_credit(send_credit, window.credit));
  } else if (const auto stream = find(header.stream)) {
    MILLRACE_TRY(add_credit(stream->send_credit, window.credit));
  }
  owner.wants_write();
  return {};
}

bool Mux::Impl::claim(std::uint32_t id) {
  if (id % 2 == 0) return false;
  if (id < next_peer_id) return passed_over.erase(id) == 1;
  if (passed_over.size() + (id - next_peer_id) / 2 > own.max_streams) return false;
  for (; next_peer_id < id; next_peer_id += 2) passed_over.insert(next_peer_id);
  next_peer_id = id + 2;
  return true;
}

void Mux::Impl::give_up(std::uint32_t id) {
  if (role == Role::kServer) (void)claim(id);
}

/// Streams that take memory here: open, or ended with output that the peer gives no credit for or does not read.
std::size_t Mux::Impl::held_streams() const {
  return streams.size() + retired.size();
}

Status Mux::Impl::on_request(const FrameHeader& header, ByteView payload) {
  // Frames for a stream that has ended cross its end on the wire.
  if (!is_request_type(header.type) || role == Role::kClient) return {};
  if (entrance == Entrance::kNotAsked && owner.has_gate()) {
    entrance = Entrance::kAsked;
    append_frame_header(first_request, header);
    append(first_request, payload);
    owner.on_authenticate(std::nullopt);
    return {};
  }
  if (!claim(header.stream)) return fail(Code::kProtocol, "A request came on a stream that cannot be new.");
  const bool full = held_streams() >= own.max_streams;
  if (full || leaving) {
    ++refusals;
    const Error busy{Code::kBusy, full ? "There are more requests in flight than this server takes on one connection; "
                                         "send fewer at once."
                                       : "The server takes no new requests on this connection; connect again."};
    control_error(header.stream, busy, kEndOfStream);
    return {};
  }
  auto stream = std::make_shared<Stream>(*this, header.stream, true);
  stream->peer_ended = (header.flags & kEndOfStream) != 0;
  streams.emplace(header.stream, stream);
  auto conversation = owner.accept(static_cast<FrameType>(header.type), payload, *stream);
  if (conversation) {
    stream->attach(std::move(*conversation));
  } else {
    stream->fail(conversation.error());
  }
  return {};
}

Status Mux::Impl::on_authenticate(ByteView payload) {
  MILLRACE_ASSIGN(auto message, wire::decode<wire::Authenticate>(payload));
  if (role == Role::kClient || entrance != Entrance::kNotAsked || next_peer_id != 1)
    return fail(Code::kProtocol, "AUTHENTICATE comes once, before the first request.");
  if (!owner.has_gate()) return fail(Code::kNotAuthenticated, "This server has no accounts; connect without a token.");
  entrance = Entrance::kAsked;
  owner.on_authenticate(std::move(message.token));
  return {};
}

/// Bytes for the decoder. What fails is the end of the connection.
Status Mux::Impl::feed(ByteView bytes) {
  Status status = decoder.feed(bytes, *this);
  if (status && decoder.held_bytes() > kMaxFramePayload + kMostUnasked)
    status = fail(Code::kProtocol, "The peer sends on without waiting to be let in.");
  count_messages();
  if (!status) {
    broken = status.error();
    control_error(0, status.error());
  }
  owner.wants_write();
  return status;
}

Status Mux::Impl::on_hello(ByteView payload) {
  MILLRACE_ASSIGN(wire::Hello hello, wire::decode<wire::Hello>(payload));
  if (hello.min_version > hello.max_version)
    return fail(Code::kProtocol, "The peer's lowest version is above its highest.");
  if (hello.min_version > own.max_version || hello.max_version < own.min_version) {
    return fail(Code::kVersion, "Client and server have no protocol version in common; upgrade the older one.");
  }
  if (hello.tree_id != own.tree_id)
    return fail(Code::kVersion, "Client and server cut files differently; upgrade the older one.");
  hello.stream_window = std::min<std::uint64_t>(hello.stream_window, 1u << 30);
  hello.connection_window = std::min<std::uint64_t>(hello.connection_window, 1u << 30);
  const auto more = [](std::uint64_t now, std::uint64_t before) {
    return static_cast<std::int64_t>(now) - static_cast<std::int64_t>(before);
  };
  const std::int64_t stream_more = more(hello.stream_window, peer.stream_window);
  send_credit += more(hello.connection_window, peer.connection_window);
  for (auto& [id, stream] : streams) stream->send_credit += stream_more;
  for (auto& stream : retired) stream->send_credit += stream_more;
  peer = std::move(hello);
  hello_received = true;
  owner.wants_write();
  return {};
}

Error Mux::Impl::not_ours() {
  return {Code::kProtocol, "The peer does not speak the Millrace protocol; check address and port."};
}

Mux::Impl::StreamPtr Mux::Impl::find(std::uint32_t id) const {
  if (const auto found = streams.find(id); found != streams.end()) return found->second;
  const auto found =
      std::find_if(retired.begin(), retired.end(), [id](const auto& stream) { return stream->id == id; });
  return found == retired.end() ? nullptr : *found;
}

void Mux::Impl::end_by_peer(const StreamPtr& stream, const Error& error) {
  const bool was_open = !stream->ended;
  stream->ended = true;
  drop_outbox(*stream);
  const auto kept = stream->conversation;
  if (was_open) stream->close(error);
  if (std::erase(retired, stream) > 0) stream->place.reset();
  if (was_open) retire(*stream);
}

std::optional<Mux::Piece> Mux::Impl::next() {
  if (!controls.empty()) {
    Piece piece{std::move(controls.front()), {}};
    controls.pop_front();
    control_bytes -= piece.header.size();
    count_messages();
    return piece;
  }
  if (broken) return std::nullopt;
  dying.clear();
  for (std::size_t turns = ready.size(); turns > 0 && !ready.empty(); --turns) {
    const auto stream = ready.front();
    ready.pop_front();
    stream->ready = false;
    auto piece = take(*stream);
    if (stream->outbox.empty()) {
      if (stream->ended && std::erase(retired, stream) > 0) stream->place.reset();
    } else if (!stream->ready) {
      // Its conversation may have put it back already, while it was told that there is room.
      stream->ready = true;
      ready.push_back(stream);
    }
    if (piece) return piece;
  }
  return std::nullopt;
}

std::optional<Mux::Piece> Mux::Impl::take(Stream& stream) {
  if (stream.outbox.empty()) return std::nullopt;
  Stream::Outgoing& head = stream.outbox.front();
  Piece piece;
  if (head.end) {
    append_frame_header(piece.header, {static_cast<std::uint8_t>(FrameType::kData), kEndOfStream, stream.id, 0});
    stream.outbox.pop_front();
    return piece;
  }
  if (!head.message.empty()) {
    piece.header = std::move(head.message);
    message_bytes -= piece.header.size();
    moved += piece.header.size();
    count_messages();
    stream.outbox.pop_front();
    if (!stream.announced) {
      stream.announced = true;
      stream.grant();
    }
    return piece;
  }
  const std::int64_t allowed = std::min({send_credit, stream.send_credit, static_cast<std::int64_t>(kMaxFramePayload)});
  if (allowed <= 0) return std::nullopt;
  const auto count = std::min<std::size_t>(head.data.view.size(), static_cast<std::size_t>(allowed));
  append_frame_header(piece.header,
                      {static_cast<std::uint8_t>(FrameType::kData), 0, stream.id, static_cast<std::uint32_t>(count)});
  piece.payload = {head.data.owner, head.data.view.first(count)};
  head.data.view = head.data.view.subspan(count);
  if (head.data.view.empty()) stream.outbox.pop_front();
  stream.announced = true;
  moved += count;
  send_credit -= static_cast<std::int64_t>(count);
  stream.send_credit -= static_cast<std::int64_t>(count);
  stream.unsent -= count;
  if (stream.above_high_water && stream.unsent < stream.slice() / 2 && !stream.ended) {
    stream.above_high_water = false;
    const auto self = stream.shared_from_this();
    const auto kept = stream.conversation;
    if (auto status = kept ? kept->on_writable() : Status(); !status) stream.fail(status.error());
  }
  return piece;
}

}  // namespace millrace
