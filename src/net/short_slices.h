// How the kernel shares processors out among threads.
#pragma once

namespace millrace {

/// Has the calling thread run for short turns and be due again soon, for one that does little at a time and that others
/// wait for; it gets no more of the processor for it. Where the kernel does not know that (before Linux 6.12), or it is
/// not allowed, nothing changes.
void ask_for_short_slices();

}  // namespace millrace
