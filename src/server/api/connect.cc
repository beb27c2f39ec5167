#include "server/api/connect.h"

#include <algorithm>

#include "http/web_socket.h"
#include "server/api/authorization.h"

namespace millrace {

namespace {

/// `word` is among those of a list with commas.
bool lists(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    std::string_view one = list.substr(0, end);
    list.remove_prefix(std::min(end + 1, list.size()));
    one.remove_prefix(std::min(one.find_first_not_of(" \t"), one.size()));
    one = one.substr(0, one.find_last_not_of(" \t") + 1);
    if (same_word(one, word)) return true;
  }
  return false;
}

std::optional<HttpProblem> fault_of(const ApiRequest& asked) {
  const HttpRequest& request = asked.request;
  // Unlike with other requests, a page of another site could read what comes back.
  if (is_cross_site(request))
    return HttpProblem{403, {Code::kNotAllowed, "A page of another site may not connect to this server."}};
  const bool is_upgrade =
      lists(request.header("upgrade"), "websocket") && lists(request.header("connection"), "upgrade");
  if (!is_upgrade || request.header("sec-websocket-version") != "13")
    return HttpProblem{426, {Code::kVersion, "This address speaks WebSocket, version 13, and nothing else."}};
  if (request.method != "GET" || request.minor_version == 0 || request.has_body() ||
      !is_web_socket_key(request.header("sec-websocket-key")))
    return HttpProblem{400, {Code::kProtocol, "This is not how a WebSocket begins."}};
  if (!lists(request.header("sec-websocket-protocol"), kWebSocketProtocol))
    return HttpProblem{
        400, {Code::kVersion, "The WebSocket must ask for the protocol " + std::string(kWebSocketProtocol) + "."}};
  if (const Status may = asked.context.may_begin_session(); !may) return problem_of(may.error());
  return std::nullopt;
}

}  // namespace

std::shared_ptr<HttpHandler> connect(ApiRequest request) {
  if (const auto fault = fault_of(request)) {
    note_end(request, Operation::kHttpApi, false, request.request.path, fault->error.code);
    HttpHead head;
    if (fault->status == 426) head.add("Upgrade", "websocket").add("Sec-WebSocket-Version", "13");
    request.port.refuse(*fault, std::move(head));
    return answered();
  }
  note_end(request, Operation::kHttpApi, false, request.request.path, std::nullopt);
  HttpHead head;
  head.status = 101;
  head.add("Upgrade", "websocket")
      .add("Sec-WebSocket-Accept", web_socket_accept(request.request.header("sec-websocket-key")))
      .add("Sec-WebSocket-Protocol", std::string(kWebSocketProtocol));
  const auto arrival = std::make_shared<Arrival>();
  arrival->id = request.origin.connection;
  arrival->kind = "websocket";
  arrival->peer = request.peer;
  arrival->address = request.address;
  arrival->token = shown_token(request.request);
  arrival->is_encrypted = request.context.is_encrypted;
  request.port.upgrade(head, [arrival, begin = request.begin_session](std::unique_ptr<Stream> stream, Buffer early) {
    arrival->stream = std::make_unique<WebSocketStream>(std::move(stream), std::move(early));
    begin(std::move(*arrival));
  });
  return answered();
}

}  // namespace millrace
