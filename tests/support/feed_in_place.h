// Bytes to a multiplexer as from a transport that reads them to where they belong.
#pragma once

#include <algorithm>
#include <cstring>

#include "sync/mux.h"

namespace millrace::test {

inline Status feed_in_place(Mux& mux, ByteView bytes) {
  while (!bytes.empty()) {
    ByteView portion = bytes;
    if (const MutableBytes space = mux.receive_space(); !space.empty()) {
      portion = space.first(std::min(space.size(), bytes.size()));
      std::memcpy(space.data(), bytes.data(), portion.size());
    }
    bytes = bytes.subspan(portion.size());
    MILLRACE_TRY(mux.on_bytes(portion));
  }
  return {};
}

}  // namespace millrace::test
