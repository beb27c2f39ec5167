// One stream of the multiplexer: what its conversation asks of the port.
#include <future>

#include "sync/mux_impl.h"

namespace millrace {

Mux::Impl::Stream::Stream(Impl& mux, std::uint32_t number, bool peer_knows_it)
    : impl(&mux),
      id(number),
      send_credit(static_cast<std::int64_t>(mux.peer.stream_window)),
      window(mux.own.stream_window),
      // A peer that has not read our HELLO yet sends by the defaults.
      receive_credit(static_cast<std::int64_t>(std::max(window, wire::Hello{}.stream_window))),
      held(mux.owner.budget(), 0),
      announced(peer_knows_it) {}

void Mux::Impl::Stream::send_frame(FrameType type, std::uint8_t flags, Buffer payload) {
  if (ended || impl == nullptr) return;
  if (payload.size() > kMaxFramePayload) {
    fail({Code::kTooLarge, "A message of " + std::to_string(payload.size()) +
                               " bytes does not fit into a frame; ask for less at once."});
    return;
  }
  Outgoing out;
  append_frame_header(out.message,
                      {static_cast<std::uint8_t>(type), flags, id, static_cast<std::uint32_t>(payload.size())});
  append(out.message, payload);
  impl->message_bytes += out.message.size();
  impl->count_messages();
  outbox.push_back(std::move(out));
  if ((flags & kEndOfStream) != 0) end_queued = true;
  impl->make_ready(*this);
}

void Mux::Impl::Stream::send_data(SharedBytes bytes) {
  if (ended || impl == nullptr || bytes.view.empty()) return;
  unsent += bytes.view.size();
  if (auto budget = impl->owner.budget()) {
    // Counted until it has left the transport too.
    using Counted = std::pair<std::shared_ptr<const void>, MemoryCharge>;
    bytes.owner = std::make_shared<Counted>(std::move(bytes.owner), MemoryCharge(budget, bytes.view.size()));
  }
  outbox.push_back({{}, std::move(bytes), false});
  impl->make_ready(*this);
}

void Mux::Impl::Stream::release_credit(std::uint64_t bytes) {
  // When a stream retires, all that it still held is released at once.
  bytes = std::min(bytes, unreleased);
  if (impl == nullptr || bytes == 0) return;
  unreleased -= bytes;
  count_held();
  if (!impl->owner.budget()) impl->release_connection(bytes);
  if (ended) return;
  owed += bytes;
  if (owed >= window / 4) grant();
}

void Mux::Impl::Stream::count_held() {
  held.resize(unreleased);
  if (place && waits_for_memory) place->set_early(unreleased);
}

void Mux::Impl::Stream::set_window(std::uint64_t bytes) {
  if (impl == nullptr || ended || bytes <= window) return;
  const std::uint64_t more = bytes - window;
  owed += more;
  extra += more;
  window = bytes;
  impl->release_connection(more);
  grant();
}

void Mux::Impl::Stream::grant() {
  // The peer drops credit for a stream that it does not know; it is given once the first frame has left.
  if (!announced || owed == 0) return;
  wire::Window message;
  message.credit = owed;
  receive_credit += static_cast<std::int64_t>(owed);
  owed = 0;
  if (!peer_ended) impl->control(FrameType::kWindow, id, wire::encode(message));
}

void Mux::Impl::Stream::run(JobKind kind, std::function<void()> work, std::function<void()> done) {
  if (impl == nullptr || ended) return;
  // The conversation lives as long as its jobs; a reply to an ended one is dropped.
  impl->owner.run(kind, std::move(work), guarded(std::move(done)));
}

void Mux::Impl::Stream::run_deferred(JobKind kind, std::function<void(std::function<void()>)> work,
                                     std::function<void()> done) {
  if (impl == nullptr || ended) return;
  impl->owner.run_deferred(kind, std::move(work), guarded(std::move(done)));
}

std::function<void()> Mux::Impl::Stream::guarded(std::function<void()> done) {
  // The conversation lives as long as its jobs; a reply to an ended one is dropped.
  return [self = shared_from_this(), kept = conversation, done = std::move(done)] {
    if (self->ended || self->impl == nullptr) return;
    // Alive until the call has returned, even if it ends itself.
    const auto alive = self->conversation;
    Impl* const mux = self->impl;
    done();
    if (self->impl != nullptr) mux->owner.wants_write();
  };
}

void Mux::Impl::Stream::forget() {
  impl = nullptr;
  place.reset();
  held.resize(0);
  outbox.clear();
}

std::function<void()> Mux::Impl::Stream::posted(std::function<void()> call) {
  return [post = impl->owner.poster(), weak = weak_from_this(), call = std::move(call)] {
    post([weak, call] {
      const auto self = weak.lock();
      if (!self || self->ended || self->impl == nullptr) return;
      const auto alive = self->conversation;
      Impl* const mux = self->impl;
      call();
      if (self->impl != nullptr) mux->owner.wants_write();
    });
  };
}

void Mux::Impl::Stream::admit(std::function<void()> begin) {
  if (ended || impl == nullptr) return;
  const auto budget = impl->owner.budget();
  if (!budget) return begin();
  const auto enter = [this, budget, begin = std::move(begin)] {
    waits_for_memory = false;
    most_held = std::min(kHighWater, budget->slice());
    begin();
  };
  waits_for_memory = true;
  place = budget->enter(posted(enter));
  if (place->in_at_once()) enter();
}

std::optional<MemoryCharge> Mux::Impl::Stream::reserve(std::uint64_t bytes, std::function<void(MemoryCharge)> on_room) {
  const auto budget = impl == nullptr || !place ? nullptr : impl->owner.budget();
  if (!budget) return MemoryCharge();
  const auto given = std::make_shared<MemoryCharge>();
  auto call = posted([this, given, on_room = std::move(on_room)] {
    waits_for_memory = false;
    on_room(std::move(*given));
  });
  auto at_once = budget->reserve(*place, bytes, [given, call = std::move(call)](MemoryCharge charge) {
    *given = std::move(charge);
    call();
  });
  waits_for_memory = !at_once;
  return at_once;
}

MemoryCharge Mux::Impl::Stream::charge(std::uint64_t bytes) {
  return impl == nullptr ? MemoryCharge() : MemoryCharge(impl->owner.budget(), bytes);
}

void Mux::Owner::run_deferred(JobKind kind, std::function<void(std::function<void()>)> work,
                              std::function<void()> done) {
  run(
      kind,
      [work = std::move(work)] {
        const auto finished = std::make_shared<std::promise<void>>();
        work([finished] { finished->set_value(); });
        finished->get_future().wait();
      },
      std::move(done));
}

void Mux::Impl::Stream::finish() {
  if (ended || impl == nullptr) return;
  ended = true;
  if (!end_queued) {
    outbox.push_back({{}, {}, true});
    impl->make_ready(*this);
  }
  impl->retire(*this);
}

void Mux::Impl::Stream::fail(Error error) {
  if (ended || impl == nullptr) return;
  ended = true;
  impl->drop_outbox(*this);
  const auto self = shared_from_this();
  impl->control_error(id, error, kEndOfStream);
  close(error);
  if (impl != nullptr) impl->retire(*this);
}

void Mux::Impl::Stream::close(const Error& error) {
  ended = true;
  const auto last = std::move(conversation);
  if (!last) {
    unheard = error;
    return;
  }
  if (impl != nullptr) impl->dying.push_back(last);
  last->on_closed(error);
}

void Mux::Impl::Stream::attach(std::shared_ptr<Conversation> made) {
  if (!ended) {
    conversation = std::move(made);
    return;
  }
  if (impl != nullptr) impl->dying.push_back(made);
  if (const auto error = std::exchange(unheard, std::nullopt)) made->on_closed(*error);
}

Status Mux::Impl::Stream::check_order() const {
  if (peer_ended) return millrace::fail(Code::kProtocol, "The peer went on with a stream that it had ended.");
  return {};
}

}  // namespace millrace
