// What TLS connections of one kind have in common: protocol versions, certificates, what is trusted. TLS 1.3 only.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/error.h"

struct ssl_ctx_st;
struct ssl_st;
struct x509_st;

namespace millrace {

/// Who the other side is, from its certificate.
struct TlsPeer {
  std::string fingerprint;  ///< of its public key; empty when it showed no certificate
  bool resumed = false;     ///< the keys come from an earlier connection
};

/// Of the public key alone, so that a certificate that is renewed with its key keeps it: "SHA256:" and 64 hexadecimal
/// digits of the digest of its DER form (RFC 7469, section 2.4). Only after load_openssl().
std::string fingerprint_of(const x509_st* certificate);

/// As ALPN names them.
inline constexpr char kMillraceProtocol[] = "millrace/1";
inline constexpr char kHttpProtocol[] = "http/1.1";

/// Copies share one. Any thread.
class TlsContext {
 public:
  struct ServerFiles {
    std::string certificate;  ///< PEM, the chain behind it
    std::string key;          ///< PEM
    std::string client_ca;    ///< clients must show a certificate that it signed; empty: none is asked for
  };
  struct ClientFiles {
    std::string ca;           ///< PEM: whom to believe; empty: nobody, the caller looks at the fingerprint
    std::string certificate;  ///< to show; empty: none
    std::string key;
  };
  /// Errors: kTls, which file and what is wrong with it, or that there is no OpenSSL.
  /// `protocol`: a client that names protocols (ALPN) must name this one; it outlives the context.
  static Result<TlsContext> for_server(const ServerFiles& files, const char* protocol = kMillraceProtocol);
  static Result<TlsContext> for_client(const ClientFiles& files);

  ssl_ctx_st* raw() const { return context_.get(); }
  bool is_server() const { return is_server_; }
  /// The peer's certificate is checked against authorities and the host's name.
  bool verifies_name() const { return verifies_name_; }

 private:
  TlsContext() = default;
  Status use_key(const std::string& certificate, const std::string& key);
  Status believe(const std::string& authorities);
  std::shared_ptr<ssl_ctx_st> context_;
  bool is_server_ = false;
  bool verifies_name_ = false;
};

/// What OpenSSL says of the failure on this thread, for people; clears it. Only after load_openssl().
std::string tls_failure();

}  // namespace millrace
