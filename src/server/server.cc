#include "server/server.h"

namespace millrace {

Status Server::listen(const std::string& host, std::uint16_t port) {
  MILLRACE_ASSIGN(listener_,
                  TcpListener::listen(loop_, host, port, [this](uv_stream_t* listener) { on_connection(listener); }));
  return {};
}

void Server::on_connection(uv_stream_t* listener) {
  auto stream = std::make_unique<TcpStream>(loop_);
  if (!stream->accept_from(listener)) return;
  const auto accept = [this](FrameType type, ByteView payload, StreamPort& port) {
    return make_server_conversation(context_, Principal{}, type, payload, port);
  };
  auto slot = std::make_shared<std::weak_ptr<Session>>();
  auto session =
      std::make_shared<Session>(loop_, std::move(stream), Mux::Role::kServer, accept, [this, slot](const Error&) {
        if (const auto ended = slot->lock()) sessions_.erase(ended);
      });
  *slot = session;
  sessions_.insert(session);
  session->start();
}

void Server::stop() {
  listener_.reset();
  for (const auto sessions = sessions_; const auto& session : sessions)
    session->close({Code::kBusy, "The server is shutting down"});
}

}  // namespace millrace
