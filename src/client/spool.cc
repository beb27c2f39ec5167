#include "client/spool.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

namespace millrace {

namespace {

constexpr std::size_t kCopyBytes = 256 * 1024;
constexpr int kLookMs = 200;
constexpr mode_t kSpoolMode = 0666;

std::string spool_folder() {
  const char* const chosen = std::getenv("TMPDIR");
  return chosen != nullptr && *chosen != '\0' ? chosen : "/tmp";
}

/// Waits until the descriptor is ready; a regular file always is.
Status wait_ready(int descriptor, short events, const std::function<bool()>& stop) {
  for (;;) {
    if (stop()) return fail(Code::kCancelled, "Interrupted.");
    pollfd waited{descriptor, events, 0};
    const int ready = poll(&waited, 1, kLookMs);
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return fail(system_error(errno, "A pipe cannot be waited for"));
  }
}

Status write_all(int to, const char* bytes, std::size_t count, const std::function<bool()>& stop, const char* what) {
  struct stat stat {};
  const bool regular = fstat(to, &stat) == 0 && S_ISREG(stat.st_mode);
  while (count > 0) {
    MILLRACE_TRY(wait_ready(to, POLLOUT, stop));
    // A pipe that is ready takes so many bytes without blocking, and only then is `stop` looked at in time.
    const ssize_t written = write(to, bytes, regular ? count : std::min<std::size_t>(count, PIPE_BUF));
    if (written < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (written < 0 && errno == EPIPE) return fail(Code::kFailed, std::string(what) + ": the reader has gone");
    if (written < 0) return fail(system_error(errno, what));
    bytes += written;
    count -= static_cast<std::size_t>(written);
  }
  return {};
}

}  // namespace

Result<Descriptor> open_spool() {
  const std::string folder = spool_folder();
  Descriptor unnamed(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, kSpoolMode));
  if (unnamed.number() >= 0) return unnamed;
  // Not every file system can make a file without a name.
  std::string name = folder + "/millrace-XXXXXX";
  Descriptor named(mkostemp(name.data(), O_CLOEXEC));
  if (named.number() < 0)
    return fail(system_error(errno, "A file for what goes through the pipe cannot be made in " + folder));
  if (::unlink(name.c_str()) != 0)
    return fail(system_error(errno, "The file for what goes through the pipe cannot be hidden in " + folder));
  return named;
}

Status fill_spool(int from, const Descriptor& spool, const std::function<bool()>& stop) {
  std::vector<char> block(kCopyBytes);
  for (;;) {
    MILLRACE_TRY(wait_ready(from, POLLIN, stop));
    const ssize_t got = read(from, block.data(), block.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return fail(system_error(errno, "Standard input cannot be read"));
    if (got == 0) return {};
    MILLRACE_TRY(
        write_all(spool.number(), block.data(), static_cast<std::size_t>(got), stop,
                  "Standard input cannot be kept in the folder for temporary files; set TMPDIR to one with more room"));
  }
}

Status drain_spool(const Descriptor& spool, int to, const std::function<bool()>& stop) {
  std::vector<char> block(kCopyBytes);
  off_t offset = 0;
  for (;;) {
    const ssize_t got = pread(spool.number(), block.data(), block.size(), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(system_error(errno, "What was fetched cannot be read back"));
    if (got == 0) return {};
    offset += got;
    MILLRACE_TRY(write_all(to, block.data(), static_cast<std::size_t>(got), stop, "Standard output cannot be written"));
  }
}

}  // namespace millrace
