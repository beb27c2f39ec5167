#include "client/credentials.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <vector>

#include "client/descriptor.h"

namespace millrace {

namespace {

constexpr std::size_t kMostBytes = 1u << 20;

/// Nothing: there is no such file.
Result<std::optional<std::string>> read_private(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    return fail(system_error(errno, "'" + path + "' cannot be read"));
  }
  struct stat stat {};
  if (::fstat(file.number(), &stat) != 0) return fail(system_error(errno, "'" + path + "' cannot be looked at"));
  if (S_ISREG(stat.st_mode) && (stat.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return fail(Code::kNotAllowed,
                "'" + path + "' holds a token and others may read it; make it private: chmod 600 '" + path + "'.");
  std::string content;
  char piece[4096];
  for (;;) {
    const ssize_t got = ::read(file.number(), piece, sizeof piece);
    if (got < 0) return fail(system_error(errno, "'" + path + "' cannot be read"));
    if (got == 0) return std::optional<std::string>(std::move(content));
    content.append(piece, static_cast<std::size_t>(got));
    if (content.size() > kMostBytes) return fail(Code::kUsage, "'" + path + "' is too long to hold tokens.");
  }
}

}  // namespace

std::string Credentials::default_path() {
  if (const char* config = std::getenv("XDG_CONFIG_HOME"); config != nullptr && *config != '\0')
    return std::string(config) + "/millrace/credentials";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0')
    return std::string(home) + "/.config/millrace/credentials";
  return {};
}

Result<std::optional<std::string>> Credentials::find(const Url& server) const {
  if (path_.empty()) return std::nullopt;
  MILLRACE_ASSIGN(const auto content, read_private(path_));
  std::istringstream lines(content.value_or(""));
  for (std::string host, port, token; lines >> host >> port >> token;) {
    if (host == server.host && port == server.port) return std::optional<std::string>(token);
  }
  return std::nullopt;
}

Status Credentials::keep(const Url& server, const std::optional<std::string>& token) const {
  if (path_.empty()) return fail(Code::kFailed, "There is no home folder to keep a token in; set XDG_CONFIG_HOME.");
  MILLRACE_ASSIGN(const auto content, read_private(path_));
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

Result<std::string> read_token_file(const std::string& path) {
  MILLRACE_ASSIGN(const auto content, read_private(path));
  if (!content) return fail(Code::kNotFound, "There is no file '" + path + "' to read a token from.");
  std::istringstream words(*content);
  std::string token;
  if (!(words >> token)) return fail(Code::kUsage, "'" + path + "' holds no token.");
  return token;
}

Result<std::optional<std::string>> find_token(const Url& server, const std::string& token_file) {
  const auto of_file = [](const std::string& path) -> Result<std::optional<std::string>> {
    MILLRACE_ASSIGN(auto token, read_token_file(path));
    return std::optional<std::string>(std::move(token));
  };
  if (!token_file.empty()) return of_file(token_file);
  if (const char* token = std::getenv("MILLRACE_TOKEN"); token != nullptr && *token != '\0')
    return std::optional<std::string>(token);
  if (const char* path = std::getenv("MILLRACE_TOKEN_FILE"); path != nullptr && *path != '\0') return of_file(path);
  return Credentials(Credentials::default_path()).find(server);
}

}  // namespace millrace
