#include "net/tls_context.h"

#include <string_view>

#include "base/digest.h"
#include "net/openssl.h"

namespace millrace {

namespace {

constexpr long kSessionSeconds = 24 * 3600;

/// The protocol's name as ALPN writes it (RFC 7301).
std::string alpn_list(std::string_view protocol) {
  return static_cast<char>(protocol.size()) + std::string(protocol);
}

/// A client that names protocols must name ours; one that names none gets it too.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_length, const unsigned char* offered,
                    unsigned offered_length, void* protocol) {
  const std::string ours = alpn_list(static_cast<const char*>(protocol));
  // What is chosen must outlive this call, so it is the place in what was offered.
  const bool common = SSL_select_next_proto(const_cast<unsigned char**>(out), out_length, offered, offered_length,
                                            reinterpret_cast<const unsigned char*>(ours.data()),
                                            static_cast<unsigned>(ours.size())) == OPENSSL_NPN_NEGOTIATED;
  return common ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

std::shared_ptr<SSL_CTX> make_context(const SSL_METHOD* method) {
  const std::shared_ptr<SSL_CTX> context(SSL_CTX_new(method), SSL_CTX_free);
  if (!context) return nullptr;
  SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_timeout(context.get(), kSessionSeconds);
  return context;
}

}  // namespace

std::string tls_failure() {
  const unsigned long code = ERR_peek_error();
  ERR_clear_error();
  if (code == 0) return "unknown reason";
  if (const char* reason = ERR_reason_error_string(code)) return reason;
  return "OpenSSL error " + std::to_string(code);
}

std::string fingerprint_of(const x509_st* certificate) {
  unsigned char* der = nullptr;
  const int bytes = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  if (bytes <= 0) return {};
  Digest digest;
  EVP_Digest(der, static_cast<std::size_t>(bytes), digest.bytes.data(), nullptr, EVP_sha256(), nullptr);
  OPENSSL_free(der);
  return "SHA256:" + to_hex(digest);
}

Result<TlsContext> TlsContext::for_server(const ServerFiles& files, const char* protocol) {
  MILLRACE_TRY(load_openssl());
  TlsContext made;
  made.is_server_ = true;
  made.context_ = make_context(TLS_server_method());
  if (!made.context_) return fail(Code::kTls, "TLS cannot be set up: " + tls_failure());
  SSL_CTX* const context = made.context_.get();
  MILLRACE_TRY(made.use_key(files.certificate, files.key));
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, const_cast<char*>(protocol));
  // Sessions are resumed from tickets: the server remembers none. A key exchange is made then too, since the option
  // that would allow to leave it out is not set.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 1);
  SSL_CTX_set_session_id_context(context, reinterpret_cast<const unsigned char*>(protocol),
                                 static_cast<unsigned>(std::string_view(protocol).size()));
  if (!files.client_ca.empty()) {
    MILLRACE_TRY(made.believe(files.client_ca));
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  return made;
}

Result<TlsContext> TlsContext::for_client(const ClientFiles& files) {
  MILLRACE_TRY(load_openssl());
  TlsContext made;
  made.context_ = make_context(TLS_client_method());
  if (!made.context_) return fail(Code::kTls, "TLS cannot be set up: " + tls_failure());
  SSL_CTX* const context = made.context_.get();
  const std::string protocols = alpn_list(kMillraceProtocol);
  SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(protocols.data()),
                          static_cast<unsigned>(protocols.size()));
  if (!files.certificate.empty()) MILLRACE_TRY(made.use_key(files.certificate, files.key));
  if (files.ca.empty()) return made;
  MILLRACE_TRY(made.believe(files.ca));
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  made.verifies_name_ = true;
  return made;
}

Status TlsContext::use_key(const std::string& certificate, const std::string& key) {
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(context_.get(), certificate.c_str()) != 1)
    return fail(Code::kTls, "The certificate '" + certificate + "' cannot be used: " + tls_failure());
  if (SSL_CTX_use_PrivateKey_file(context_.get(), key.c_str(), SSL_FILETYPE_PEM) != 1)
    return fail(Code::kTls, "The key '" + key + "' cannot be used: " + tls_failure());
  if (SSL_CTX_check_private_key(context_.get()) != 1)
    return fail(Code::kTls, "The key '" + key + "' does not belong to the certificate '" + certificate + "'.");
  return {};
}

Status TlsContext::believe(const std::string& authorities) {
  ERR_clear_error();
  if (SSL_CTX_load_verify_locations(context_.get(), authorities.c_str(), nullptr) != 1)
    return fail(Code::kTls, "The certificates '" + authorities + "' cannot be used: " + tls_failure());
  if (is_server_) SSL_CTX_set_client_CA_list(context_.get(), SSL_load_client_CA_file(authorities.c_str()));
  return {};
}

}  // namespace millrace
