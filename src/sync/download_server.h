// The server's side of a download: it holds the target, answers with tree nodes and sends the patch.
#pragma once

#include <memory>

#include "sync/server_conversations.h"

namespace millrace {

std::shared_ptr<Conversation> make_download_server(StreamPort& port, const ServerContext& context,
                                                   const Principal& principal, wire::Download request);

}  // namespace millrace
