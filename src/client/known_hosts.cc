#include "client/known_hosts.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "net/descriptor.h"

namespace millrace {

std::string KnownHosts::default_path() {
  if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state != '\0')
    return std::string(state) + "/millrace/known_hosts";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0')
    return std::string(home) + "/.local/state/millrace/known_hosts";
  return {};
}

Result<std::optional<std::string>> KnownHosts::find(const Url& server) const {
  std::optional<std::string> known;
  if (path_.empty()) return known;
  std::ifstream file(path_);
  if (!file) {
    const int why = errno;
    if (why == ENOENT || why == ENOTDIR) return known;
    return fail(Code::kTls, "The known servers in '" + path_ + "' cannot be read; make the file readable.");
  }
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string host, port, fingerprint;
    if (words >> host >> port >> fingerprint && host == server.host && port == server.port) known = fingerprint;
  }
  return known;
}

Status KnownHosts::remember(const Url& server, const std::string& fingerprint) const {
  if (path_.empty()) return fail(Code::kFailed, "there is no home folder");
  std::error_code ignored;  // the file's own error says it all
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), ignored);
  const Descriptor file(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!file.is_open()) return fail(system_error(errno, "'" + path_ + "' cannot be opened"));
  const std::string line = server.host + " " + server.port + " " + fingerprint + "\n";
  // One call for the whole line: several processes may do so at once.
  if (::write(file.number(), line.data(), line.size()) != static_cast<ssize_t>(line.size()))
    return fail(system_error(errno, "'" + path_ + "' cannot be written"));
  return {};
}

}  // namespace millrace
