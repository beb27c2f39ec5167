// One simulated client: a connection, a file of its own on the server, and the project's own conversations. It knows
// what the server has acknowledged, and can be asked to find out whether that is still there.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/histogram.h"
#include "load/file_recipe.h"
#include "load/gate.h"
#include "load/load_options.h"
#include "net/tls_context.h"
#include "session/session.h"
#include "sync/client_transfer.h"
#include "sync/toolbox.h"

namespace millrace {

/// What all clients of a run share.
struct LoadContext {
  Loop& loop;
  const LoadOptions& options;
  Toolbox toolbox;
  Gate gate;
  std::optional<TlsContext> tls{};    ///< connections are encrypted with it; whoever answers is believed
  Histogram gate_waits{};             ///< microseconds
  std::uint64_t closed_sent = 0;      ///< bytes of connections that are no more
  std::uint64_t closed_received = 0;  ///< likewise
};

/// How an operation ended: content bytes that it was about, or why it failed.
using Outcome = Result<std::uint64_t>;
using OutcomeDone = std::function<void(const Outcome&)>;

/// Lives on its loop. One call at a time: the next one when `done` was called. It is called once, on the loop, never
/// from within the call that it belongs to.
class LoadClient : public std::enable_shared_from_this<LoadClient> {
 public:
  LoadClient(LoadContext& context, std::uint32_t index);
  ~LoadClient();

  /// "load/SEED/00007".
  static std::string path_of(std::uint64_t seed, std::uint32_t index);

  /// Other calls connect by themselves where there is no connection (any more).
  void connect(OutcomeDone done);
  /// Puts the first version of the file in place.
  void seed(OutcomeDone done);
  /// One transfer. The downloads compare what arrives with what was uploaded.
  void transfer(Operation operation, OutcomeDone done);
  /// kIntegrity where the server has something else than what it acknowledged (or was about to, when the connection
  /// broke). With Depth::kContent the file is fetched and compared byte by byte.
  enum class Depth : std::uint8_t { kRoot, kContent };
  void verify(Depth depth, OutcomeDone done);
  void remove(OutcomeDone done);
  /// Ends the connection; what is under way ends with `error`.
  void close(const Error& error);

  /// The server acknowledged a version.
  bool owns_file() const { return !root_.is_zero(); }
  std::uint64_t file_bytes() const { return acknowledged_.bytes(); }
  /// Closes the connection when a call has been under way for longer than --timeout.
  void expire(std::chrono::steady_clock::time_point now);

  bool busy() const { return static_cast<bool>(done_); }
  /// Called when an idle client's connection ends by itself.
  void set_on_lost(std::function<void(const Error&)> on_lost) { on_lost_ = std::move(on_lost); }
  std::uint64_t sent() const { return session_ ? session_->stream().bytes_written() : 0; }
  std::uint64_t received() const { return session_ ? session_->stream().bytes_read() : 0; }

 private:
  using Step = std::function<void()>;
  void begin(OutcomeDone done, Step step);
  void end(const Outcome& outcome);
  void end_later(Error error);
  void start_session(const Step& then);
  /// Opens a stream; a failure ends the call.
  void open(const std::function<std::shared_ptr<Conversation>(StreamPort&)>& make);
  enum class Delta : std::uint8_t { kNo, kYes };
  void upload(FileRecipe recipe, Delta delta);
  void download(const FileRecipe& expected, std::optional<FileRecipe> basis, const std::optional<Digest>& root);
  /// Runs `step` when the gate lets it pass; leave_gate() when its file is hashed, at the latest when the call ends.
  void through_gate(std::uint64_t bytes, Step step);
  void leave_gate();
  template <typename Request, typename Reply>
  void ask(const Request& request, std::function<void(const Reply&)> on_reply);

  LoadContext& context_;
  std::string path_;
  FileRecipe acknowledged_;
  Digest root_;                          ///< of the acknowledged version
  std::optional<FileRecipe> attempted_;  ///< it may or may not have become the file
  std::shared_ptr<Session> session_;
  OutcomeDone done_;
  std::chrono::steady_clock::time_point begun_;  ///< the call
  std::uint64_t call_ = 0;                       ///< answers to an earlier call are dropped
  std::uint64_t in_gate_bytes_ = 0;
  std::function<void(const Error&)> on_lost_;
};

}  // namespace millrace
