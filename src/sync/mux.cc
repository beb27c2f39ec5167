#include "sync/mux.h"

#include <algorithm>
#include <deque>
#include <set>
#include <variant>

#include "base/path.h"

namespace millrace {

namespace {

constexpr std::size_t kMaxQueuedControl = 4u << 20;  ///< bytes of unsent control frames: past that the peer asks without reading

/// What a stream has to send, in order.
struct Outgoing {
  Buffer message;  ///< a whole frame; empty: data
  SharedBytes data;
  bool end = false;
};

}  // namespace

class Mux::Impl final : public FrameDecoder::Sink {
 public:
  struct Stream final : StreamPort, std::enable_shared_from_this<Stream> {
    Stream(Impl& mux, std::uint32_t number)
        : impl(&mux), id(number), send_credit(static_cast<std::int64_t>(mux.peer.stream_window)),
          window(mux.own.stream_window), receive_credit(static_cast<std::int64_t>(window)) {}

    void send_frame(FrameType type, std::uint8_t flags, Buffer payload) override {
      if (ended || impl == nullptr) return;
      Outgoing out;
      append_frame_header(out.message, {static_cast<std::uint8_t>(type), flags, id, static_cast<std::uint32_t>(payload.size())});
      append(out.message, payload);
      outbox.push_back(std::move(out));
      if ((flags & kEndOfStream) != 0) end_queued = true;
      impl->make_ready(*this);
    }
    void send_data(SharedBytes bytes) override {
      if (ended || impl == nullptr || bytes.view.empty()) return;
      unsent += bytes.view.size();
      outbox.push_back({{}, std::move(bytes), false});
      impl->make_ready(*this);
    }
    std::uint64_t unsent_bytes() const override { return unsent; }
    void release_credit(std::uint64_t bytes) override {
      if (impl == nullptr || bytes == 0) return;
      impl->release_connection(bytes);
      if (ended) return;
      owed += bytes;
      if (owed >= window / 4) grant();
    }
    void set_window(std::uint64_t bytes) override {
      if (impl == nullptr || ended || bytes <= window) return;
      owed += bytes - window;
      impl->release_connection(bytes - window);
      extra += bytes - window;
      window = bytes;
      grant();
    }
    void grant() {
      wire::Window message;
      message.credit = owed;
      receive_credit += static_cast<std::int64_t>(owed);
      owed = 0;
      impl->control(FrameType::kWindow, id, wire::encode(message));
    }
    void run(Lane lane, std::function<void()> work, std::function<void()> done) override {
      if (impl == nullptr || ended) return;
      // The conversation lives as long as its jobs; a reply to an ended one is dropped.
      impl->owner.run(lane, std::move(work), [self = shared_from_this(), kept = conversation, done = std::move(done)] {
        if (self->ended || self->impl == nullptr) return;
        // Alive until the call has returned, even if it ends itself.
        const auto alive = self->conversation;
        Impl* const mux = self->impl;
        done();
        if (self->impl != nullptr) mux->owner.wants_write();
      });
    }
    Link link() const override { return impl == nullptr ? Link{} : impl->owner.link(); }
    void finish() override {
      if (ended || impl == nullptr) return;
      ended = true;
      if (!end_queued) {
        outbox.push_back({{}, {}, true});
        impl->make_ready(*this);
      }
      impl->retire(*this);
    }
    void fail(Error error) override {
      if (ended || impl == nullptr) return;
      ended = true;
      outbox.clear();
      unsent = 0;
      wire::ErrorMessage message;
      message.code = static_cast<std::uint32_t>(error.code);
      message.name = code_name(error.code);
      message.sentence = error.sentence;
      impl->control(FrameType::kError, id, wire::encode(message), kEndOfStream);
      const auto self = shared_from_this();
      close(error);
      impl->retire(*this);
    }
    const wire::Hello& peer() const override { return impl->peer; }

    /// Last call to the conversation.
    void close(const Error& error) {
      ended = true;
      if (const auto last = std::move(conversation)) {
        if (impl != nullptr) impl->dying.push_back(last);
        last->on_closed(error);
      }
    }

