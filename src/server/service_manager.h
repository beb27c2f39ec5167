// How millraced talks with the service manager that started it (systemd's protocols, spoken directly: a datagram each).
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/error.h"
#include "net/socket.h"

namespace millrace {

/// From the environment, whose variables are removed: they are meant for this process alone. Without a manager all of
/// it does nothing.
class ServiceManager {
 public:
  ServiceManager();
  /// "READY=1", "STOPPING=1" and so on, several lines at once. What cannot be delivered is lost: nobody waits for it.
  void tell(const std::string& lines) const;
  /// RELOADING=1 with the time that the manager asks for; READY=1 ends it.
  void tell_reloading() const;
  /// How often "WATCHDOG=1" is expected at most; nothing: not at all.
  std::optional<std::chrono::milliseconds> watchdog() const { return watchdog_; }
  /// The listening socket that was handed over, once; not open where there is none. Errors: kUsage for several.
  Result<Socket> take_listening_socket();

 private:
  std::string address_;
  std::optional<std::chrono::milliseconds> watchdog_;
  int sockets_ = 0;
};

}  // namespace millrace
