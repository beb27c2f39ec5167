// The pieces that are measured on their own. Each checks what it computes before it times it.
#pragma once

#include <filesystem>
#include <vector>

#include "stopwatch.h"

namespace millrace::perf {

using Timings = std::vector<Timing>;

Timings time_chunker(const Stopwatch& watch);
Timings time_hashes(const Stopwatch& watch);
Timings time_ladder(const Stopwatch& watch);
Timings time_frames(const Stopwatch& watch);
/// What counting costs an event loop for each transfer.
Timings time_monitor(const Stopwatch& watch);
/// On a store without flushes in `folder`, which is made.
Timings time_store(const Stopwatch& watch, const std::filesystem::path& folder);

/// Ends the program when a result is wrong: a figure for it would be worth nothing.
void require(bool good, const char* what);

}  // namespace millrace::perf
