// A pipe has no second reading and no version to go back to: what comes from one or goes to one is kept in a file
// without a name first.
#pragma once

#include <functional>

#include "base/error.h"
#include "net/descriptor.h"

namespace millrace {

/// An empty file in TMPDIR (or /tmp) that vanishes with its descriptor, even if the process is killed.
Result<Descriptor> open_spool();
/// Copies all that `from` gives into the spool; looks at `stop` about five times a second. Blocks. Errors: kQuota,
/// kCancelled, the system's.
Status fill_spool(int from, const Descriptor& spool, const std::function<bool()>& stop);
/// Copies the spool, from its start, to `to`. Blocks. Errors: as above.
Status drain_spool(const Descriptor& spool, int to, const std::function<bool()>& stop);

}  // namespace millrace
