// The server's side of an upload: it holds the basis, answers with tree nodes and builds the target from the patch.
#pragma once

#include <memory>

#include "sync/server_conversations.h"
#include "sync/upload_jobs.h"

namespace millrace {

std::shared_ptr<Conversation> make_upload_server(StreamPort& port, const ServerContext& context,
                                                 const Principal& principal, UploadKind kind,
                                                 wire::UploadFields request);

}  // namespace millrace
