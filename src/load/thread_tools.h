// Hashers and codecs that belong to the worker thread instead of to a transfer: their contexts take up to megabytes,
// and thousands of transfers are under way at once.
#pragma once

#include "base/digest.h"
#include "delta/segment_codec.h"

namespace millrace {

/// A HasherFactory: what it makes may wander from thread to thread between two calls.
std::unique_ptr<Hasher> thread_hasher();
/// A CodecFactory, likewise.
std::unique_ptr<SegmentCodec> thread_codec();

}  // namespace millrace
