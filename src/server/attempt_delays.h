// How long the answer to a failed authentication is held back: longer with each failure from the same address. It knows
// no clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

namespace millrace {

class AttemptDelays {
 public:
  static constexpr std::chrono::milliseconds kFirst{100};
  static constexpr std::chrono::milliseconds kMost{4000};
  static constexpr std::uint64_t kForgottenAfterMs = 10 * 60 * 1000;
  static constexpr std::size_t kMostAddresses = 4096;

  /// One more failure. Doubles from kFirst to kMost. Where more addresses fail than are remembered, those that failed
  /// longest ago are forgotten.
  std::chrono::milliseconds failed(const std::string& address, std::uint64_t now_ms);
  std::size_t addresses() const { return failures_.size(); }

 private:
  struct Failures {
    std::uint32_t count = 0;
    std::uint64_t last_ms = 0;
  };
  std::map<std::string, Failures> failures_;
};

/// What counts as one address: an IPv4 address, or the first 64 bits of an IPv6 one, which are one customer's. "" where
/// the socket has none.
std::string attempt_address(int socket);

}  // namespace millrace
