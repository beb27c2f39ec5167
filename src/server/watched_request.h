// A request with those who watch it: log, audit log, monitor. It stands between the multiplexer and the conversation,
// sees what passes, and changes nothing.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "monitor/loop_monitor.h"
#include "server/audit_log.h"
#include "server/log.h"
#include "store/store.h"
#include "sync/stream.h"

namespace millrace {

/// Where what is noted goes to. All may be shared by many loops.
struct Journal {
  Log* log = nullptr;
  AuditLog* audit = nullptr;  ///< null: none
};

struct RequestOrigin {
  std::uint64_t connection = 0;
  std::uint64_t request = 0;  ///< on this connection
  std::string account;
};

/// A transfer that begins, of which nothing else is known yet.
TransferView transfer_view(const RequestOrigin& origin, Operation operation, const std::string& path);

/// What is said of a request that has ended.
struct RequestEnd {
  Operation operation = Operation::kUnknown;
  bool changes = false;  ///< something that is stored
  std::string path;
  std::string target;  ///< of a move
  std::optional<Code> error;
  std::optional<Version> version;  ///< what the request was about, or made
  std::uint64_t wire_bytes = 0;
  std::chrono::nanoseconds took{0};
};

/// Writes it down wherever that is wanted, and counts it.
void note_request(const Journal& journal, LoopMonitor& monitor, const RequestOrigin& origin, const RequestEnd& end);

using MakeConversation = std::function<Result<std::shared_ptr<Conversation>>(StreamPort&)>;

/// What `make` makes, watched. `monitor` is its loop's. Errors: those of `make`.
Result<std::shared_ptr<Conversation>> watch_request(const Journal& journal, LoopMonitor& monitor,
                                                    const RequestOrigin& origin, FrameType type, ByteView payload,
                                                    StreamPort& port, const MakeConversation& make);

}  // namespace millrace
