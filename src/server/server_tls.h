// The certificate that a server shows, and what changes of it while it serves.
#pragma once

#include <mutex>
#include <optional>

#include "net/tcp.h"
#include "net/tls_context.h"

namespace millrace {

/// Any thread.
class ServerTls {
 public:
  explicit ServerTls(TlsContext::ServerFiles files) : files_(std::move(files)) {}
  /// Reads the files; connections from now on are made with what they hold. After an error those before go on counting.
  /// Errors: kTls.
  Status load();
  /// Of the key that load() read last.
  std::string fingerprint() const;
  /// What load() read last.
  TlsContext context() const;

 private:
  const TlsContext::ServerFiles files_;
  mutable std::mutex mutex_;
  std::optional<TlsContext> context_;
  std::string fingerprint_;
};

/// The accepted connection, encrypted with what `tls` has loaded; as it is where `tls` is null.
std::unique_ptr<Stream> secure(std::unique_ptr<TcpStream> accepted, const ServerTls* tls);

}  // namespace millrace
