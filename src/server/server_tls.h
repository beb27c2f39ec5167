// The certificate that a server shows, and what changes of it while it serves.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "monitor/loop_monitor.h"
#include "net/certificate.h"
#include "net/tcp.h"
#include "net/tls_context.h"

namespace millrace {

/// How the operator wants connections.
struct TlsChoice {
  enum class Mode : std::uint8_t { kAuto, kOn, kOff };  ///< kAuto: encrypted everywhere but on loopback
  Mode mode = Mode::kAuto;
  TlsContext::ServerFiles files;  ///< without a certificate one is made in the data folder

  bool encrypts(const std::string& host) const;
};

/// Errors: kUsage for files that do not go together.
Status check(const TlsChoice& choice, const std::string& host);

/// Any thread.
class ServerTls {
 public:
  explicit ServerTls(TlsContext::ServerFiles files) : files_(std::move(files)) {}
  /// Reads the files; connections from now on are made with what they hold. After an error those before go on counting.
  /// Errors: kTls.
  Status load();
  /// Of the key that load() read last.
  std::string fingerprint() const;
  /// Why clients may refuse the certificate as it is now, for the operator; empty: nothing is wrong with its dates.
  std::string warning() const { return why_not_valid(files_.certificate); }
  /// What load() read last.
  TlsContext context() const;
  /// Likewise, for HTTP.
  TlsContext http_context() const;

 private:
  const TlsContext::ServerFiles files_;
  mutable std::mutex mutex_;
  std::optional<TlsContext> context_;
  std::optional<TlsContext> http_context_;
  std::string fingerprint_;
};

/// What listeners on `host` need; null: nothing. Where no certificate is named, one is made in `data` at the first
/// start and found there later. Errors: kTls, the system's.
Result<std::shared_ptr<ServerTls>> open_server_tls(const TlsChoice& choice, const std::string& host,
                                                   const std::string& data);

/// The accepted connection, for HTTP, encrypted with what `tls` has loaded; as it is where `tls` is null. `monitor`
/// counts its handshake and must live until it is closed; null: it is not counted.
std::unique_ptr<Stream> secure_http(std::unique_ptr<TcpStream> accepted, const ServerTls* tls, LoopMonitor* monitor);

/// The same for the sync protocol.
std::unique_ptr<Stream> secure(std::unique_ptr<TcpStream> accepted, const ServerTls* tls,
                               LoopMonitor* monitor = nullptr);

}  // namespace millrace
