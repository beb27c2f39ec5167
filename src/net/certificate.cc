#include "net/certificate.h"

#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>

#include "net/openssl.h"
#include "net/tls_context.h"

namespace millrace {

namespace {

constexpr long kDay = 24 * 3600;
constexpr long kValidDays = 20 * 365;  ///< the key is pinned; that it ends would only lock people out
constexpr int kSerialBits = 127;

template <auto free>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using File = std::unique_ptr<std::FILE, Free<std::fclose>>;

void add_extension(X509* certificate, int id, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  if (X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str())) {
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }
}

Certificate make_certificate(EVP_PKEY* key, const std::string& name) {
  Certificate certificate(X509_new());
  X509* const raw = certificate.get();
  X509_set_version(raw, X509_VERSION_3);
  const std::unique_ptr<BIGNUM, Free<BN_free>> serial(BN_new());
  BN_rand(serial.get(), kSerialBits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY);
  BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(raw));
  X509_gmtime_adj(X509_getm_notBefore(raw), -kDay);  // clocks differ
  X509_gmtime_adj(X509_getm_notAfter(raw), kValidDays * kDay);
  X509_set_pubkey(raw, key);
  X509_NAME* const subject = X509_get_subject_name(raw);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1,
                             0);
  X509_set_issuer_name(raw, subject);
  add_extension(raw, NID_subject_alt_name, "DNS:" + name + ",DNS:localhost,IP:127.0.0.1,IP:::1");
  add_extension(raw, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  return X509_sign(raw, key, EVP_sha256()) > 0 ? std::move(certificate) : nullptr;
}

/// A file that only its owner may read, put in place whole.
template <typename Write>
Status write_file(const std::string& path, const Write& write) {
  const std::string draft = path + ".new";
  const int descriptor = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR);
  File file(descriptor < 0 ? nullptr : ::fdopen(descriptor, "w"));
  if (!file) return fail(system_error(errno, "The file '" + draft + "' cannot be made"));
  const bool written = write(file.get()) == 1 && std::fflush(file.get()) == 0 && ::fsync(descriptor) == 0;
  if (!written || ::rename(draft.c_str(), path.c_str()) != 0) {
    const Error error = system_error(errno, "The file '" + path + "' cannot be written");
    ::unlink(draft.c_str());
    return fail(error);
  }
  return {};
}

bool exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

}  // namespace

Status ensure_certificate(const std::string& certificate, const std::string& key, const std::string& name) {
  if (exists(certificate) && exists(key)) return {};
  MILLRACE_TRY(load_openssl());
  Key made;
  if (exists(key)) {
    // The key is what clients have pinned: a certificate that was lost is made again for it.
    const File file(std::fopen(key.c_str(), "r"));
    if (file) made.reset(PEM_read_PrivateKey(file.get(), nullptr, nullptr, nullptr));
    if (!made) return fail(Code::kTls, "The key '" + key + "' cannot be read: " + tls_failure());
  } else {
    made.reset(EVP_EC_gen("P-256"));
    if (!made) return fail(Code::kTls, "No key can be made: " + tls_failure());
    MILLRACE_TRY(write_file(key, [&](std::FILE* file) {
      return PEM_write_PKCS8PrivateKey(file, made.get(), nullptr, nullptr, 0, nullptr, nullptr);
    }));
  }
  const Certificate signed_by_itself = make_certificate(made.get(), name);
  if (!signed_by_itself) return fail(Code::kTls, "No certificate can be made: " + tls_failure());
  return write_file(certificate, [&](std::FILE* file) { return PEM_write_X509(file, signed_by_itself.get()); });
}

std::string why_not_valid(const std::string& certificate) {
  const File file(std::fopen(certificate.c_str(), "r"));
  const Certificate read(file ? PEM_read_X509(file.get(), nullptr, nullptr, nullptr) : nullptr);
  if (!read) {
    ::ERR_clear_error();  // linked: nothing was loaded for this
    return {};
  }
  const auto sentence = [&certificate](const char* how, const ASN1_TIME* moment, const char* what_to_do) {
    std::tm parts{};
    char text[32] = "?";
    if (ASN1_TIME_to_tm(moment, &parts) == 1) std::strftime(text, sizeof text, "%Y-%m-%d %H:%M", &parts);
    return "The certificate '" + certificate + "' " + how + " " + text +
           " UTC, and clients that believe authorities refuse it; " + what_to_do;
  };
  if (X509_cmp_current_time(X509_get0_notAfter(read.get())) < 0)
    return sentence("ended on", X509_get0_notAfter(read.get()), "renew it and send SIGHUP.");
  if (X509_cmp_current_time(X509_get0_notBefore(read.get())) > 0)
    return sentence("is not valid before", X509_get0_notBefore(read.get()), "is this machine's clock right?");
  return {};
}

Result<std::string> fingerprint_in(const std::string& certificate) {
  MILLRACE_TRY(load_openssl());
  const File file(std::fopen(certificate.c_str(), "r"));
  if (!file) return fail(Code::kTls, "The certificate '" + certificate + "' cannot be opened: " + std::strerror(errno));
  const Certificate read(PEM_read_X509(file.get(), nullptr, nullptr, nullptr));
  if (!read) return fail(Code::kTls, "The certificate '" + certificate + "' cannot be read: " + tls_failure());
  return fingerprint_of(read.get());
}

}  // namespace millrace
