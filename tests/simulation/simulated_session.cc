#include "simulation/simulated_session.h"

#include <algorithm>

#include "session/hello.h"
#include "support/feed_in_place.h"

namespace millrace::simulation {

namespace {

constexpr std::size_t kShortMessage = 1024;
constexpr std::uint64_t kMostLeaveMs = 5000;

/// What a deferred job answers, once: when it is finished, or when it goes without having begun.
class Answer {
 public:
  Answer(std::shared_ptr<SimulatedLoop> loop, std::function<void()> end)
      : loop_(std::move(loop)), end_(std::move(end)) {}
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;
  void give_end() {
    if (auto end = std::exchange(end_, nullptr)) loop_->post(std::move(end));
  }

 private:
  std::shared_ptr<SimulatedLoop> loop_;
  std::function<void()> end_;
};

Workers workers_of(Lane lane) {
  return lane == Lane::kDisk ? Workers::kDisk : lane == Lane::kCatalogue ? Workers::kCatalogue : Workers::kCpu;
}

Link random_link(SeededRandom& random) {
  if (random.below(2) == 0) return {};
  return {static_cast<double>(random.below(200)) / 1000, static_cast<double>(1000 + random.below(50'000'000))};
}

}  // namespace

SimulatedSession::SimulatedSession(std::shared_ptr<SimulatedLoop> loop, SimulatedLanes& lanes,
                                   std::shared_ptr<SimulatedWire> wire, int side, Accept accept,
                                   std::function<void()> on_closed, std::shared_ptr<MemoryBudget> budget)
    : loop_(std::move(loop)),
      lanes_(lanes),
      owner_(lanes.new_owner()),
      wire_(std::move(wire)),
      side_(side),
      accept_(std::move(accept)),
      on_closed_(std::move(on_closed)),
      budget_(std::move(budget)),
      link_(random_link(loop_->simulation().random)),
      mux_(accept_ ? Mux::Role::kServer : Mux::Role::kClient, hello_for(budget_.get()), *this) {}

void SimulatedSession::start() {
  wire_->connect(side_, weak_from_this());
  is_started_ = true;
  flush();
  wire_->resume(side_);
}

void SimulatedSession::on_bytes(ByteView bytes) {
  const auto self = shared_from_this();
  if (closing_ || is_closed_) return;
  if (const auto status = test::feed_in_place(mux_, bytes); !status) closing_ = status.error();
  flush();
}

void SimulatedSession::on_cut() {
  close(closing_.value_or(Error{Code::kNetwork, "The connection was lost."}));
}

bool SimulatedSession::is_reading() {
  if (closing_ || is_closed_) return false;
  if (is_guest_ || mux_.may_read()) return true;
  is_starved_ = true;
  return false;
}

void SimulatedSession::read_again() {
  is_starved_ = false;
  flush();
  wire_->resume(side_);
}

void SimulatedSession::watch(const PeerRules& rules, std::uint64_t now_ms) {
  const auto self = shared_from_this();
  if (is_closed_) return;
  if (closing_) {
    if (!closing_since_) closing_since_ = now_ms;
    if (now_ms - *closing_since_ >= kMostLeaveMs) close(*closing_);
    return;
  }
  (void)mux_.end_long_waits(now_ms, rules.memory_wait_seconds * 1000);
  const Mux::Standing standing = mux_.standing();
  const bool is_contended = budget_ && (budget_->waiting() > 0 || budget_->over());
  const bool holds =
      !mux_.hello_received() || standing.holds || wire_->pending(side_) > 0 || (standing.transfers > 0 && is_contended);
  const bool is_ours_to_go_on = jobs_ > 0 || standing.waits_for_memory || (is_starved_ && wire_->unread(side_) > 0);
  const PeerWatch::Standing seen{holds && !is_ours_to_go_on, standing.is_idle && wire_->pending(side_) == 0,
                                 standing.moved};
  const auto error = peer_watch_.look(rules, now_ms, seen);
  if (!error) return;
  closing_ = *error;
  mux_.abort(*error);
  flush();
}

void SimulatedSession::wants_write() {
  if (is_started_ && !is_closed_) flush();
}

void SimulatedSession::flush() {
  if (is_flushing_ || is_closed_) return;
  is_flushing_ = true;
  while (wire_->has_room(side_)) {
    auto piece = mux_.next_output();
    if (!piece) break;
    if (budget_ && !piece->payload.owner && piece->header.size() > kShortMessage)
      piece->payload.owner = std::make_shared<MemoryCharge>(budget_, piece->header.size());
    wire_->send(side_, std::move(*piece));
  }
  is_flushing_ = false;
  if (closing_ && wire_->pending(side_) == 0) close(*closing_);
}

void SimulatedSession::run(JobKind kind, std::function<void()> work, std::function<void()> done) {
  ++jobs_;
  lanes_.run(workers_of(kind.lane), owner_, kind.urgency, std::move(work),
             [self = shared_from_this(), done = std::move(done)] {
               --self->jobs_;
               if (!self->is_closed_) done();
             });
}

void SimulatedSession::run_deferred(JobKind kind, std::function<void(std::function<void()>)> work,
                                    std::function<void()> done) {
  ++jobs_;
  const auto answer = std::make_shared<Answer>(loop_, [self = shared_from_this(), done = std::move(done)] {
    --self->jobs_;
    if (!self->is_closed_) done();
  });
  lanes_.run(
      workers_of(kind.lane), owner_, kind.urgency,
      [work = std::move(work), answer] { work([answer] { answer->give_end(); }); }, [] {});
}

Result<std::shared_ptr<Conversation>> SimulatedSession::accept(FrameType type, ByteView payload, StreamPort& port) {
  if (!accept_) return millrace::fail(Code::kProtocol, "A client takes no requests.");
  return accept_(type, payload, port);
}

std::function<void(std::function<void()>)> SimulatedSession::poster() {
  return [loop = loop_](std::function<void()> call) { loop->post(std::move(call)); };
}

void SimulatedSession::close(const Error& error) {
  if (is_closed_) return;
  const auto self = shared_from_this();
  is_closed_ = true;
  wire_->cut(side_);
  mux_.on_transport_closed(error);
  lanes_.drop(owner_);
  if (const auto last = std::exchange(on_closed_, nullptr)) last();
}

}  // namespace millrace::simulation
