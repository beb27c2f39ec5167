#include "net/socket.h"

#include <netdb.h>
#include <sys/socket.h>

namespace millrace {

namespace {

struct Name {
  char host[NI_MAXHOST] = "";
  char port[NI_MAXSERV] = "";
};

/// As numbers; empty where `get` fails.
template <typename Get>
Name name_by(const Get& get, int descriptor) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  Name name;
  if (get(descriptor, generic, &length) != 0 || getnameinfo(generic, length, name.host, sizeof name.host, name.port,
                                                            sizeof name.port, NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return {};
  return name;
}

}  // namespace

std::string Socket::host() const {
  return name_by(::getsockname, descriptor()).host;
}

std::string Socket::peer() const {
  const Name name = name_by(::getpeername, descriptor());
  const std::string host = name.host;
  if (host.empty()) return {};
  return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + name.port;
}

}  // namespace millrace
