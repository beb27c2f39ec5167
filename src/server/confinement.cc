#include "server/confinement.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/path.h"
#include "net/socket.h"

namespace millrace {

namespace {

// Newer than Debian 12's header.
constexpr std::uint64_t kTruncate = 1ULL << 14;
constexpr std::uint64_t kDeviceControl = 1ULL << 15;
constexpr long kAbiOfRefer = 2;
constexpr long kAbiOfTruncate = 3;
constexpr long kAbiOfDeviceControl = 5;

constexpr std::uint64_t kReadFile = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_EXECUTE;
constexpr std::uint64_t kRead = kReadFile | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kWriteFile = LANDLOCK_ACCESS_FS_WRITE_FILE;
constexpr std::uint64_t kWrite = kWriteFile | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                                 LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REFER;
constexpr std::uint64_t kNever = LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_SOCK |
                                 LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
                                 LANDLOCK_ACCESS_FS_MAKE_SYM;

Error problem(const std::string& what) {
  return system_error(errno, "The server could not confine itself (" + what + ")");
}

Status allow(int rules, const std::string& path, std::uint64_t rights, std::uint64_t rights_for_files) {
  const Socket at(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!at.is_open()) return fail(problem("'" + printable(path) + "'"));
  struct stat seen {};
  if (::fstat(at.descriptor(), &seen) != 0) return fail(problem("'" + printable(path) + "'"));
  landlock_path_beneath_attr rule{};
  rule.parent_fd = at.descriptor();
  rule.allowed_access = S_ISDIR(seen.st_mode) ? rights : rights_for_files;
  if (::syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
    return fail(problem("'" + printable(path) + "'"));
  return {};
}

}  // namespace

Result<Confined> confine(const Confinement& wanted) {
  const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < kAbiOfRefer) return Confined::kNotSupported;
  const std::uint64_t truncate = abi >= kAbiOfTruncate ? kTruncate : 0;
  landlock_ruleset_attr handled{};
  handled.handled_access_fs = kRead | kWrite | kNever | truncate | (abi >= kAbiOfDeviceControl ? kDeviceControl : 0);
  const Socket rules(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &handled, sizeof handled.handled_access_fs, 0)));
  if (!rules.is_open()) return fail(problem("no set of rules"));
  for (const std::string& path : wanted.writable)
    MILLRACE_TRY(allow(rules.descriptor(), path, kRead | kWrite | truncate, kReadFile | kWriteFile | truncate));
  for (const std::string& path : wanted.readable) {
    if (::access(path.c_str(), F_OK) != 0) continue;
    MILLRACE_TRY(allow(rules.descriptor(), path, kRead, kReadFile));
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail(problem("no new privileges"));
  if (::syscall(SYS_landlock_restrict_self, rules.descriptor(), 0) != 0)
    return fail(problem("the rules were not taken"));
  return Confined::kYes;
}

Confinement confinement_of(const std::string& data, const std::vector<std::string>& named_files) {
  Confinement out;
  out.writable.push_back(data);
  for (const char* area : {"files", "staging", "chunks", "trash"}) {
    const std::string path = data + "/" + area;
    std::error_code ignored;
    if (std::filesystem::is_symlink(path, ignored)) out.writable.push_back(path);
  }
  out.readable = {"/etc", "/usr", "/lib", "/lib64", "/proc", "/sys/devices/system/cpu", "/dev/null", "/dev/urandom"};
  for (const std::string& file : named_files) {
    if (file.empty()) continue;
    // Its folder: a file that is replaced by another one, as after a renewal, is read again.
    std::error_code ignored;
    out.readable.push_back(std::filesystem::absolute(file, ignored).parent_path());
    out.readable.push_back(std::filesystem::weakly_canonical(file, ignored).parent_path());
  }
  return out;
}

}  // namespace millrace
