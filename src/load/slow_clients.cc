#include "load/slow_clients.h"

#include <netdb.h>
#include <sys/socket.h>

#include <cerrno>

#include "wire/messages.h"

namespace millrace {

namespace {

constexpr std::chrono::milliseconds kByteTime{1000};
constexpr int kReaderBuffer = 4096;      ///< bytes that the kernel takes for a reader ahead of it
constexpr std::uint32_t kRequests = 16;  ///< of a reader

template <typename Message>
std::string frame(std::uint32_t stream, const Message& message) {
  const Buffer payload = wire::encode(message);
  Buffer bytes;
  append_frame_header(bytes, {static_cast<std::uint8_t>(Message::kType), kMustUnderstand, stream,
                              static_cast<std::uint32_t>(payload.size())});
  append(bytes, payload);
  return std::string(as_text(bytes));
}

/// Said at once: nobody has to wait for who a client is.
std::string greeting(const std::optional<std::string>& token) {
  std::string bytes = frame(0, wire::Hello{});
  if (token) bytes += frame(0, wire::Authenticate{*token});
  return bytes;
}

std::string writers_request() {
  wire::UploadDelta upload;
  upload.path = "load/slow";
  upload.bytes = 1 << 20;
  return frame(1, upload);
}

std::string readers_request(const std::string& path) {
  std::string bytes;
  for (std::uint32_t i = 0; i < kRequests; ++i) {
    wire::Download download;
    download.path = path;
    bytes += frame(2 * i + 1, download);
  }
  return bytes;
}

Result<Socket> connect_to(const addrinfo& address, int receive_buffer) {
  Socket socket(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return fail(system_error(errno, "A slow client has no socket"));
  if (receive_buffer > 0)
    setsockopt(socket.descriptor(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  if (::connect(socket.descriptor(), address.ai_addr, address.ai_addrlen) == 0) return socket;
  return fail(Code::kNetwork, system_error(errno, "A slow client cannot connect").sentence);
}

}  // namespace

SlowClients::SlowClients(Loop& loop) : timer_(loop, kByteTime, [this] { tick(); }) {}

Result<std::unique_ptr<SlowClients>> SlowClients::connect(Loop& loop, const std::string& host, const std::string& port,
                                                          std::uint32_t count, const std::string& path,
                                                          const std::optional<std::string>& token) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int looked_up = getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (looked_up != 0)
    return fail(Code::kNetwork, "The host '" + host + "' cannot be found: " + gai_strerror(looked_up));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> address(found, freeaddrinfo);
  std::unique_ptr<SlowClients> slow(new SlowClients(loop));
  for (std::uint32_t i = 0; i < count; ++i) {
    const bool reader = i % 2 == 1;
    MILLRACE_ASSIGN(Socket socket, connect_to(*address, reader ? kReaderBuffer : 0));
    const std::string request = greeting(token) + (reader ? readers_request(path) : std::string());
    if (send(socket.descriptor(), request.data(), request.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
      return fail(Code::kNetwork, system_error(errno, "A slow client cannot send").sentence);
    slow->clients_.push_back({std::move(socket), reader ? std::string() : writers_request()});
  }
  return slow;
}

void SlowClients::tick() {
  std::erase_if(clients_, [](Client& client) {
    ssize_t moved = 0;
    char byte = 0;
    if (client.unsent.empty()) {
      moved = recv(client.socket.descriptor(), &byte, 1, MSG_DONTWAIT);
      if (moved == 0) errno = ECONNRESET;
    } else {
      moved = send(client.socket.descriptor(), client.unsent.data(), 1, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (moved > 0) client.unsent.erase(0, 1);
    }
    return moved <= 0 && errno != EAGAIN && errno != EWOULDBLOCK;
  });
}

}  // namespace millrace
