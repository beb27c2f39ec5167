// From an address to a stream: plain or encrypted, and whom to believe.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/address.h"
#include "client/known_hosts.h"
#include "net/tcp.h"

namespace millrace {

struct Security {
  enum class Mode : std::uint8_t {
    kAuto,  ///< encrypted, but for this machine itself
    kTls,
    kPlain,
  };
  Mode mode = Mode::kAuto;
  std::string ca;           ///< PEM: authorities to believe; empty: the server's key is pinned at the first connection
  std::string certificate;  ///< PEM, to show to the server
  std::string key;
  bool strict_pin = false;  ///< a server whose key is not known yet is refused
  std::string token_file;   ///< empty: see find_token()
  std::string token;        ///< empty: it is looked for
  std::string known_hosts = KnownHosts::default_path();
  std::function<void(const std::string&)> notice;  ///< what the user should know; may be empty
};

struct Dialled {
  std::unique_ptr<Stream> stream;
  TcpStream* tcp = nullptr;  ///< below it: connect this, then start the stream
};

/// Errors: kTls: files that cannot be used. That a server is not who it was comes by the stream's on_closed.
Result<Dialled> dial(Loop& loop, const Url& url, const Security& security);

}  // namespace millrace
