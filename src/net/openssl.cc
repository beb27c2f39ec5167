#include "net/openssl.h"

#include <dlfcn.h>

#include <string>

namespace millrace {

namespace {

Error not_loaded() {
  const char* const why = ::dlerror();
  return {Code::kTls, "TLS needs OpenSSL " + std::to_string(OPENSSL_VERSION_MAJOR) + ", which cannot be loaded (" +
                          (why != nullptr ? why : "unknown reason") + "); install it (Debian: apt install libssl" +
                          std::to_string(OPENSSL_SHLIB_VERSION) + ")."};
}

/// libssl depends on libcrypto, so that its handle leads to the functions of both.
Status load() {
  const std::string name = "libssl.so." + std::to_string(OPENSSL_SHLIB_VERSION);
  void* const library = ::dlopen(name.c_str(), RTLD_LAZY | RTLD_LOCAL);
  if (library == nullptr) return fail(not_loaded());
#define MILLRACE_LOAD(name)                                                      \
  millrace::name = reinterpret_cast<decltype(&::name)>(::dlsym(library, #name)); \
  if (millrace::name == nullptr) return fail(not_loaded());
  MILLRACE_OPENSSL_FUNCTIONS(MILLRACE_LOAD)
#undef MILLRACE_LOAD
  return {};
}

}  // namespace

Status load_openssl() {
  static const Status loaded = load();
  return loaded;
}

}  // namespace millrace
