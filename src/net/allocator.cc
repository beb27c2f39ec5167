#include "net/allocator.h"

#include <malloc.h>

namespace millrace {

void keep_freed_memory() {
  mallopt(M_MMAP_THRESHOLD, 16 << 20);
  mallopt(M_TRIM_THRESHOLD, 32 << 20);
  mallopt(M_ARENA_MAX, 2);
}

void return_freed_memory() {
  malloc_trim(0);
}

}  // namespace millrace
