// A request with somebody who writes down how it went. It stands between the multiplexer and the conversation, sees
// what passes, and changes nothing.
#pragma once

#include <functional>
#include <memory>
#include <string>

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

using MakeConversation = std::function<Result<std::shared_ptr<Conversation>>(StreamPort&)>;

/// What `make` makes, noted where the journal wants that. Errors: those of `make`.
Result<std::shared_ptr<Conversation>> with_journal(const Journal& journal, const RequestOrigin& origin, FrameType type,
                                                   ByteView payload, StreamPort& port, const MakeConversation& make);

}  // namespace millrace
