// What the pure layers are given from outside: hashing, coding and randomness.
#pragma once

#include "base/digest.h"
#include "base/random.h"
#include "delta/segment_codec.h"

namespace millrace {

/// Factories are called on worker threads, `random` on the loop.
struct Toolbox {
  HasherFactory hasher;
  CodecFactory codec;
  Random random;
};

}  // namespace millrace
