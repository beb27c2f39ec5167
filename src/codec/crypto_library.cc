#include "codec/crypto_library.h"

#define OPENSSL_SUPPRESS_DEPRECATED  // that is not less tested: EVP's SHA-256 calls it
#include <dlfcn.h>
#include <link.h>
#include <openssl/opensslv.h>
#include <openssl/sha.h>

#include <string>
#include <string_view>

namespace millrace {

namespace {

/// One message after another without libcrypto and with it (0.38 and 1.8 GB/s) differ by 1.3 ms then.
constexpr std::size_t kWorthLoading = 640 * 1024;

/// dlopen with RTLD_NOLOAD would look for the file and open it first.
bool is_in_process(std::string name) {
  name.insert(0, 1, '/');
  const auto look = [](dl_phdr_info* library, std::size_t, void* wanted) {
    return std::string_view(library->dlpi_name).ends_with(*static_cast<std::string*>(wanted)) ? 1 : 0;
  };
  return ::dl_iterate_phdr(look, &name) != 0;
}

std::optional<Sha256Functions> load_sha256(CryptoLibrary::Wanted wanted) {
  const std::string name = "libcrypto.so." + std::to_string(OPENSSL_SHLIB_VERSION);
  if (wanted == CryptoLibrary::Wanted::kIfLoaded && !is_in_process(name)) return std::nullopt;
  void* const library = ::dlopen(name.c_str(), RTLD_LAZY | RTLD_LOCAL);
  if (library == nullptr) return std::nullopt;
  const Sha256Functions found{reinterpret_cast<decltype(&SHA256_Init)>(::dlsym(library, "SHA256_Init")),
                              reinterpret_cast<decltype(&SHA256_Update)>(::dlsym(library, "SHA256_Update")),
                              reinterpret_cast<decltype(&SHA256_Final)>(::dlsym(library, "SHA256_Final"))};
  if (found.init == nullptr || found.update == nullptr || found.finish == nullptr) return std::nullopt;
  return found;
}

}  // namespace

CryptoLibrary& CryptoLibrary::of_process() {
  static CryptoLibrary library(load_sha256, kWorthLoading);
  return library;
}

const Sha256Functions* CryptoLibrary::sha256_for(std::size_t bytes) {
  if (is_loaded_.load(std::memory_order_acquire)) return &functions_;
  // One thread sees the limit passed and loads; others need not wait for it.
  const std::size_t before = hashed_.fetch_add(bytes, std::memory_order_relaxed);
  const bool is_worth_it = before <= limit_ && bytes > limit_ - before;
  if (before > 0 && !is_worth_it) return nullptr;
  const std::lock_guard lock(loading_);
  if (!is_loaded_.load(std::memory_order_relaxed)) {
    const auto found = load_(is_worth_it ? Wanted::kLoaded : Wanted::kIfLoaded);
    if (!found) return nullptr;
    functions_ = *found;
    is_loaded_.store(true, std::memory_order_release);
  }
  return &functions_;
}

}  // namespace millrace
