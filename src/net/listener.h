// Accepts TCP connections for whatever loop is to serve them, also where descriptors run out.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "net/loop.h"
#include "net/socket.h"

namespace millrace {

/// A descriptor is kept in reserve. When the process has no other left, one connection is accepted with it, so that its
/// peer can be told.
enum class Descriptors : std::uint8_t { kLeft, kExhausted };

class TcpListener {
 public:
  using OnConnection = std::function<void(Socket, Descriptors)>;
  /// `on_connection` may pause the listener, not drop it. Once it has got a connection with kExhausted, nothing more is
  /// accepted until resume(). Errors: kConflict when the port is taken, kUsage for an address that does not exist here.
  static Result<std::unique_ptr<TcpListener>> listen(Loop& loop, const std::string& host, std::uint16_t port,
                                                     OnConnection on_connection);
  /// On a socket that listens already, as systemd hands it over. Errors: kUsage for any other descriptor.
  static Result<std::unique_ptr<TcpListener>> adopt(Loop& loop, Socket socket, OnConnection on_connection);
  ~TcpListener();
  TcpListener(const TcpListener&) = delete;
  TcpListener& operator=(const TcpListener&) = delete;
  std::uint16_t port() const;
  /// Connections wait in the kernel's queue.
  void pause();
  /// Idempotent. Takes a descriptor in reserve again; where even that is not to be had, it tries again a little later.
  void resume();

 private:
  struct Handle;
  explicit TcpListener(Handle* handle) : handle_(handle) {}
  Handle* handle_;
};

}  // namespace millrace
