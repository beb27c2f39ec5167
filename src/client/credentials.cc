#include "client/credentials.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "net/descriptor.h"
#include "session/token_source.h"

namespace millrace {

std::string Credentials::default_path() {
  if (const char* config = std::getenv("XDG_CONFIG_HOME"); config != nullptr && *config != '\0')
    return std::string(config) + "/millrace/credentials";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0')
    return std::string(home) + "/.config/millrace/credentials";
  return {};
}

Result<std::optional<std::string>> Credentials::find(const Url& server) const {
  if (path_.empty()) return std::nullopt;
  MILLRACE_ASSIGN(const auto content, read_private_file(path_));
  std::istringstream lines(content.value_or(""));
  for (std::string host, port, token; lines >> host >> port >> token;) {
    if (host == server.host && port == server.port) return std::optional<std::string>(token);
  }
  return std::nullopt;
}

Status Credentials::keep(const Url& server, const std::optional<std::string>& token) const {
  if (path_.empty()) return fail(Code::kFailed, "There is no home folder to keep a token in; set XDG_CONFIG_HOME.");
  MILLRACE_ASSIGN(const auto content, read_private_file(path_));
  std::string fresh;
  std::istringstream lines(content.value_or(""));
  for (std::string host, port, other; lines >> host >> port >> other;) {
    if (host != server.host || port != server.port) fresh += host + " " + port + " " + other + "\n";
  }
  if (token) fresh += server.host + " " + server.port + " " + *token + "\n";
  std::error_code why;
  const auto folder = std::filesystem::path(path_).parent_path();
  if (std::filesystem::create_directories(folder, why))
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all, why);
  const std::string aside = path_ + ".new";
  (void)::unlink(aside.c_str());
  const Descriptor file(::open(aside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!file.is_open()) return fail(system_error(errno, "'" + aside + "' cannot be made"));
  if (::write(file.number(), fresh.data(), fresh.size()) != static_cast<ssize_t>(fresh.size()) ||
      ::fsync(file.number()) != 0 || ::rename(aside.c_str(), path_.c_str()) != 0)
    return fail(system_error(errno, "'" + path_ + "' cannot be written"));
  return {};
}

Result<std::optional<std::string>> find_token(const Url& server, const std::string& token_file) {
  MILLRACE_ASSIGN(auto given, given_token(token_file));
  if (given) return given;
  return Credentials(Credentials::default_path()).find(server);
}

}  // namespace millrace
