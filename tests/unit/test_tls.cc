// net/tls_stream: TLS on sockets of one loop, and what goes wrong with it.
#include <catch2/catch.hpp>
#include <filesystem>
#include <optional>

#include "net/certificate.h"
#include "net/listener.h"
#include "net/tcp.h"
#include "net/tls_stream.h"
#include "support/bytes.h"

using namespace millrace;

namespace {

struct Folder {
  Folder() {
    char name[] = "/tmp/millrace-tls-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string path;
};

/// A server and a client, each with a TLS stream, on one loop.
struct Pair {
  explicit Pair(const TlsContext::ClientFiles& client_files = {}, const std::string& host = "127.0.0.1") {
    const std::string certificate = folder.path + "/c.pem";
    const std::string key = folder.path + "/k.pem";
    REQUIRE(ensure_certificate(certificate, key, "server.example"));
    fingerprint = fingerprint_in(certificate).value();
    auto files = client_files;
    if (files.ca == "own") files.ca = certificate;
    server_context = TlsContext::for_server({certificate, key, {}}).value();
    client_context = TlsContext::for_client(files).value();
    listener = TcpListener::listen(loop, "127.0.0.1", 0, [this](Socket socket, Descriptors) {
                 auto tcp = std::make_unique<TcpStream>(loop);
                 REQUIRE(tcp->adopt(std::move(socket)));
                 server = std::make_unique<TlsStream>(std::move(tcp), *server_context, "", nullptr);
                 server->set_plain_answer(test::random_bytes(5, 1));
                 server->start({[this](ByteView bytes) {
                                  append(server_got, bytes);
                                  if (on_server_bytes) on_server_bytes();
                                },
                                nullptr, [this](const Error& error) { server_end = error; }});
               }).value();
    auto tcp = std::make_unique<TcpStream>(loop);
    raw = tcp.get();
    client = std::make_unique<TlsStream>(std::move(tcp), *client_context, host, [this](const TlsPeer& peer) {
      seen = peer;
      return refuse ? Status(fail(Code::kTls, "not this one")) : Status();
    });
  }

  /// Connects, starts the client's stream, runs until `over` or an end.
  void run(const std::function<bool()>& over) {
    raw->connect("127.0.0.1", std::to_string(listener->port()), [this](Status status) {
      REQUIRE(status);
      client->start({[this](ByteView bytes) { append(client_got, bytes); }, nullptr,
                     [this](const Error& error) { client_end = error; }});
    });
    while (!over()) uv_run(loop.raw(), UV_RUN_ONCE);
  }

  void say(TlsStream& from, const Buffer& bytes) {
    std::vector<WritePiece> pieces;
    pieces.push_back({bytes, nullptr, {}});
    from.write(std::move(pieces));
  }

  ~Pair() {
    client.reset();
    server.reset();
    listener.reset();
    loop.run();
  }

