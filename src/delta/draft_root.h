// The root of what has been built so far.
#pragma once

#include "base/digest.h"
#include "delta/draft.h"

namespace millrace {

/// Errors: the draft's.
Result<Digest> root_of(const Draft& draft, Hasher& hasher);

}  // namespace millrace
