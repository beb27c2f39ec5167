#include "session/token_source.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <sstream>

#include "net/socket.h"

namespace millrace {

namespace {

constexpr std::size_t kMostBytes = 1u << 20;

}  // namespace

Result<std::optional<std::string>> read_private_file(const std::string& path) {
  const Socket file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    return fail(system_error(errno, "'" + path + "' cannot be read"));
  }
  struct stat stat {};
  if (::fstat(file.descriptor(), &stat) != 0) return fail(system_error(errno, "'" + path + "' cannot be looked at"));
  if (S_ISREG(stat.st_mode) && (stat.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return fail(Code::kNotAllowed,
                "'" + path + "' holds a token and others may read it; make it private: chmod 600 '" + path + "'.");
  std::string content;
  char piece[4096];
  for (;;) {
    const ssize_t got = ::read(file.descriptor(), piece, sizeof piece);
    if (got < 0) return fail(system_error(errno, "'" + path + "' cannot be read"));
    if (got == 0) return std::optional<std::string>(std::move(content));
    content.append(piece, static_cast<std::size_t>(got));
    if (content.size() > kMostBytes) return fail(Code::kUsage, "'" + path + "' is too long to hold tokens.");
  }
}

Result<std::string> read_token_file(const std::string& path) {
  MILLRACE_ASSIGN(const auto content, read_private_file(path));
  if (!content) return fail(Code::kNotFound, "There is no file '" + path + "' to read a token from.");
  std::istringstream words(*content);
  std::string token;
  if (!(words >> token)) return fail(Code::kUsage, "'" + path + "' holds no token.");
  return token;
}

Result<std::optional<std::string>> given_token(const std::string& token_file) {
  const auto of_file = [](const std::string& path) -> Result<std::optional<std::string>> {
    MILLRACE_ASSIGN(auto token, read_token_file(path));
    return std::optional<std::string>(std::move(token));
  };
  if (!token_file.empty()) return of_file(token_file);
  if (const char* token = std::getenv("MILLRACE_TOKEN"); token != nullptr && *token != '\0')
    return std::optional<std::string>(token);
  if (const char* path = std::getenv("MILLRACE_TOKEN_FILE"); path != nullptr && *path != '\0') return of_file(path);
  return std::nullopt;
}

}  // namespace millrace