  Folder folder;
  Loop loop;
  std::string fingerprint;
  std::optional<TlsContext> server_context;
  std::optional<TlsContext> client_context;
  std::unique_ptr<TcpListener> listener;
  std::unique_ptr<TlsStream> server;
  std::unique_ptr<TlsStream> client;
  TcpStream* raw = nullptr;
  std::function<void()> on_server_bytes;
  Buffer server_got;
  Buffer client_got;
  std::optional<Error> server_end;
  std::optional<Error> client_end;
  std::optional<TlsPeer> seen;
  bool refuse = false;
};

}  // namespace

SCENARIO("what is written before the handshake arrives, in both directions, and in the order written") {
  Pair pair;
  const Buffer large = test::random_bytes(3'000'000, 1);
  const Buffer answer = test::random_bytes(100'000, 2);
  pair.on_server_bytes = [&] {
    if (pair.server_got.size() == large.size() + 7) pair.say(*pair.server, answer);
  };
  const Buffer first = test::random_bytes(7, 3);
  pair.say(*pair.client, first);
  pair.say(*pair.client, large);
  REQUIRE(pair.client->pending_bytes() == large.size() + 7);
  pair.run([&] { return pair.client_got.size() >= answer.size() || pair.client_end; });
  REQUIRE(!pair.client_end);
  Buffer expected = first;
  append(expected, large);
  REQUIRE((pair.server_got == expected));  // not decomposed: nobody wants to read it
  REQUIRE((pair.client_got == answer));
  REQUIRE(pair.seen->fingerprint == pair.fingerprint);
  REQUIRE(pair.client->bytes_written() > large.size());
  REQUIRE(pair.client->bytes_written() < large.size() + large.size() / 100);
}

SCENARIO("pieces of every size arrive as they were written") {
  Pair pair;
  Buffer all;
  for (std::uint64_t i = 0; i < 300; ++i) {
    std::vector<WritePiece> pieces;
    for (const std::size_t bytes : {std::size_t{1}, i * 97 % 40'000, std::size_t{16'384}, std::size_t{0}}) {
      WritePiece piece{test::random_bytes(bytes, i), nullptr, {}};
      const auto body = std::make_shared<Buffer>(test::random_bytes(i * 31 % 20'000, i + 1));
      append(all, piece.header);
      append(all, *body);
      piece.owner = body;
      piece.payload = *body;
      pieces.push_back(std::move(piece));
    }
    pair.client->write(std::move(pieces));
  }
  pair.run([&] { return pair.server_got.size() >= all.size() || pair.client_end; });
  REQUIRE((pair.server_got == all));
}

SCENARIO("an end that was said arrives behind what was written") {
  Pair pair;
  pair.say(*pair.client, Buffer(1000));
  pair.client->finish_writing();
  pair.run([&] { return pair.server_end.has_value(); });
  REQUIRE(pair.server_got.size() == 1000);
  REQUIRE(pair.server_end->code == Code::kNetwork);
}

SCENARIO("a peer that is not believed gets nothing of what was to be said") {
  Pair pair;
  pair.refuse = true;
  pair.say(*pair.client, Buffer(1000));
  pair.run([&] { return pair.client_end.has_value(); });
  REQUIRE(pair.client_end->sentence == "not this one");
  pair.client.reset();
  while (!pair.server_end) uv_run(pair.loop.raw(), UV_RUN_ONCE);
  REQUIRE(pair.server_got.empty());
}

SCENARIO("a certificate is checked against authorities and the host's name") {
  {
    Pair right({"own", {}, {}}, "server.example");
    right.say(*right.client, Buffer(10));
    right.run([&] { return right.server_got.size() == 10 || right.client_end; });
    REQUIRE(!right.client_end);
  }
  {
    Pair number({"own", {}, {}}, "127.0.0.1");
    number.say(*number.client, Buffer(10));
    number.run([&] { return number.server_got.size() == 10 || number.client_end; });
    REQUIRE(!number.client_end);
  }
  Pair other({"own", {}, {}}, "other.example");
  other.run([&] { return other.client_end.has_value(); });
  REQUIRE(other.client_end->code == Code::kTls);
  REQUIRE(other.client_end->sentence.find("certificate") != std::string::npos);
}

SCENARIO("who does not speak TLS is answered in plain words and ended") {
  for (const std::string& said : {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(1, '\x01')}) {
    Pair pair;
    TcpStream plain(pair.loop);
    Buffer got;
    plain.connect("127.0.0.1", std::to_string(pair.listener->port()), [&](Status status) {
      REQUIRE(status);
      plain.start({[&](ByteView bytes) { append(got, bytes); }, nullptr, nullptr});
      std::vector<WritePiece> pieces;
      pieces.push_back({Buffer(said.begin(), said.end()), nullptr, {}});
      plain.write(std::move(pieces));
    });
    while (got.size() < 5) uv_run(pair.loop.raw(), UV_RUN_ONCE);
    REQUIRE(got == test::random_bytes(5, 1));
    REQUIRE(!pair.server_end);  // it listens on, lest its answer is lost
    plain.close();
    while (!pair.server_end) uv_run(pair.loop.raw(), UV_RUN_ONCE);
    REQUIRE(pair.server_end->code == Code::kTls);
  }
}

SCENARIO("bytes that were changed on the way end the connection") {
  Pair pair;
  const Buffer garbage = [] {
    Buffer bytes = test::random_bytes(500, 3);
    bytes[0] = 22, bytes[1] = 3, bytes[2] = 1, bytes[3] = 0, bytes[4] = 200;
    return bytes;
  }();
  TcpStream plain(pair.loop);
  plain.connect("127.0.0.1", std::to_string(pair.listener->port()), [&](Status status) {
    REQUIRE(status);
    std::vector<WritePiece> pieces;
    pieces.push_back({garbage, nullptr, {}});
    plain.start({nullptr, nullptr, nullptr});
    plain.write(std::move(pieces));
  });
  while (!pair.server_end) uv_run(pair.loop.raw(), UV_RUN_ONCE);
  REQUIRE(pair.server_end->code == Code::kTls);
  REQUIRE(pair.server_got.empty());
  plain.close();
}

SCENARIO("a certificate is made once, keeps its key when it is lost, and its key is nobody else's to read") {
  const Folder folder;
  const std::string certificate = folder.path + "/c.pem";
  const std::string key = folder.path + "/k.pem";
  REQUIRE(ensure_certificate(certificate, key, "a"));
  const std::string first = fingerprint_in(certificate).value();
  REQUIRE(std::filesystem::status(key).permissions() ==
          (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
  REQUIRE(ensure_certificate(certificate, key, "a"));
  std::filesystem::remove(certificate);
  REQUIRE(ensure_certificate(certificate, key, "a"));
  REQUIRE(fingerprint_in(certificate).value() == first);
  std::filesystem::remove(key);
  REQUIRE(ensure_certificate(certificate, key, "a"));
  REQUIRE(fingerprint_in(certificate).value() != first);
  REQUIRE(TlsContext::for_server({certificate, key, {}}));
  const Folder other;
  REQUIRE(ensure_certificate(other.path + "/c.pem", other.path + "/k.pem", "b"));
  REQUIRE(TlsContext::for_server({certificate, other.path + "/k.pem", {}}).error().code == Code::kTls);
  REQUIRE(TlsContext::for_server({folder.path + "/none", key, {}}).error().code == Code::kTls);
}
