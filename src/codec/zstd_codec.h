// Literals through zstd, with the known prefix as a referenced dictionary.
#pragma once

#include "delta/segment_codec.h"

namespace millrace {

/// Owns its contexts, created at first use: at most some 24 MiB of tables and the segment's window.
std::unique_ptr<SegmentCodec> make_zstd_codec();

}  // namespace millrace
