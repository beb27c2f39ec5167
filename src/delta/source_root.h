// The root of a whole source, read from its beginning to its end.
#pragma once

#include "delta/chunk.h"
#include "delta/source.h"

namespace millrace {

/// Reads 4 MiB at a time. Errors: the source's.
Result<Digest> source_root(const Source& source, Hasher& hasher);

}  // namespace millrace
