// How the programs use malloc. A library must not change that of its host, so only main programs call this.
#pragma once

namespace millrace {

/// Keeps freed buffers of up to some MiB for the next one. By default each would be mapped, faulted in page by page and
/// unmapped again, which costs a transfer a quarter of its time. Call before any thread exists.
void keep_freed_memory();

/// Gives back to the system what is kept now. Other threads may wait for it some milliseconds for each 100 MiB.
void return_freed_memory();

}  // namespace millrace
