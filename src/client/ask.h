// One request and its answer, waited for.
#pragma once

#include <optional>

#include "client/connection.h"
#include "sync/query_client.h"

namespace millrace {

/// `make(port, done)` returns the conversation. Errors: what the server says, and why there is no connection.
template <typename Reply, typename Make>
Result<Reply> ask(Connection& connection, const Make& make) {
  std::optional<Result<Reply>> answer;
  const auto opened = connection.mux().open([&](StreamPort& port) {
    return make(port, [&](Result<Reply> reply) {
      answer = std::move(reply);
      connection.wake();
    });
  });
  if (!opened) return fail(opened.error());
  connection.wait_until([&] { return answer.has_value(); });
  if (answer) return std::move(*answer);
  return fail(*connection.lost());
}

/// One entry for each path, in order. Errors: kProtocol when the server answers for other paths, and as above.
Result<std::vector<wire::EntryMessage>> ask_stat(Connection& connection, std::vector<std::string> paths);

}  // namespace millrace
