#include "server/ping.h"

#include <cstdio>
#include <optional>

#include "base/address.h"
#include "net/timer.h"
#include "net/tls_stream.h"
#include "session/session.h"

namespace millrace {

namespace {

constexpr std::chrono::milliseconds kLook{10};
constexpr std::chrono::seconds kPatience{5};

/// A server that listens everywhere is reached on this machine.
std::string reachable(const std::string& host) {
  if (host == "0.0.0.0" || host.empty()) return "127.0.0.1";
  return host == "::" ? "::1" : host;
}

Status wait_for_hello(const std::string& host, const std::string& port, bool encrypted) {
  Loop loop;
  auto tcp = std::make_unique<TcpStream>(loop);
  TcpStream* const carrier = tcp.get();
  std::unique_ptr<Stream> stream = std::move(tcp);
  if (encrypted) {
    MILLRACE_ASSIGN(const auto context, TlsContext::for_client({}));
    std::unique_ptr<TcpStream> below(static_cast<TcpStream*>(stream.release()));
    stream = std::make_unique<TlsStream>(std::move(below), context, host, [](const TlsPeer&) { return Status(); });
  }
  std::optional<Status> result;
  const auto session =
      std::make_shared<Session>(loop, std::move(stream), Mux::Role::kClient, nullptr, [&](const Error& error) {
        if (!result) result = fail(error);
        loop.stop();
      });
  carrier->connect(host, port, [&](Status connected) {
    if (connected) return session->start();
    session->close(connected.error());
  });
  const auto end = std::chrono::steady_clock::now() + kPatience;
  {
    const Timer look(
        loop, kLook,
        [&] {
          if (session->mux().hello_received()) {
            result = Status();
          } else if (std::chrono::steady_clock::now() >= end) {
            result = fail(Code::kNetwork, "The server has not answered in 5 seconds.");
          }
          if (result) loop.stop();
        },
        KeepsLoop::kYes);
    while (!result) loop.run();
  }
  const Status answer = *result;
  session->close({Code::kCancelled, "The ping is over."});
  return answer;
}

}  // namespace

int ping(const ServeOptions& options, const std::string& url) {
  std::string host = options.host;
  std::string port = std::to_string(options.port);
  if (!url.empty()) {
    const auto parsed = parse_url(url);
    if (!parsed) return complain(parsed.error());
    host = parsed->host;
    port = parsed->port;
  }
  const Status answered = wait_for_hello(reachable(host), port, options.tls.encrypts(host));
  if (!answered) return complain(answered.error());
  std::printf("The server at %s:%s answers.\n", host.c_str(), port.c_str());
  return 0;
}

}  // namespace millrace
