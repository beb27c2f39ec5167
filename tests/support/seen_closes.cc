// Linked into programs under ThreadSanitizer only. libuv closes descriptors by syscall(SYS_close), which
// ThreadSanitizer does not see: it takes the file that another thread opens next, and which gets the number again, for
// the one that was closed, and reports a race on it. Here such calls become those that it sees, so that none of its
// reports need be suppressed and a true race on a descriptor is still found.
#include <dlfcn.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdarg>

extern "C" long syscall(long number, ...) noexcept {
  // As in the C library: six are taken, whatever the call needs.
  std::va_list list;
  va_start(list, number);
  long values[6];
  for (long& value : values) value = va_arg(list, long);
  va_end(list);
  if (number == SYS_close) return close(static_cast<int>(values[0]));
  using Syscall = long (*)(long, ...);
  static const auto real = reinterpret_cast<Syscall>(dlsym(RTLD_NEXT, "syscall"));
  return real(number, values[0], values[1], values[2], values[3], values[4], values[5]);
}
