#include "codec/xxh3.h"

#include <xxh_x86dispatch.h>

namespace millrace {

std::uint64_t xxh3_64(ByteView data) {
  return XXH3_64bits(data.data(), data.size());
}

}  // namespace millrace
