// XXH3-64 through libxxhash's run-time dispatch: the store's fast check of a chunk's content.
#pragma once

#include "base/bytes.h"

namespace millrace {

std::uint64_t xxh3_64(ByteView data);

}  // namespace millrace
