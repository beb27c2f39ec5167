// One request by HTTP, with all that its handler needs.
#pragma once

#include "http/handler.h"
#include "net/loop.h"
#include "server/api/api_context.h"

namespace millrace {

/// A connection of the protocol's own, once it can carry one.
struct Arrival {
  std::uint64_t id = 0;              ///< of the connection, in this process
  std::string_view kind;             ///< as in SessionView
  std::string peer;                  ///< its address
  std::string address;               ///< see attempt_address()
  std::optional<std::string> token;  ///< what the request showed that it began as
  std::unique_ptr<Stream> stream;    ///< null: it was lost
  bool is_encrypted = false;
};
using BeginSession = std::function<void(Arrival)>;

struct ApiRequest {
  const ApiContext& context;
  Loop& loop;
  LoopMonitor& monitor;
  RequestOrigin origin;
  HttpRequest request;
  HttpPort& port;
  std::string peer;                   ///< its address
  std::string address;                ///< the same, as failures to authenticate are counted by
  const BeginSession& begin_session;  ///< on the loop
  Grant grant;                        ///< who asks
  std::string path;                   ///< of the address, still encoded, behind what the route is named by
  std::chrono::steady_clock::time_point began;
  std::uint64_t memory_wait_seconds = 0;  ///< as long as it waits for memory

  const Principal& principal() const { return grant.principal; }
  /// It may see what everybody does, and the server's warnings.
  bool sees_all() const { return grant.token_id.empty() || grant.principal.scope.monitor; }
  /// It may see the figures of the whole server, which name nobody.
  bool sees_figures() const { return sees_all() || grant.principal.scope.read; }
  /// Whose transfers and sessions it may see; nothing: everybody's.
  std::optional<std::string> sees() const {
    if (sees_all()) return std::nullopt;
    return grant.principal.account;
  }
  /// Whose it may end; nothing: everybody's. Who watches changes nothing.
  std::optional<std::string> ends() const {
    if (grant.token_id.empty()) return std::nullopt;
    return grant.principal.account;
  }
};

/// What is written down and counted of it.
void note_end(const ApiRequest& request, Operation operation, bool changes, const std::string& path,
              const std::optional<Code>& error, const std::optional<Version>& version = {},
              std::uint64_t wire_bytes = 0, const std::string& target = {});

/// Finds out on a worker whose token it is; says no only after a while, the longer the more often it did. `done` on the
/// loop. For one request at a time.
void admit(const ApiRequest& request, std::optional<std::string> token, std::function<void(const Result<Grant>&)> done);

using MakeApiHandler = std::shared_ptr<HttpHandler> (*)(ApiRequest);

/// Answers at once.
std::shared_ptr<HttpHandler> answered();
std::shared_ptr<HttpHandler> refused(ApiRequest& request, Operation operation, const HttpProblem& problem);

/// Asks the store (or whatever else blocks) on a worker, and answers with what `reply` makes of it on the loop.
template <typename Value>
class BlockingRequest final : public HttpHandler, public std::enable_shared_from_this<BlockingRequest<Value>> {
 public:
  using Work = std::function<Result<Value>()>;
  using Reply = std::function<void(ApiRequest&, const Result<Value>&)>;
  explicit BlockingRequest(ApiRequest request) : request_(std::move(request)) {}
  void start(Workers workers, Work work, Reply reply) {
    const auto value = std::make_shared<Result<Value>>(fail(Code::kInternal, "The job did not run."));
    request_.port.run(
        workers, Urgency::kMetadata, [value, work = std::move(work)] { *value = work(); },
        [self = this->shared_from_this(), value, reply = std::move(reply)] { reply(self->request_, *value); });
  }

 private:
  ApiRequest request_;
};

template <typename Value>
std::shared_ptr<HttpHandler> ask_blocking(ApiRequest request, Workers workers,
                                          typename BlockingRequest<Value>::Work work,
                                          typename BlockingRequest<Value>::Reply reply) {
  auto handler = std::make_shared<BlockingRequest<Value>>(std::move(request));
  handler->start(workers, std::move(work), std::move(reply));
  return handler;
}

}  // namespace millrace
