// One connection carries many streams: this is the session on either side, sans I/O. Bytes go in by on_bytes(), come
// out by next_output(); conversations sit on streams. Credit as in HTTP/2: DATA costs it, everything else does not.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "sync/stream.h"

namespace millrace {

class Mux {
 public:
  enum class Role { kClient, kServer };

  /// What the owner provides.
  class Owner {
   public:
    virtual ~Owner() = default;
    /// There is output to fetch with next_output().
    virtual void wants_write() = 0;
    /// Runs a job; see StreamPort::run. `done` must be called on the loop, or never once the owner is closed.
    virtual void run(JobKind kind, std::function<void()> work, std::function<void()> done) = 0;
    /// As StreamPort::run_deferred. This one keeps the worker until the end, which is enough where little runs at once.
    virtual void run_deferred(JobKind kind, std::function<void(std::function<void()> finished)> work,
                              std::function<void()> done);
    /// Server only: the peer opened a stream with this request. Returns the conversation or an error for the peer.
    virtual Result<std::shared_ptr<Conversation>> accept(FrameType type, ByteView payload, StreamPort& port) = 0;
    /// What the transport measured so far.
    virtual Link link() const { return {}; }
    /// Null: nothing is counted and nobody waits, as on a client.
    virtual std::shared_ptr<MemoryBudget> budget() const { return nullptr; }
    /// Where there is a budget: calls what it is given on the loop, whatever thread it is called on.
    virtual std::function<void(std::function<void()>)> poster() { return nullptr; }
    /// Server only: whether the peer is served is decided before its first request is looked at.
    virtual bool has_gate() const { return false; }
    /// Where there is a gate, once: the peer's token, or nothing where its first request came without. Whoever decides
    /// calls admit() or abort() later, never from within. Until then nothing more of the peer's is looked at, and it
    /// should not be read from.
    virtual void on_authenticate(std::optional<std::string> token);
    /// Client only: the server took the token.
    virtual void on_authenticated(const wire::Authenticated& message);
    /// GOAWAY from the peer.
    virtual void on_goaway(const wire::GoAway& message) = 0;
  };

  Mux(Role role, wire::Hello own, Owner& owner);
  ~Mux();
  Mux(const Mux&) = delete;
  Mux& operator=(const Mux&) = delete;

  /// Client: opens a stream; `make` gets the port and returns the conversation, which then sends its request. Before
  /// HELLO has arrived too. A conversation that fails while it is made gets on_closed() before this returns. Errors:
  /// kBusy when the peer's max_streams are open (try again after one closed) or it sent GOAWAY; after a fatal error or
  /// the transport's end that error.
  Result<std::uint32_t> open(const std::function<std::shared_ptr<Conversation>(StreamPort&)>& make);

  /// Bytes from the transport. An error is fatal to the connection and given again at each further call: flush the
  /// output (it has an ERROR on stream 0 and nothing of the streams any more), then close.
  Status on_bytes(ByteView bytes);
  /// Where the transport should put what it reads next, before it gives it to on_bytes() as a view of that place: into
  /// the content that is arriving, which spares a copy, or where the next header in it is expected, so that the content
  /// behind it is not read with it. Empty: anywhere. Valid until anything else is called.
  MutableBytes receive_space();
  /// Client: says who it is. Once, before the first stream is opened.
  void authenticate(const std::string& token);
  /// Server: the peer is served, and told so where it had a token. What it sent meanwhile is looked at within. Errors:
  /// as on_bytes().
  Status admit(const std::optional<wire::Authenticated>& answer);
  /// The gate was asked and has not answered.
  bool awaits_admission() const;
  bool is_admitted() const;
  /// The transport is gone or given up: every conversation gets on_closed(error).
  void on_transport_closed(const Error& error);

  /// The next piece of output, header and payload as one or two views; nothing when there is nothing to send (or no
  /// credit). DATA of different streams takes turns. The bytes stay valid as long as `owner` of the piece.
  struct Piece {
    Buffer header;        ///< frame header, and for messages the payload
    SharedBytes payload;  ///< DATA payload, may be empty
  };
  std::optional<Piece> next_output();

  /// Ends the conversation with kCancelled, from within this call, and tells the peer. Does nothing once it has ended.
  void cancel(std::uint32_t stream);
  /// Open streams go on; the peer's further requests are refused with kBusy.
  void send_goaway(const wire::GoAway& message);
  void ping(std::uint64_t token);
  std::size_t open_streams() const;
  /// How the connection stands, for whoever watches the peer.
  struct Standing {
    bool is_idle = true;            ///< no stream is open, nothing is on its way
    bool holds = false;             ///< memory that only more from the peer, or its reading, sets free
    bool waits_for_memory = false;  ///< a transfer for its turn or for room
    std::size_t transfers = 0;
    std::uint64_t moved = 0;  ///< bytes of requests, answers and content so far; what only keeps alive does not count
  };
  Standing standing() const;
  /// Transfers that have waited for memory for `most_ms` end with kBusy; `now_ms` grows. Returns how many.
  std::size_t end_long_waits(std::uint64_t now_ms, std::uint64_t most_ms);
  /// Requests that were refused because too many are open, since the last call.
  std::uint64_t take_refusals();
  /// The peer is told this about the connection; nothing else goes any more.
  void abort(const Error& error);
  /// Whether there is room for what would be read; there always is for the transfer that may go on whatever the budget
  /// says.
  bool may_read() const;
  const wire::Hello& peer() const;
  bool hello_received() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace
