// OpenSSL's SHA-256, found when it is worth it: to load libcrypto costs a process a millisecond, and to hash without it
// costs that much only after some hundred KiB, which a short command does not reach. So a process rents until the rent
// has come to the price and then buys, which never costs more than twice the best choice (ski rental: Karlin, Manasse,
// Rudolph and Sleator, "Competitive snoopy caching", 1988). What is loaded stays.
#pragma once

#include <atomic>
#include <cstddef>
#include <mutex>
#include <optional>

struct SHA256state_st;

namespace millrace {

/// Below EVP: fetching an algorithm has OpenSSL read its configuration and register some hundred others, half as much
/// work again as the rest of a short command of the client.
struct Sha256Functions {
  int (*init)(SHA256state_st*);
  int (*update)(SHA256state_st*, const void*, std::size_t);
  int (*finish)(unsigned char*, SHA256state_st*);
};

/// Any thread.
class CryptoLibrary {
 public:
  enum class Wanted { kIfLoaded, kLoaded };
  /// Nothing where the library is not in the process (kIfLoaded) or cannot be loaded.
  using Load = std::optional<Sha256Functions> (*)(Wanted);
  /// `limit`: how many bytes are hashed without the library before it is loaded.
  CryptoLibrary(Load load, std::size_t limit) : load_(load), limit_(limit) {}
  CryptoLibrary(const CryptoLibrary&) = delete;
  CryptoLibrary& operator=(const CryptoLibrary&) = delete;

  /// The system's, for the whole process.
  static CryptoLibrary& of_process();

  /// What to hash the next `bytes` with; null: they are better hashed without it, and count as such. That is so for
  /// ever where the library cannot be loaded. Once it has given functions it gives the same ones always.
  const Sha256Functions* sha256_for(std::size_t bytes);

 private:
  const Load load_;
  const std::size_t limit_;
  std::atomic<std::size_t> hashed_ = 0;  ///< without the library
  std::atomic<bool> is_loaded_ = false;
  std::mutex loading_;
  Sha256Functions functions_{};  ///< written once, before is_loaded_ is true
};

}  // namespace millrace
