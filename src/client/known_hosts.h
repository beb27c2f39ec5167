// The keys that servers showed at the first connection, as OpenSSH keeps them: one line each, host, port, fingerprint.
#pragma once

#include <optional>
#include <string>

#include "base/address.h"
#include "base/error.h"

namespace millrace {

class KnownHosts {
 public:
  /// `path` of the file, which need not exist; empty: nothing is known and nothing remembered.
  explicit KnownHosts(std::string path) : path_(std::move(path)) {}
  /// $XDG_STATE_HOME/millrace/known_hosts or ~/.local/state/millrace/known_hosts; empty where neither is known.
  static std::string default_path();

  const std::string& path() const { return path_; }
  /// The last line for a server counts. Errors: kTls when the file is there and cannot be read: what is not known must
  /// not pass for new.
  Result<std::optional<std::string>> find(const Url& server) const;
  /// Makes the folder where it is missing. Errors: the system's.
  Status remember(const Url& server, const std::string& fingerprint) const;

 private:
  std::string path_;
};

}  // namespace millrace
