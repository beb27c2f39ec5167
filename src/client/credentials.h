// The tokens that the user has: given for one run, or kept by `millrace login` in a file of their own, one line for
// each server: host, port, token.
#pragma once

#include <optional>
#include <string>

#include "base/address.h"
#include "base/error.h"

namespace millrace {

class Credentials {
 public:
  /// `path` of the file, which need not exist; empty: nothing is kept.
  explicit Credentials(std::string path) : path_(std::move(path)) {}
  /// $XDG_CONFIG_HOME/millrace/credentials or ~/.config/millrace/credentials; empty where neither is known.
  static std::string default_path();

  const std::string& path() const { return path_; }
  /// Errors: kNotAllowed when others may read the file, the system's.
  Result<std::optional<std::string>> find(const Url& server) const;
  /// Mode 0600, replaced as a whole. `token` nothing: forgets the server's.
  Status keep(const Url& server, const std::optional<std::string>& token) const;

 private:
  std::string path_;
};

/// The token for a server: one that was given for this run (see given_token), or what login kept.
Result<std::optional<std::string>> find_token(const Url& server, const std::string& token_file);

}  // namespace millrace