    Impl* impl;
    std::uint32_t id;
    std::shared_ptr<Conversation> conversation;
    std::deque<Outgoing> outbox;
    std::uint64_t unsent = 0;
    std::int64_t send_credit;
    std::uint64_t window;
    std::int64_t receive_credit;
    std::uint64_t owed = 0;   ///< processed bytes whose credit was not given back yet
    std::uint64_t extra = 0;  ///< what this stream added to the connection's window
    bool end_queued = false;  ///< the last message carries the end of the stream
    bool ended = false;       ///< our side: nothing more comes from or goes to the conversation
    bool ready = false;       ///< stands in the queue of streams with output
    bool above_high_water = false;
  };

  Impl(Role given_role, wire::Hello hello, Owner& given_owner) : role(given_role), own(std::move(hello)), owner(given_owner) {
    next_id = role == Role::kClient ? 1 : 2;
    send_credit = static_cast<std::int64_t>(peer.connection_window);
    receive_credit = static_cast<std::int64_t>(own.connection_window);
    control(FrameType::kHello, 0, wire::encode(own), kMustUnderstand);
  }

  ~Impl() override {
    for (auto& [id, stream] : streams) stream->impl = nullptr;
    for (auto& stream : retired) stream->impl = nullptr;
  }

  void control(FrameType type, std::uint32_t stream, const Buffer& payload, std::uint8_t flags = 0) {
    Buffer frame;
    append_frame_header(frame, {static_cast<std::uint8_t>(type), flags, stream, static_cast<std::uint32_t>(payload.size())});
    append(frame, payload);
    control_bytes += frame.size();
    controls.push_back(std::move(frame));
    owner.wants_write();
  }

  void make_ready(Stream& stream) {
    if (stream.unsent >= StreamPort::kHighWater) stream.above_high_water = true;
    if (stream.ready) return;
    stream.ready = true;
    ready.push_back(stream.shared_from_this());
    owner.wants_write();
  }

  /// Our side is over: the stream leaves the table at once, its outbox is still sent.
  void retire(Stream& stream) {
    const auto self = stream.shared_from_this();
    streams.erase(stream.id);
    retired.push_back(self);
    // Credit that it lent to the connection is taken back out of what would be returned next.
    borrowed += stream.extra;
    stream.extra = 0;
    if (stream.conversation) dying.push_back(std::move(stream.conversation));
    if (stream.outbox.empty()) std::erase(retired, self);
  }

  void release_connection(std::uint64_t bytes) {
    const std::uint64_t kept = std::min(borrowed, bytes);
    borrowed -= kept;
    owed += bytes - kept;
    if (owed < own.connection_window / 4) return;
    wire::Window message;
    message.credit = owed;
    receive_credit += static_cast<std::int64_t>(owed);
    owed = 0;
    control(FrameType::kWindow, 0, wire::encode(message));
  }

  Status on_data(const FrameHeader& header, ByteView part, bool) override {
    if (!hello_received) return not_ours();
    receive_credit -= static_cast<std::int64_t>(part.size());
    if (receive_credit < 0) return fail(Code::kProtocol, "The peer sent more bytes than the connection's credit allows.");
    const auto found = streams.find(header.stream);
    if (found == streams.end() || found->second->ended) {
      release_connection(part.size());
      return {};
    }
    const auto stream = found->second;
    stream->receive_credit -= static_cast<std::int64_t>(part.size());
    if (stream->receive_credit < 0) return fail(Code::kProtocol, "The peer sent more bytes than a stream's credit allows.");
    if (part.empty()) return {};
    const auto kept = stream->conversation;
    if (auto status = kept->on_data(part); !status) stream->fail(status.error());
    return {};
  }

