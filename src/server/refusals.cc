#include "server/refusals.h"

#include "server/last_words.h"

namespace millrace {

namespace {

constexpr std::chrono::seconds kRefusalTime{3};

}  // namespace

struct Refusals::Refused {
  std::unique_ptr<Stream> stream;
  Timer patience;
};

Refusals::Refusals(Loop& loop, std::shared_ptr<const ServerTls> tls, std::function<void()> on_ended)
    : loop_(loop), tls_(std::move(tls)), on_ended_(std::move(on_ended)) {}

Refusals::~Refusals() = default;

void Refusals::close_all() {
  refused_.clear();
}

void Refusals::refuse(Socket client, const Error& error) {
  const std::uint64_t number = next_number_++;
  auto tcp = std::make_unique<TcpStream>(loop_);
  if (!tcp->adopt(std::move(client))) return on_ended_();
  auto refused = std::unique_ptr<Refused>(
      new Refused{secure(std::move(tcp), tls_.get()), Timer(loop_, kRefusalTime, [this, number] { end(number); })});
  Stream& stream = *refused->stream;
  refused_.emplace(number, std::move(refused));
  // What it says is read and dropped: a socket that is closed over unread bytes would drop the last words.
  stream.start({[](ByteView) {}, nullptr, [this, number](const Error&) { end(number); }});
  std::vector<WritePiece> pieces;
  pieces.push_back({last_words(error), nullptr, {}});
  stream.write(std::move(pieces));
  stream.finish_writing();
}

void Refusals::end(std::uint64_t number) {
  refused_.erase(number);
  on_ended_();
}

}  // namespace millrace
