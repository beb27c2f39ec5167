// The inside of the multiplexer: the table of streams and what each holds. For mux.cc, mux_impl.cc and mux_stream.cc
// only.
#pragma once

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "sync/mux.h"

namespace millrace {

inline constexpr std::uint64_t kMaxCredit = std::uint64_t{1} << 40;  ///< more is no credit that anybody could mean

class Mux::Impl final : public FrameDecoder::Sink {
 public:
  struct Stream;
  using StreamPtr = std::shared_ptr<Stream>;

  Impl(Role given_role, wire::Hello hello, Owner& given_owner);
  ~Impl() override;

  Status on_data(const FrameHeader& header, ByteView part, bool last) override;
  Status on_frame(const FrameHeader& header, ByteView payload) override;
  bool is_done() const override { return entrance == Entrance::kAsked; }
  Status feed(ByteView bytes);

  void control(FrameType type, std::uint32_t stream, const Buffer& payload, std::uint8_t flags = 0);
  void control_error(std::uint32_t stream, const Error& error, std::uint8_t flags = 0);
  /// What waits in an outbox is not sent.
  void drop_outbox(Stream& stream);
  /// Counts what messages take, in both directions.
  void count_messages();
  void make_ready(Stream& stream);
  /// Our side is over: the stream leaves the table at once, its outbox is still sent.
  void retire(Stream& stream);
  /// `bytes` of the connection's credit go back to the peer, less what is to be taken back from it.
  void release_connection(std::uint64_t bytes);
  void end_by_peer(const StreamPtr& stream, const Error& error);
  StreamPtr find(std::uint32_t id) const;
  std::optional<Piece> next();
  static Error not_ours();

  Role role;
  wire::Hello own;
  wire::Hello peer;
  Owner& owner;
  FrameDecoder decoder;
  std::array<Byte, 32> next_header{};  ///< what is read of it, within content
  bool hello_received = false;
  enum class Entrance : std::uint8_t { kNotAsked, kAsked, kAdmitted };
  Entrance entrance = Entrance::kNotAsked;
  Buffer first_request;  ///< came without a token; a whole frame
  bool first_bytes = true;
  bool leaving = false;                        ///< GOAWAY was sent: no request is taken any more
  bool peer_leaves = false;                    ///< GOAWAY came: no stream is opened any more
  std::optional<Error> broken;                 ///< fatal: nothing more is read, nothing but what is in `controls` sent
  std::map<std::uint32_t, StreamPtr> streams;  ///< open
  std::vector<StreamPtr> retired;              ///< ended on our side, with output left
  std::vector<std::shared_ptr<Conversation>> dying;  ///< kept until no call of theirs can be on the stack
  std::deque<StreamPtr> ready;
  std::deque<Buffer> controls;
  std::size_t control_bytes = 0;
  std::size_t message_bytes = 0;  ///< of streams, in their outboxes
  MemoryCharge messages_held;     ///< these two, and what the decoder holds
  std::int64_t send_credit = 0;
  std::int64_t receive_credit = 0;
  std::uint64_t owed = 0;
  std::uint64_t borrowed = 0;
  std::uint32_t next_id = 1;
  std::uint32_t next_peer_id = 1;
  std::uint64_t moved = 0;              ///< see Mux::Standing
  std::uint64_t refusals = 0;           ///< see Mux::take_refusals()
  std::set<std::uint32_t> passed_over;  ///< ids below it that are still to come

 private:
  Status on_hello(ByteView payload);
  Status on_window(const FrameHeader& header, ByteView payload);
  Status on_request(const FrameHeader& header, ByteView payload);
  Status on_authenticate(ByteView payload);
  /// Uses up a stream id of the peer's. Requests come when they are ready, not in the order of their ids: ids below the
  /// highest that did not come yet are remembered, as many as may be open at once.
  bool claim(std::uint32_t id);
  /// The peer ended a stream, maybe before its request was sent: then none will come.
  void give_up(std::uint32_t id);
  std::size_t held_streams() const;
  std::optional<Piece> take(Stream& stream);
};

struct Mux::Impl::Stream final : StreamPort, std::enable_shared_from_this<Stream> {
  Stream(Impl& mux, std::uint32_t number, bool peer_knows_it);

  void send_frame(FrameType type, std::uint8_t flags, Buffer payload) override;
  void send_data(SharedBytes bytes) override;
  std::uint64_t unsent_bytes() const override { return unsent; }
  void release_credit(std::uint64_t bytes) override;
  void set_window(std::uint64_t bytes) override;
  void run(JobKind kind, std::function<void()> work, std::function<void()> done) override;
  void run_deferred(JobKind kind, std::function<void(std::function<void()>)> work, std::function<void()> done) override;
  void admit(std::function<void()> begin) override;
  std::optional<MemoryCharge> reserve(std::uint64_t bytes, std::function<void(MemoryCharge)> on_room) override;
  MemoryCharge charge(std::uint64_t bytes) override;
  std::uint64_t slice() const override { return most_held; }
  void finish() override;
  void fail(Error error) override;
  Link link() const override { return impl == nullptr ? Link{} : impl->owner.link(); }
  const wire::Hello& peer() const override { return impl->peer; }

  std::function<void()> guarded(std::function<void()> done);
  /// The multiplexer is gone: jobs may keep the stream, but it counts for nothing.
  void forget();
  /// As guarded(), for a call that comes from another thread and may be the last to hold the stream.
  std::function<void()> posted(std::function<void()> call);
  void grant();
  /// `unreleased` has changed.
  void count_held();
  /// Last call to the conversation; if it is still being made, the error is kept for when it is there.
  void close(const Error& error);
  /// Hands a conversation over that was made with this port.
  void attach(std::shared_ptr<Conversation> made);
  /// The peer may not send on after its end.
  Status check_order() const;

  /// What a stream has to send, in order.
  struct Outgoing {
    Buffer message;  ///< a whole frame; empty: data
    SharedBytes data;
    bool end = false;
  };

  Impl* impl;
  std::uint32_t id;
  std::shared_ptr<Conversation> conversation;
  std::optional<Error> unheard;  ///< ended with this before the conversation was there
  std::deque<Outgoing> outbox;
  std::uint64_t unsent = 0;
  std::int64_t send_credit;
  std::uint64_t window;
  std::int64_t receive_credit;
  std::uint64_t unreleased = 0;                ///< received and still held by the conversation
  std::uint64_t owed = 0;                      ///< processed bytes whose credit was not given back yet
  std::uint64_t extra = 0;                     ///< what this stream added to the connection's window
  MemoryCharge held;                           ///< `unreleased`
  std::unique_ptr<MemoryBudget::Place> place;  ///< of a transfer, until its output has left
  std::uint64_t most_held = kHighWater;
  bool waits_for_memory = false;
  std::optional<std::uint64_t> waits_since;  ///< as the watch saw it
  bool announced;                            ///< the peer knows of it: a first frame has left or come
  bool end_queued = false;                   ///< the last message carries the end of the stream
  bool peer_ended = false;                   ///< the peer's last frame was here
  bool ended = false;                        ///< our side: nothing more comes from or goes to the conversation
  bool ready = false;                        ///< stands in the queue of streams with output
  bool above_high_water = false;
};

}  // namespace millrace
