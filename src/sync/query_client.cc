#include "sync/query_client.h"

namespace millrace {

namespace {

/// One message out, one message back.
template <typename Reply>
class Exchange final : public Conversation, public std::enable_shared_from_this<Exchange<Reply>> {
 public:
  Exchange(StreamPort& port, std::function<void(Result<Reply>)> done) : port_(port), done_(std::move(done)) {}

  Status on_message(FrameType type, ByteView payload) override {
    if (type != Reply::kType) return fail(Code::kProtocol, "The server answered with a message of another kind.");
    MILLRACE_ASSIGN(Reply reply, wire::decode<Reply>(payload));
    const auto self = this->shared_from_this();
    port_.finish();
    report(std::move(reply));
    return {};
  }
  Status on_data(ByteView) override {
    return fail(Code::kProtocol, "The server sent bytes that this request does not expect.");
  }
  void on_closed(const Error& error) override { report(fail(error)); }

 private:
  void report(Result<Reply> reply) {
    if (auto done = std::exchange(done_, nullptr)) done(std::move(reply));
  }
  StreamPort& port_;
  std::function<void(Result<Reply>)> done_;
};

template <typename Reply, typename Request>
std::shared_ptr<Conversation> ask(StreamPort& port, const Request& request, std::function<void(Result<Reply>)> done) {
  auto exchange = std::make_shared<Exchange<Reply>>(port, std::move(done));
  port.send(request);
  return exchange;
}

}  // namespace

template <typename Request>
std::shared_ptr<Conversation> make_query(StreamPort& port, const Request& request, EntriesDone done) {
  return ask<wire::Entries>(port, request, std::move(done));
}
template <typename Request>
std::shared_ptr<Conversation> make_request(StreamPort& port, const Request& request, RequestDone done) {
  return ask<wire::Done>(port, request, std::move(done));
}

template std::shared_ptr<Conversation> make_query(StreamPort&, const wire::List&, EntriesDone);
template std::shared_ptr<Conversation> make_query(StreamPort&, const wire::Stat&, EntriesDone);
template std::shared_ptr<Conversation> make_query(StreamPort&, const wire::Changes&, EntriesDone);
template std::shared_ptr<Conversation> make_query(StreamPort&, const wire::ListTrash&, EntriesDone);
template std::shared_ptr<Conversation> make_request(StreamPort&, const wire::Delete&, RequestDone);
template std::shared_ptr<Conversation> make_request(StreamPort&, const wire::Move&, RequestDone);
template std::shared_ptr<Conversation> make_request(StreamPort&, const wire::Verify&, RequestDone);
template std::shared_ptr<Conversation> make_request(StreamPort&, const wire::Restore&, RequestDone);

}  // namespace millrace