  Status on_frame(const FrameHeader& header, ByteView payload) override {
    const auto type = static_cast<FrameType>(header.type);
    if (!hello_received) {
      if (type != FrameType::kHello || header.stream != 0) return not_ours();
      return on_hello(payload);
    }
    switch (type) {
      case FrameType::kHello:
        return fail(Code::kProtocol, "The peer said HELLO twice.");
      case FrameType::kWindow: {
        MILLRACE_ASSIGN(const auto window, wire::decode<wire::Window>(payload));
        if (window.credit > (std::uint64_t{1} << 40)) return fail(Code::kProtocol, "The peer granted an impossible credit.");
        if (header.stream == 0) {
          send_credit += static_cast<std::int64_t>(window.credit);
        } else if (const auto stream = find(header.stream)) {
          stream->send_credit += static_cast<std::int64_t>(window.credit);
        }
        owner.wants_write();
        return {};
      }
      case FrameType::kPing: {
        if (control_bytes > kMaxQueuedControl) return fail(Code::kProtocol, "The peer asks without reading the answers.");
        MILLRACE_ASSIGN(const auto ping, wire::decode<wire::Ping>(payload));
        control(FrameType::kPong, 0, wire::encode(wire::Pong{ping.token}));
        return {};
      }
      case FrameType::kPong:
        return {};
      case FrameType::kGoAway: {
        MILLRACE_ASSIGN(const auto message, wire::decode<wire::GoAway>(payload));
        owner.on_goaway(message);
        return {};
      }
      case FrameType::kError: {
        MILLRACE_ASSIGN(const auto message, wire::decode<wire::ErrorMessage>(payload));
        const Error error{code_from_wire(message.code), printable(message.sentence)};
        if (header.stream == 0) return fail(error);
        end_by_peer(header.stream, error);
        give_up(header.stream);
        return {};
      }
      case FrameType::kCancel:
        end_by_peer(header.stream, {Code::kCancelled, "The peer cancelled the transfer."});
        give_up(header.stream);
        return {};
      default:
        break;
    }
    if (const auto found = streams.find(header.stream); found != streams.end()) {
      const auto stream = found->second;
      const auto kept = stream->conversation;
      if (auto status = kept->on_message(type, payload); !status) stream->fail(status.error());
      return {};
    }
    return on_request(header, payload);
  }

  Status on_request(const FrameHeader& header, ByteView payload) {
    const bool must_understand = (header.flags & kMustUnderstand) != 0;
    const bool is_request = header.type >= 16 && header.type < 32;
    if (role == Role::kClient || !is_request) {
      // Frames for a stream that has ended cross its end on the wire; unknown ones are skipped unless that is forbidden.
      const bool known = header.type >= 16 && header.type < 64;
      if (must_understand && !known) return fail(Code::kProtocol, "A frame of type " + std::to_string(header.type) + " must be understood and is unknown here; use a newer version.");
      return {};
    }
    if (!claim(header.stream)) return fail(Code::kProtocol, "A request came on a stream that cannot be new.");
    auto stream = std::make_shared<Stream>(*this, header.stream);
    if (streams.size() >= own.max_streams || control_bytes > kMaxQueuedControl) {
      stream->fail({Code::kBusy, "There are more requests in flight than this server takes on one connection; send fewer at once."});
      return {};
    }
    streams.emplace(header.stream, stream);
    auto conversation = owner.accept(static_cast<FrameType>(header.type), payload, *stream);
    if (!conversation) {
      stream->fail(conversation.error());
    } else if (!stream->ended) {
      stream->conversation = *conversation;
    } else {
      dying.push_back(*conversation);
    }
    return {};
  }

  /// Uses up a stream id of the peer's. Requests come when they are ready, not in the order of their ids: ids below the highest that did not
  /// come yet are remembered, as many as may be open at once.
  bool claim(std::uint32_t id) {
    if (id % 2 == 0) return false;
    if (id < next_peer_id) return passed_over.erase(id) == 1;
    if (passed_over.size() + (id - next_peer_id) / 2 > own.max_streams) return false;
    for (; next_peer_id < id; next_peer_id += 2) passed_over.insert(next_peer_id);
    next_peer_id = id + 2;
    return true;
  }

  /// The peer ended a stream, maybe before its request was sent: then none will come.
  void give_up(std::uint32_t id) {
    if (role == Role::kServer) (void)claim(id);
  }

