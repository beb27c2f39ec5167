// A descriptor that is closed with its owner.
#pragma once

#include <unistd.h>

#include <string>
#include <utility>

namespace millrace {

class Socket {
 public:
  Socket() = default;
  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  Socket(Socket&& other) noexcept : descriptor_(other.release()) {}
  Socket& operator=(Socket&& other) noexcept {
    Socket old(std::exchange(descriptor_, other.release()));
    return *this;
  }
  ~Socket() {
    if (is_open()) ::close(descriptor_);
  }
  bool is_open() const { return descriptor_ >= 0; }
  int descriptor() const { return descriptor_; }
  /// The address that it is bound to, as a number; empty where it has none.
  std::string host() const;
  /// Who is on the other side, "ADDRESS:PORT"; empty where that cannot be told.
  std::string peer() const;
  /// The caller's from now on.
  int release() { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_ = -1;
};

}  // namespace millrace
