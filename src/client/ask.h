// One request and its answer, waited for.
#pragma once

#include <optional>
#include <type_traits>

#include "client/connection.h"
#include "sync/query_client.h"

namespace millrace {

template <typename Reply, typename Make>
Result<Reply> ask_once(Connection& connection, const Make& make) {
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

/// `make(port, done)` returns the conversation. Errors: what the server says, and why there is no connection. A server
/// that goes away is asked again on a new connection, unless it may have done already what was asked.
template <typename Reply, typename Make>
Result<Reply> ask(Connection& connection, const Make& make) {
  for (;;) {
    auto reply = ask_once<Reply>(connection, make);
    const bool is_undone = !reply && (reply.error().code == Code::kBusy ||
                                      (std::is_same_v<Reply, wire::Entries> && reply.error().code == Code::kNetwork));
    if (!is_undone || !connection.may_renew()) return reply;
    MILLRACE_TRY(connection.renew());
  }
}

/// One entry for each path, in order. Errors: kProtocol when the server answers for other paths, and as above.
Result<std::vector<wire::EntryMessage>> ask_stat(Connection& connection, std::vector<std::string> paths);

}  // namespace millrace
