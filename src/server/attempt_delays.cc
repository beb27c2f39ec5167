#include "server/attempt_delays.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

namespace millrace {

std::chrono::milliseconds AttemptDelays::failed(const std::string& address, std::uint64_t now_ms) {
  if (!failures_.contains(address) && failures_.size() >= kMostAddresses) {
    std::erase_if(failures_, [now_ms](const auto& one) { return now_ms - one.second.last_ms >= kForgottenAfterMs; });
    if (failures_.size() >= kMostAddresses) {
      const auto by_time = [](const auto& a, const auto& b) { return a.second.last_ms < b.second.last_ms; };
      failures_.erase(std::min_element(failures_.begin(), failures_.end(), by_time));
    }
  }
  Failures& failures = failures_[address];
  if (now_ms - failures.last_ms >= kForgottenAfterMs) failures.count = 0;
  failures.last_ms = now_ms;
  auto delay = kFirst;
  for (std::uint32_t i = 0; i < failures.count && delay < kMost; ++i) delay *= 2;
  if (delay < kMost) ++failures.count;
  return std::min(delay, kMost);
}

std::string attempt_address(int socket) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&address), &length) != 0) return {};
  if (address.ss_family == AF_INET) {
    const auto& four = reinterpret_cast<const sockaddr_in&>(address);
    return {reinterpret_cast<const char*>(&four.sin_addr), sizeof four.sin_addr};
  }
  if (address.ss_family != AF_INET6) return {};
  const auto& six = reinterpret_cast<const sockaddr_in6&>(address);
  const char* const bytes = reinterpret_cast<const char*>(&six.sin6_addr);
  constexpr std::size_t kMapped = 12;
  if (IN6_IS_ADDR_V4MAPPED(&six.sin6_addr)) return {bytes + kMapped, 4};
  return {bytes, 8};
}

}  // namespace millrace
