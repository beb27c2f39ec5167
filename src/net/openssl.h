// OpenSSL as the system has it, loaded when TLS is first wanted: to map and relocate its two libraries costs a process
// more than a millisecond, and most of a client's short commands have no use for them. .NET does the same (its
// opensslshim).
//
// Each function of the list is a pointer of the same name in this namespace, where calls find it before OpenSSL's own
// declaration; so do OpenSSL's macros. A function that is used and is not in the list would have the linker bind the
// program to the library again, which a test sees (tests/integration/test_lazy_openssl.py).
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/error.h"

#define MILLRACE_OPENSSL_FUNCTIONS(X)   \
  X(BIO_clear_flags)                    \
  X(BIO_get_data)                       \
  X(BIO_get_new_index)                  \
  X(BIO_meth_new)                       \
  X(BIO_meth_set_create)                \
  X(BIO_meth_set_ctrl)                  \
  X(BIO_meth_set_read)                  \
  X(BIO_meth_set_write)                 \
  X(BIO_new)                            \
  X(BIO_set_data)                       \
  X(BIO_set_flags)                      \
  X(BIO_set_init)                       \
  X(CRYPTO_free)                        \
  X(ERR_clear_error)                    \
  X(ERR_peek_error)                     \
  X(ERR_peek_last_error)                \
  X(ERR_reason_error_string)            \
  X(EVP_Digest)                         \
  X(EVP_sha256)                         \
  X(i2d_X509_PUBKEY)                    \
  X(SSL_ctrl)                           \
  X(SSL_CTX_check_private_key)          \
  X(SSL_CTX_ctrl)                       \
  X(SSL_CTX_free)                       \
  X(SSL_CTX_load_verify_locations)      \
  X(SSL_CTX_new)                        \
  X(SSL_CTX_set_alpn_protos)            \
  X(SSL_CTX_set_alpn_select_cb)         \
  X(SSL_CTX_set_client_CA_list)         \
  X(SSL_CTX_set_num_tickets)            \
  X(SSL_CTX_set_options)                \
  X(SSL_CTX_set_session_id_context)     \
  X(SSL_CTX_set_timeout)                \
  X(SSL_CTX_set_verify)                 \
  X(SSL_CTX_use_certificate_chain_file) \
  X(SSL_CTX_use_PrivateKey_file)        \
  X(SSL_do_handshake)                   \
  X(SSL_free)                           \
  X(SSL_get0_param)                     \
  X(SSL_get0_peer_certificate)          \
  X(SSL_get_error)                      \
  X(SSL_get_verify_result)              \
  X(SSL_load_client_CA_file)            \
  X(SSL_new)                            \
  X(SSL_read)                           \
  X(SSL_select_next_proto)              \
  X(SSL_session_reused)                 \
  X(SSL_set1_host)                      \
  X(SSL_set_accept_state)               \
  X(SSL_set_bio)                        \
  X(SSL_set_connect_state)              \
  X(SSL_shutdown)                       \
  X(SSL_write)                          \
  X(TLS_client_method)                  \
  X(TLS_server_method)                  \
  X(X509_get_X509_PUBKEY)               \
  X(X509_verify_cert_error_string)      \
  X(X509_VERIFY_PARAM_set1_ip_asc)

namespace millrace {

#define MILLRACE_DECLARE(name) inline decltype(&::name) name = nullptr;
MILLRACE_OPENSSL_FUNCTIONS(MILLRACE_DECLARE)
#undef MILLRACE_DECLARE

/// Sets the pointers, once; any thread. No other function of the list may be called before it has succeeded. Errors:
/// kTls, the same ones always: what cannot be loaded, and what to install.
Status load_openssl();

}  // namespace millrace
