// The descriptor of a socket, closed with its owner.
#pragma once

#include <string>

#include "net/descriptor.h"

namespace millrace {

class Socket {
 public:
  Socket() = default;
  explicit Socket(int descriptor) : held_(descriptor) {}
  bool is_open() const { return held_.is_open(); }
  int descriptor() const { return held_.number(); }
  /// The address that it is bound to, as a number; empty where it has none.
  std::string host() const;
  /// Who is on the other side, "ADDRESS:PORT"; empty where that cannot be told.
  std::string peer() const;
  /// The caller's from now on.
  int release() { return held_.release(); }

 private:
  Descriptor held_;
};

}  // namespace millrace
