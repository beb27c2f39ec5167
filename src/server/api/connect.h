// A WebSocket that carries the frames of the protocol: a page's way to a session.
#pragma once

#include "server/api/api_request.h"

namespace millrace {

/// What both sides call what they speak in the WebSocket.
inline constexpr std::string_view kWebSocketProtocol = "millrace.1";

/// The session is begun with the token that the request shows, unless it sends one of its own.
std::shared_ptr<HttpHandler> connect(ApiRequest request);

}  // namespace millrace
