// Requests without file contents: one message out, one or more messages back.
#pragma once

#include <memory>

#include "sync/stream.h"

namespace millrace {

using EntriesDone = std::function<void(Result<wire::Entries>)>;
using RequestDone = std::function<void(Result<wire::Done>)>;

/// LIST, STAT and CHANGES: answered by ENTRIES. `request` is one of wire::List, wire::Stat, wire::Changes.
template <typename Request>
std::shared_ptr<Conversation> make_query(StreamPort& port, const Request& request, EntriesDone done);
/// DELETE, MOVE and VERIFY: answered by DONE.
template <typename Request>
std::shared_ptr<Conversation> make_request(StreamPort& port, const Request& request, RequestDone done);

}  // namespace millrace
