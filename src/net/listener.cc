#include "net/listener.h"

#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "net/timer.h"

namespace millrace {

namespace {

constexpr int kBacklog = 4096;       ///< the kernel cuts it to its own limit
constexpr int kAcceptsPerTurn = 64;  ///< then the loop's other work has its turn
constexpr std::chrono::milliseconds kRetry{100};

Socket reserve_descriptor() {
  return Socket(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

bool out_of_descriptors(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

struct TcpListener::Handle {
  uv_poll_t poll{};
  Loop* loop = nullptr;
  Socket socket;
  Socket reserve = reserve_descriptor();
  std::unique_ptr<Timer> retry;
  OnConnection on_connection;
  bool listening = false;

  void accept_some() {
    for (int i = 0; i < kAcceptsPerTurn && listening; ++i) {
      Socket accepted(accept4(socket.descriptor(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (accepted.is_open()) {
        on_connection(std::move(accepted), Descriptors::kLeft);
        continue;
      }
      if (out_of_descriptors(errno)) return accept_with_reserve();
      if (errno != EINTR && errno != ECONNABORTED) return;
    }
  }

  void accept_with_reserve() {
    pause();
    reserve = Socket();
    Socket accepted(accept4(socket.descriptor(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!accepted.is_open()) return try_later();
    on_connection(std::move(accepted), Descriptors::kExhausted);
  }

  void pause() {
    listening = false;
    retry.reset();
    uv_poll_stop(&poll);
  }

  void try_later() {
    if (!retry) retry = std::make_unique<Timer>(*loop, kRetry, [this] { resume(); });
  }

  void resume() {
    if (listening) return;
    if (!reserve.is_open()) reserve = reserve_descriptor();
    if (!reserve.is_open()) return try_later();
    retry.reset();
    listening = true;
    uv_poll_start(&poll, UV_READABLE,
                  [](uv_poll_t* handle, int, int) { static_cast<Handle*>(handle->data)->accept_some(); });
  }
};

Result<std::unique_ptr<TcpListener>> TcpListener::listen(Loop& loop, const std::string& host, std::uint16_t port,
                                                         OnConnection on_connection) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const std::string service = std::to_string(port);
  const int looked_up = getaddrinfo(host.c_str(), service.c_str(), &hints, &found);
  if (looked_up != 0)
    return fail(Code::kUsage, "The address '" + host + "' cannot be listened on: " + gai_strerror(looked_up));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> address(found, freeaddrinfo);
  Socket socket(::socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int yes = 1;
  const bool bound = socket.is_open() &&
                     setsockopt(socket.descriptor(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
                     bind(socket.descriptor(), address->ai_addr, address->ai_addrlen) == 0 &&
                     ::listen(socket.descriptor(), kBacklog) == 0;
  if (!bound && errno == EADDRINUSE) {
    return fail(Code::kConflict,
                "The port " + service + " is in use already; end the other program or choose another port.");
  }
  if (!bound)
    return fail(Code::kUsage,
                "The address " + host + ":" + service + " cannot be listened on: " + std::strerror(errno) + ".");
  return adopt(loop, std::move(socket), std::move(on_connection));
}

Result<std::unique_ptr<TcpListener>> TcpListener::adopt(Loop& loop, Socket socket, OnConnection on_connection) {
  int listens = 0;
  socklen_t length = sizeof listens;
  sockaddr_storage address{};
  socklen_t address_length = sizeof address;
  const int descriptor = socket.descriptor();
  const bool fits = getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0 && listens != 0 &&
                    getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &address_length) == 0 &&
                    (address.ss_family == AF_INET || address.ss_family == AF_INET6);
  if (!fits) return fail(Code::kUsage, "The descriptor that was handed over is no TCP socket that listens.");
  if (fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK) != 0 ||
      fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0)
    return fail(system_error(errno, "The socket that was handed over cannot be used"));
  auto* const handle = new Handle;
  handle->loop = &loop;
  handle->socket = std::move(socket);
  handle->on_connection = std::move(on_connection);
  handle->poll.data = handle;
  uv_poll_init(loop.raw(), &handle->poll, handle->socket.descriptor());
  std::unique_ptr<TcpListener> listener(new TcpListener(handle));
  listener->resume();
  return listener;
}

TcpListener::~TcpListener() {
  handle_->pause();
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_->poll),
           [](uv_handle_t* handle) { delete static_cast<Handle*>(handle->data); });
  handle_->socket = Socket();
}

std::uint16_t TcpListener::port() const {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  getsockname(handle_->socket.descriptor(), reinterpret_cast<sockaddr*>(&address), &length);
  const auto* const ip6 = reinterpret_cast<const sockaddr_in6*>(&address);
  const auto* const ip4 = reinterpret_cast<const sockaddr_in*>(&address);
  return ntohs(address.ss_family == AF_INET6 ? ip6->sin6_port : ip4->sin_port);
}

void TcpListener::pause() {
  handle_->pause();
}

void TcpListener::resume() {
  handle_->resume();
}

}  // namespace millrace
