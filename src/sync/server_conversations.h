// The server's side of every request: picks the conversation for a stream's first message.
#pragma once

#include <memory>

#include "delta/ladder.h"
#include "delta/signature_cache.h"
#include "store/store.h"
#include "sync/stream.h"
#include "sync/toolbox.h"

namespace millrace {

struct ServerContext {
  std::shared_ptr<Store> store;
  Toolbox toolbox;
  int max_level = 9;                                     ///< zstd level of downloads at most
  int match_margin_bits = kMatchMarginBits;              ///< tests weaken it to force false matches
  std::shared_ptr<SignatureCache> signatures = nullptr;  ///< shared by all who have a context; may be null
  std::uint64_t copy_ahead = std::uint64_t{1} << 30;     ///< bytes of a basis at most that are copied before the patch
};

/// Errors: kProtocol for a message that is no request or cannot be decoded, kUsage for a bad path.
Result<std::shared_ptr<Conversation>> make_server_conversation(const ServerContext& context, const Principal& principal,
                                                               FrameType type, ByteView payload, StreamPort& port);

}  // namespace millrace
