// Clients that hold a server up: half of them send an upload's request one byte a second, half ask for files again and
// again and take one byte of the answer a second. They speak the protocol, on sockets of their own, without TLS.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "net/socket.h"
#include "net/timer.h"

namespace millrace {

class SlowClients {
 public:
  /// Connects `count` of them, blocking. `path` is a file that the readers ask for; `token` is what all show, where the
  /// server has accounts. Errors: kNetwork.
  static Result<std::unique_ptr<SlowClients>> connect(Loop& loop, const std::string& host, const std::string& port,
                                                      std::uint32_t count, const std::string& path,
                                                      const std::optional<std::string>& token);
  /// Those that the server has not sent away.
  std::size_t connected() const { return clients_.size(); }

 private:
  explicit SlowClients(Loop& loop);
  void tick();
  struct Client {
    Socket socket;
    std::string unsent;  ///< of a writer, else empty
  };
  std::vector<Client> clients_;
  Timer timer_;
};

}  // namespace millrace
