#include "server/serving_loop.h"

namespace millrace {

namespace {
constexpr std::chrono::seconds kTick{1};
constexpr std::uint64_t kBurdenOfSession = 4096;
}  // namespace

ServingLoop::ServingLoop(const ServerContext& context, std::shared_ptr<Lanes> lanes)
    : context_(context), loop_(std::make_unique<Loop>(std::move(lanes))) {
  timer_ = std::make_unique<Timer>(*loop_, kTick, [this] { tick(); });
  // The answer comes from stop().
  loop_->mailbox().expect();
  thread_ = std::thread([this] { loop_->run(); });
}

ServingLoop::~ServingLoop() {
  thread_.join();
}

void ServingLoop::take(Socket client) {
  count_.fetch_add(1, std::memory_order_relaxed);
  const auto held = std::make_shared<Socket>(std::move(client));
  loop_->mailbox().post([this, held] { serve(std::move(*held)); });
}

void ServingLoop::serve(Socket client) {
  const std::uint64_t number = next_number_++;
  Served& served = served_[number];
  auto stream = std::make_unique<TcpStream>(*loop_);
  if (stopping_ || !stream->adopt(std::move(client))) return end(number);
  const auto accept = [this](FrameType type, ByteView payload, StreamPort& port) {
    return make_server_conversation(context_, Principal{}, type, payload, port);
  };
  served.session = std::make_shared<Session>(*loop_, std::move(stream), Mux::Role::kServer, accept,
                                             [this, number](const Error&) { end(number); });
  const auto session = served.session;
  session->start();
}

void ServingLoop::end(std::uint64_t number) {
  served_.erase(number);
  count_.fetch_sub(1, std::memory_order_relaxed);
}

void ServingLoop::stop() {
  loop_->mailbox().answer([this] {
    stopping_ = true;
    timer_.reset();
    while (!served_.empty()) {
      const auto session = served_.begin()->second.session;
      session->close({Code::kBusy, "The server is shutting down"});
    }
  });
}

void ServingLoop::tick() {
  std::uint64_t bytes = 0;
  for (auto& [number, served] : served_) {
    const TcpStream& stream = served.session->stream();
    const std::uint64_t moved = stream.bytes_read() + stream.bytes_written();
    bytes += moved - std::exchange(served.moved, moved);
  }
  recent_bytes_.store(recent_bytes_.load(std::memory_order_relaxed) / 2 + bytes, std::memory_order_relaxed);
}

std::uint64_t ServingLoop::burden() const {
  return recent_bytes_.load(std::memory_order_relaxed) + sessions() * kBurdenOfSession;
}

}  // namespace millrace