  Status on_hello(ByteView payload) {
    MILLRACE_ASSIGN(wire::Hello hello, wire::decode<wire::Hello>(payload));
    if (hello.min_version > own.max_version || hello.max_version < own.min_version) {
      return fail(Code::kVersion, "Client and server have no protocol version in common; upgrade the older one.");
    }
    if (hello.tree_id != own.tree_id) return fail(Code::kVersion, "Client and server cut files differently; upgrade the older one.");
    hello.stream_window = std::min<std::uint64_t>(hello.stream_window, 1u << 30);
    hello.connection_window = std::min<std::uint64_t>(hello.connection_window, 1u << 30);
    const auto more = [](std::uint64_t now, std::uint64_t before) { return static_cast<std::int64_t>(now) - static_cast<std::int64_t>(before); };
    send_credit += more(hello.connection_window, peer.connection_window);
    for (auto& [id, stream] : streams) stream->send_credit += more(hello.stream_window, peer.stream_window);
    for (auto& stream : retired) stream->send_credit += more(hello.stream_window, peer.stream_window);
    peer = std::move(hello);
    hello_received = true;
    owner.wants_write();
    return {};
  }

  Status not_ours() const { return fail(Code::kProtocol, "The peer does not speak the Millrace protocol; check address and port."); }

  std::shared_ptr<Stream> find(std::uint32_t id) const {
    if (const auto found = streams.find(id); found != streams.end()) return found->second;
    const auto found = std::find_if(retired.begin(), retired.end(), [id](const auto& stream) { return stream->id == id; });
    return found == retired.end() ? nullptr : *found;
  }

  void end_by_peer(std::uint32_t id, const Error& error) {
    const auto stream = find(id);
    if (!stream) return;
    const bool was_open = !stream->ended;
    stream->ended = true;
    stream->outbox.clear();
    stream->unsent = 0;
    const auto kept = stream->conversation;
    if (was_open) stream->close(error);
    retire(*stream);
    std::erase(retired, stream);
  }

  std::optional<Piece> next() {
    if (!controls.empty()) {
      Piece piece{std::move(controls.front()), {}};
      controls.pop_front();
      control_bytes -= piece.header.size();
      return piece;
    }
    dying.clear();
    for (std::size_t turns = ready.size(); turns > 0; --turns) {
      const auto stream = ready.front();
      ready.pop_front();
      stream->ready = false;
      auto piece = take(*stream);
      if (!stream->outbox.empty()) {
        stream->ready = true;
        ready.push_back(stream);
      } else if (stream->ended) {
        std::erase(retired, stream);
      }
      if (piece) return piece;
    }
    return std::nullopt;
  }

  std::optional<Piece> take(Stream& stream) {
    if (stream.outbox.empty()) return std::nullopt;
    Outgoing& head = stream.outbox.front();
    Piece piece;
    if (head.end) {
      append_frame_header(piece.header, {static_cast<std::uint8_t>(FrameType::kData), kEndOfStream, stream.id, 0});
      stream.outbox.pop_front();
      return piece;
    }
    if (!head.message.empty()) {
      piece.header = std::move(head.message);
      stream.outbox.pop_front();
      return piece;
    }
    const std::int64_t allowed = std::min({send_credit, stream.send_credit, static_cast<std::int64_t>(kMaxFramePayload)});
    if (allowed <= 0) return std::nullopt;
    const auto count = std::min<std::size_t>(head.data.view.size(), static_cast<std::size_t>(allowed));
    append_frame_header(piece.header, {static_cast<std::uint8_t>(FrameType::kData), 0, stream.id, static_cast<std::uint32_t>(count)});
    piece.payload = {head.data.owner, head.data.view.first(count)};
    head.data.view = head.data.view.subspan(count);
    if (head.data.view.empty()) stream.outbox.pop_front();
    send_credit -= static_cast<std::int64_t>(count);
    stream.send_credit -= static_cast<std::int64_t>(count);
    stream.unsent -= count;
    if (stream.above_high_water && stream.unsent < StreamPort::kHighWater / 2 && !stream.ended) {
      stream.above_high_water = false;
      const auto self = stream.shared_from_this();
      const auto kept = stream.conversation;
      if (auto status = kept ? kept->on_writable() : Status(); !status) stream.fail(status.error());
    }
    return piece;
  }

