#include "server/service_manager.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <ctime>

namespace millrace {

namespace {

constexpr int kFirstSocket = 3;  ///< SD_LISTEN_FDS_START

/// The variable, which is removed.
std::string take(const char* name) {
  const char* const value = std::getenv(name);
  const std::string out = value == nullptr ? "" : value;
  ::unsetenv(name);
  return out;
}

bool is_mine(const std::string& pid) {
  return pid == std::to_string(::getpid());
}

}  // namespace

ServiceManager::ServiceManager() : address_(take("NOTIFY_SOCKET")) {
  const long long watchdog_us = std::atoll(take("WATCHDOG_USEC").c_str());
  const std::string watchdog_pid = take("WATCHDOG_PID");
  if (watchdog_us > 0 && (watchdog_pid.empty() || is_mine(watchdog_pid)))
    watchdog_ = std::chrono::milliseconds(watchdog_us / 1000);
  const int sockets = std::atoi(take("LISTEN_FDS").c_str());
  if (is_mine(take("LISTEN_PID")) && sockets > 0) sockets_ = sockets;
  take("LISTEN_FDNAMES");
  // Nothing that this process starts shall inherit them.
  for (int i = 0; i < sockets_; ++i) (void)::fcntl(kFirstSocket + i, F_SETFD, FD_CLOEXEC);
}

void ServiceManager::tell(const std::string& lines) const {
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  if (address_.empty() || address_.size() >= sizeof to.sun_path) return;
  std::memcpy(to.sun_path, address_.data(), address_.size());
  if (to.sun_path[0] == '@') to.sun_path[0] = '\0';  // a name without a file
  const Socket socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  (void)!::sendto(socket.descriptor(), lines.data(), lines.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                  reinterpret_cast<const sockaddr*>(&to), length);
}

void ServiceManager::tell_reloading() const {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  tell("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(now.tv_sec * 1'000'000LL + now.tv_nsec / 1000));
}

Result<Socket> ServiceManager::take_listening_socket() {
  if (sockets_ > 1)
    return fail(Code::kUsage, "The service manager handed over " + std::to_string(sockets_) +
                                  " sockets; millraced listens on one address.");
  return Socket(std::exchange(sockets_, 0) == 1 ? kFirstSocket : -1);
}

}  // namespace millrace
