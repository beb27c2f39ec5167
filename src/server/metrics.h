// A snapshot as Prometheus metrics, under the names in docs/OPERATIONS.md.
#pragma once

#include "monitor/families.h"
#include "server/snapshot.h"

namespace millrace {

/// Every series whose labels are known in advance is there, with 0 until something happens. No paths, no accounts.
Families metric_families(const ServerSnapshot& now);

}  // namespace millrace