  Role role;
  wire::Hello own;
  wire::Hello peer;
  Owner& owner;
  FrameDecoder decoder;
  bool hello_received = false;
  bool first_bytes = true;
  std::map<std::uint32_t, std::shared_ptr<Stream>> streams;
  std::vector<std::shared_ptr<Stream>> retired;  ///< ended on our side, with output left
  std::vector<std::shared_ptr<Conversation>> dying;  ///< kept until no call of theirs can be on the stack
  std::deque<std::shared_ptr<Stream>> ready;
  std::deque<Buffer> controls;
  std::size_t control_bytes = 0;
  std::int64_t send_credit = 0;
  std::int64_t receive_credit = 0;
  std::uint64_t owed = 0;
  std::uint64_t borrowed = 0;
  std::uint32_t next_id = 1;
  std::uint32_t next_peer_id = 1;
  std::set<std::uint32_t> passed_over;  ///< ids below it that are still to come
};

Mux::Mux(Role role, wire::Hello own, Owner& owner) : impl_(std::make_unique<Impl>(role, std::move(own), owner)) {}
Mux::~Mux() = default;

Result<std::uint32_t> Mux::open(const std::function<std::shared_ptr<Conversation>(StreamPort&)>& make) {
  if (impl_->streams.size() >= impl_->peer.max_streams) return fail(Code::kBusy, "The server takes no more requests at once.");
  const std::uint32_t id = impl_->next_id;
  impl_->next_id += 2;
  auto stream = std::make_shared<Impl::Stream>(*impl_, id);
  impl_->streams.emplace(id, stream);
  auto conversation = make(*stream);
  if (stream->ended) {
    impl_->dying.push_back(std::move(conversation));
  } else {
    stream->conversation = std::move(conversation);
  }
  return id;
}

Status Mux::on_bytes(ByteView bytes) {
  if (impl_->first_bytes && !bytes.empty()) {
    impl_->first_bytes = false;
    if (bytes[0] != static_cast<Byte>(FrameType::kHello)) {
      impl_->decoder = FrameDecoder();
      const auto error = impl_->not_ours();
      wire::ErrorMessage message;
      message.code = static_cast<std::uint32_t>(Code::kProtocol);
      message.name = code_name(Code::kProtocol);
      message.sentence = error.error().sentence;
      impl_->control(FrameType::kError, 0, wire::encode(message));
      return error;
    }
  }
  auto status = impl_->decoder.feed(bytes, *impl_);
  if (!status) {
    wire::ErrorMessage message;
    message.code = static_cast<std::uint32_t>(status.error().code);
    message.name = code_name(status.error().code);
    message.sentence = status.error().sentence;
    impl_->control(FrameType::kError, 0, wire::encode(message));
  }
  impl_->owner.wants_write();
  return status;
}

void Mux::on_transport_closed(const Error& error) {
  auto streams = std::exchange(impl_->streams, {});
  for (auto& [id, stream] : streams) {
    if (!stream->ended) stream->close(error);
    stream->impl = nullptr;
  }
  for (auto& stream : impl_->retired) stream->impl = nullptr;
  impl_->retired.clear();
  impl_->ready.clear();
}

std::optional<Mux::Piece> Mux::next_output() { return impl_->next(); }

void Mux::cancel(std::uint32_t id) {
  const auto stream = impl_->find(id);
  if (!stream || stream->ended) return;
  impl_->control(FrameType::kCancel, id, wire::encode(wire::Cancel{}));
  impl_->end_by_peer(id, {Code::kCancelled, "The transfer was cancelled."});
}

void Mux::send_goaway(const wire::GoAway& message) { impl_->control(FrameType::kGoAway, 0, wire::encode(message)); }
void Mux::ping(std::uint64_t token) { impl_->control(FrameType::kPing, 0, wire::encode(wire::Ping{token})); }
std::size_t Mux::open_streams() const { return impl_->streams.size(); }
const wire::Hello& Mux::peer() const { return impl_->peer; }
bool Mux::hello_received() const { return impl_->hello_received; }

}  // namespace millrace
