#include "monitor/process_figures.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

namespace millrace {

namespace {

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

/// Since Linux 6.2 the folder's size is the number of its entries; before, it is 0 and they are counted.
std::uint64_t count_entries(int folder) {
  struct stat stat {};
  if (folder < 0 || ::fstat(folder, &stat) != 0) return 0;
  if (stat.st_size > 0) return static_cast<std::uint64_t>(stat.st_size);
  const int copy = ::fcntl(folder, F_DUPFD_CLOEXEC, 0);
  DIR* const entries = copy < 0 ? nullptr : ::fdopendir(copy);
  if (entries == nullptr) {
    if (copy >= 0) ::close(copy);
    return 0;
  }
  ::rewinddir(entries);
  std::uint64_t count = 0;
  while (const dirent* entry = ::readdir(entries)) count += entry->d_name[0] != '.';
  ::closedir(entries);
  return count;
}

}  // namespace

ProcessWatch::ProcessWatch()
    : memory_(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC)),
      descriptors_(::open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}

ProcessWatch::~ProcessWatch() {
  if (memory_ >= 0) ::close(memory_);
  if (descriptors_ >= 0) ::close(descriptors_);
}

ProcessFigures ProcessWatch::look() const {
  ProcessFigures out;
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) out.cpu_seconds = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) out.most_descriptors = limit.rlim_cur;
  char text[256];
  const ssize_t got = memory_ < 0 ? -1 : ::pread(memory_, text, sizeof text - 1, 0);
  if (got > 0) {
    text[got] = '\0';
    unsigned long virtual_pages = 0;
    unsigned long resident_pages = 0;
    if (std::sscanf(text, "%lu %lu", &virtual_pages, &resident_pages) == 2) {
      const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
      out.virtual_bytes = virtual_pages * page;
      out.resident_bytes = resident_pages * page;
    }
  }
  out.open_descriptors = count_entries(descriptors_);
  return out;
}

}  // namespace millrace
