#include "net/tcp_info.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace millrace {

TcpMeasured measure_tcp(int descriptor) {
  tcp_info info{};
  socklen_t length = sizeof info;
  if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return {};
  return {info.tcpi_rtt * 1e-6, static_cast<double>(info.tcpi_delivery_rate)};
}

}  // namespace millrace
