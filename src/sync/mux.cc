#include "sync/mux.h"

#include "sync/mux_impl.h"

namespace millrace {

Mux::Mux(Role role, wire::Hello own, Owner& owner) : impl_(std::make_unique<Impl>(role, std::move(own), owner)) {}
Mux::~Mux() = default;

Result<std::uint32_t> Mux::open(const std::function<std::shared_ptr<Conversation>(StreamPort&)>& make) {
  if (impl_->broken) return fail(*impl_->broken);
  if (impl_->peer_leaves)
    return fail(Code::kBusy, "The server takes no new requests on this connection; connect again.");
  if (impl_->streams.size() >= impl_->peer.max_streams)
    return fail(Code::kBusy, "The server takes no more requests at once.");
  if (impl_->next_id > kMaxStreamId)
    return fail(Code::kNetwork, "The connection has used up its streams; connect again.");
  const std::uint32_t id = impl_->next_id;
  impl_->next_id += 2;
  auto stream = std::make_shared<Impl::Stream>(*impl_, id, false);
  impl_->streams.emplace(id, stream);
  stream->attach(make(*stream));
  return id;
}

Status Mux::on_bytes(ByteView bytes) {
  if (impl_->broken) return fail(*impl_->broken);
  if (std::exchange(impl_->first_bytes, impl_->first_bytes && bytes.empty()) && !bytes.empty() &&
      bytes[0] != static_cast<Byte>(FrameType::kHello)) {
    abort(Impl::not_ours());
    return fail(*impl_->broken);
  }
  impl_->moved += bytes.size();
  return impl_->feed(bytes);
}

MutableBytes Mux::receive_space() {
  constexpr std::size_t kLeastSpared = 16u << 10;  // less is read faster together with what follows
  const FrameDecoder& decoder = impl_->decoder;
  if (impl_->broken || !decoder.is_at_data()) return {};
  const auto stream = impl_->find(decoder.data_stream());
  if (!stream || stream->ended || !stream->conversation) return {};
  const MutableBytes space = stream->conversation->data_space();
  if (space.size() < kLeastSpared) return {};
  if (decoder.data_to_come() == 0) return impl_->next_header;
  return space.first(std::min(space.size(), decoder.data_to_come()));
}

void Mux::Owner::on_authenticate(std::optional<std::string>) {}
void Mux::Owner::on_authenticated(const wire::Authenticated&) {}

void Mux::authenticate(const std::string& token) {
  impl_->control(FrameType::kAuthenticate, 0, wire::encode(wire::Authenticate{token}), kMustUnderstand);
}

Status Mux::admit(const std::optional<wire::Authenticated>& answer) {
  if (impl_->broken) return fail(*impl_->broken);
  impl_->entrance = Impl::Entrance::kAdmitted;
  if (answer) impl_->control(FrameType::kAuthenticated, 0, wire::encode(*answer));
  Buffer waiting = std::exchange(impl_->first_request, {});
  append(waiting, impl_->decoder.take_rest());
  return impl_->feed(waiting);
}

bool Mux::awaits_admission() const {
  return impl_->entrance == Impl::Entrance::kAsked;
}
bool Mux::is_admitted() const {
  return impl_->entrance == Impl::Entrance::kAdmitted;
}

void Mux::on_transport_closed(const Error& error) {
  if (!impl_->broken) impl_->broken = error;
  auto open = std::exchange(impl_->streams, {});
  for (auto& [id, stream] : open) {
    if (!stream->ended) stream->close(error);
    stream->forget();
  }
  for (auto& stream : impl_->retired) stream->forget();
  impl_->retired.clear();
  impl_->ready.clear();
  impl_->messages_held.resize(0);
}

std::optional<Mux::Piece> Mux::next_output() {
  return impl_->next();
}

void Mux::cancel(std::uint32_t id) {
  const auto stream = impl_->find(id);
  if (!stream || stream->ended) return;
  impl_->control(FrameType::kCancel, stream->id, wire::encode(wire::Cancel{}));
  impl_->end_by_peer(stream, {Code::kCancelled, "The transfer was cancelled."});
}

void Mux::send_goaway(const wire::GoAway& message) {
  impl_->leaving = true;
  impl_->control(FrameType::kGoAway, 0, wire::encode(message));
}
void Mux::ping(std::uint64_t token) {
  impl_->control(FrameType::kPing, 0, wire::encode(wire::Ping{token}));
}
std::size_t Mux::open_streams() const {
  return impl_->streams.size();
}
Mux::Standing Mux::standing() const {
  Standing out;
  out.moved = impl_->moved;
  out.is_idle = !awaits_admission() && impl_->streams.empty() && impl_->retired.empty() && !impl_->decoder.in_frame();
  out.holds = impl_->decoder.in_frame() || impl_->control_bytes > 0 || impl_->message_bytes > 0;
  for (const auto& [id, stream] : impl_->streams) {
    out.transfers += stream->place ? 1 : 0;
    out.waits_for_memory = out.waits_for_memory || stream->waits_for_memory;
    out.holds = out.holds || stream->unreleased > 0 || stream->unsent > 0 ||
                (stream->conversation && stream->conversation->holds_memory());
  }
  for (const auto& stream : impl_->retired) out.holds = out.holds || stream->unsent > 0;
  return out;
}
std::size_t Mux::end_long_waits(std::uint64_t now_ms, std::uint64_t most_ms) {
  std::vector<Impl::StreamPtr> over;
  for (const auto& [id, stream] : impl_->streams) {
    if (!stream->waits_for_memory) {
      stream->waits_since.reset();
    } else if (!stream->waits_since) {
      stream->waits_since = now_ms;
    } else if (now_ms - *stream->waits_since >= most_ms) {
      over.push_back(stream);
    }
  }
  for (const auto& stream : over)
    stream->fail({Code::kBusy, "The server had no memory for this transfer in " + std::to_string(most_ms / 1000) +
                                   " seconds, since too many others are under way; try again later."});
  return over.size();
}
std::uint64_t Mux::take_refusals() {
  return std::exchange(impl_->refusals, 0);
}
void Mux::abort(const Error& error) {
  if (impl_->broken) return;
  impl_->broken = error;
  impl_->control_error(0, error);
}
bool Mux::may_read() const {
  const auto budget = impl_->owner.budget();
  if (!budget) return true;
  const bool over = budget->over();
  if (!over && !budget->crowded()) return true;
  const auto may_go_on = [over](const Impl::StreamPtr& stream) {
    return stream->place && (over ? stream->place->is_oldest() : stream->place->is_in());
  };
  return std::any_of(impl_->streams.begin(), impl_->streams.end(),
                     [&](const auto& one) { return may_go_on(one.second); }) ||
         std::any_of(impl_->retired.begin(), impl_->retired.end(), may_go_on);
}
const wire::Hello& Mux::peer() const {
  return impl_->peer;
}
bool Mux::hello_received() const {
  return impl_->hello_received;
}

}  // namespace millrace
