#include "net/allocator.h"

#include <malloc.h>

#include <thread>

namespace millrace {

void keep_freed_memory() {
  mallopt(M_MMAP_THRESHOLD, 16 << 20);
  mallopt(M_TRIM_THRESHOLD, 32 << 20);
  // malloc_trim() leaves what is free at the end of an arena (up to the threshold), unless it is the first one.
  mallopt(M_ARENA_MAX, std::thread::hardware_concurrency() <= 2 ? 1 : 2);
}

void return_freed_memory() {
  malloc_trim(0);
}

}  // namespace millrace
