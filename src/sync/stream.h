// What a conversation sees of its stream. A transfer is a state machine: it is handed messages, bytes and finished jobs
// and calls back into this port; it never waits, never reads a clock, never touches a socket.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "base/bytes.h"
#include "base/error.h"
#include "base/fair_queue.h"
#include "base/memory_budget.h"
#include "delta/ladder_policy.h"
#include "wire/frame.h"
#include "wire/messages.h"

namespace millrace {

/// Which queue of workers a job goes to: hashing, searching and coding; file contents; the catalogue and commits.
enum class Lane : std::uint8_t { kCpu, kDisk, kCatalogue };

/// A lane and whether the job is short: such pass longer ones. What the catalogue does is short unless told otherwise.
struct JobKind {
  JobKind(Lane where) : lane(where), urgency(where == Lane::kCatalogue ? Urgency::kMetadata : Urgency::kBulk) {}
  JobKind(Lane where, Urgency how) : lane(where), urgency(how) {}
  Lane lane;
  Urgency urgency;
};

/// What a transfer has moved of its content so far, in bytes.
struct TransferCounts {
  std::uint64_t matched = 0;  ///< the other side had it
  std::uint64_t literal = 0;  ///< it travelled, before compression
  std::uint64_t zero = 0;     ///< runs of zeros
};

/// What may befall a transfer.
enum class TransferEvent : std::uint8_t {
  kResumes,     ///< it goes on from what was left of one that was cut off
  kWrongRoot,   ///< the patch made something else than was announced
  kAsksChunks,  ///< then: those that differ are asked for
  kAsksAll,     ///< or everything
};

/// Handed to a conversation; implemented by the multiplexer's owner and by tests. Everything is called on the session's
/// loop only.
class StreamPort {
 public:
  virtual ~StreamPort() = default;

  /// Queues a message in order behind everything queued before. Costs no credit.
  virtual void send_frame(FrameType type, std::uint8_t flags, Buffer payload) = 0;
  /// Queues bulk bytes; they leave as credit allows, in frames of at most kMaxFramePayload.
  virtual void send_data(SharedBytes bytes) = 0;
  /// DATA bytes queued and not yet taken by the transport. Above kHighWater, or slice(), a producer pauses until
  /// on_writable().
  virtual std::uint64_t unsent_bytes() const = 0;
  /// The conversation is done with this many received DATA bytes: the peer may send as many more.
  virtual void release_credit(std::uint64_t bytes) = 0;
  /// Raises the standing window of this stream towards us to `bytes` (never lowers it).
  virtual void set_window(std::uint64_t bytes) = 0;
  /// Runs `work` on a worker thread of the lane, then `done` on the loop. If the conversation has ended by then, `done`
  /// is dropped, but `work` always runs to its end or not at all: it must own (share) all that it touches.
  virtual void run(JobKind kind, std::function<void()> work, std::function<void()> done) = 0;
  /// As run(), for work that goes on after it has returned: `done` follows once `finished` was called, which may happen
  /// on any thread and must happen exactly once.
  virtual void run_deferred(JobKind kind, std::function<void(std::function<void()> finished)> work,
                            std::function<void()> done) = 0;
  /// The conversation is over on this side; the stream closes when all queued has left. Nothing is called afterwards.
  virtual void finish() = 0;
  /// Ends the conversation with an error: told to the peer as ERROR, to the owner as the result.
  virtual void fail(Error error) = 0;
  /// What the transport measured so far.
  virtual Link link() const = 0;
  /// Limits that the peer named in its HELLO (defaults before it arrived).
  virtual const wire::Hello& peer() const = 0;

  /// A server's transfers begin with this: `begin` is called once the process has memory for one more, maybe at once.
  virtual void admit(std::function<void()> begin) { begin(); }
  /// `bytes` more that this transfer is about to hold, besides DATA that was not released or not sent: given at once,
  /// or by `on_room` once there is room. Only after admit() has let it begin; one at a time.
  virtual std::optional<MemoryCharge> reserve(std::uint64_t bytes, std::function<void(MemoryCharge)> on_room) {
    (void)bytes;
    (void)on_room;
    return MemoryCharge();
  }
  /// For whoever watches; called now and then.
  virtual void note_counts(const TransferCounts& now) { (void)now; }
  /// Likewise.
  virtual void note_event(TransferEvent event) { (void)event; }
  /// Counts `bytes` that are held already.
  virtual MemoryCharge charge(std::uint64_t bytes) {
    (void)bytes;
    return {};
  }
  /// What this transfer should hold at most, and produce before it pauses.
  virtual std::uint64_t slice() const { return kHighWater; }

  static constexpr std::uint64_t kHighWater = 4u << 20;

  template <typename Message>
  void send(const Message& message) {
    send_frame(Message::kType, kMustUnderstand, wire::encode(message));
  }
  /// Sends the last message and finishes. The end of the stream travels in the message's own frame: a peer that has
  /// read the message may close at once, and nothing is left unread that would reset the connection or escape its count
  /// of bytes.
  template <typename Message>
  void send_last(const Message& message) {
    send_frame(Message::kType, kMustUnderstand | kEndOfStream, wire::encode(message));
    finish();
  }
};

/// A conversation on one stream. Owned by a shared_ptr so that jobs in flight can outlive the connection.
class Conversation {
 public:
  virtual ~Conversation() = default;
  /// A message of this stream. ERROR, CANCEL and WINDOW never come here. An error returned ends the stream with it (as
  /// port.fail()).
  virtual Status on_message(FrameType type, ByteView payload) = 0;
  /// DATA of this stream. Its bytes stay counted against the window until release_credit().
  virtual Status on_data(ByteView bytes) = 0;
  /// Where DATA that comes next would be copied to, if that is known; it may then come as a view of just that place.
  /// Valid until anything else is called.
  virtual MutableBytes data_space() { return {}; }
  /// unsent_bytes() fell below kHighWater again.
  virtual Status on_writable() { return {}; }
  /// It holds what can only go on with more from the peer, besides DATA that was not released.
  virtual bool holds_memory() const { return false; }
  /// The stream is gone: the peer's ERROR, a CANCEL, a lost connection, or our own port.fail(). Last call.
  virtual void on_closed(const Error& error) = 0;
};

}  // namespace millrace
