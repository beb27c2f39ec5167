// millraced put together: a listener, a session for each connection, the store behind them.
#pragma once

#include <set>

#include "session/session.h"
#include "sync/server_conversations.h"

namespace millrace {

class Server {
 public:
  Server(Loop& loop, ServerContext context) : loop_(loop), context_(std::move(context)) {}
  /// Errors: the listener's.
  Status listen(const std::string& host, std::uint16_t port);
  std::uint16_t port() const { return listener_->port(); }
  /// Closes everything; running jobs end by themselves.
  void stop();

 private:
  void on_connection(uv_stream_t* listener);
  Loop& loop_;
  ServerContext context_;
  std::unique_ptr<TcpListener> listener_;
  std::set<std::shared_ptr<Session>> sessions_;
};

}  // namespace millrace
