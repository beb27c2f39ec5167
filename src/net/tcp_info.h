// What the kernel knows of a connection. Apart from the rest of net, since the kernel's header that names the delivery
// rate and libuv's headers cannot be included together.
#pragma once

namespace millrace {

struct TcpMeasured {
  double rtt_seconds = 0;       ///< smoothed
  double bytes_per_second = 0;  ///< latest delivery rate; 0: not known yet
};

/// Zeros where the descriptor is no TCP socket.
TcpMeasured measure_tcp(int descriptor);

}  // namespace millrace
