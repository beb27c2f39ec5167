#include "simulation/simulated_server.h"

#include <algorithm>

#include "codec/sha256.h"
#include "codec/zstd_codec.h"

namespace millrace::simulation {

namespace {

constexpr std::uint64_t kMostOperations = 4000;  ///< of the disk between two crashes
constexpr std::int64_t kReadingTick = 10 * SimulatedClock::kMillisecond;
/// What the budget may be exceeded by: a part of one transfer (12 MiB), what workers decode, a read of the loop; these
/// files are small.
constexpr std::uint64_t kBudgetSlack = 14u << 20;

}  // namespace

SimulatedServer::SimulatedServer(Simulation& simulation)
    : simulation_(simulation),
      machine_(simulation),
      budget_bytes_(simulation.chance(3) ? MemoryBudget::kLeast : 64u << 20) {
  rules_.memory_wait_seconds = simulation.chance(4) ? 20 : 300;
  if (simulation.chance(4)) rules_.idle_seconds = 30;
}

void SimulatedServer::start(int may_crash) {
  ++run_;
  loop_ = std::make_shared<SimulatedLoop>(simulation_, run_);
  lanes_ = std::make_unique<SimulatedLanes>(loop_, LaneSizes::for_server(2));
  store_ = machine_.start(is_well_ ? 0 : may_crash);
  budget_ = std::make_shared<MemoryBudget>(budget_bytes_);
  context_.store = store_;
  context_.toolbox = {make_sha256, make_zstd_codec, shared_random(simulation_.random())};
  context_.signatures = simulation_.chance(2) ? std::make_shared<SignatureCache>(1 << 20) : nullptr;
  check_store(simulation_, machine_.volume(), *store_);
  if (!is_well_) machine_.arm(simulation_.chance(3) ? 0 : kMostOperations);
  tick_commits();
  tick_checkpoints();
  tick_watch();
}

void SimulatedServer::take(const std::shared_ptr<SimulatedWire>& wire) {
  const std::uint64_t number = next_session_++;
  const auto accept = [this](FrameType type, ByteView payload, StreamPort& port) {
    return make_server_conversation(context_, Principal{}, type, payload, port);
  };
  const auto session = std::make_shared<SimulatedSession>(
      loop_, *lanes_, wire, 1, accept, [this, number] { sessions_.erase(number); }, budget_);
  sessions_[number] = session;
  session->start();
}

void SimulatedServer::look_after() {
  if (!is_up()) return;
  if (machine_.volume().is_dead()) {
    end();
    restart_later();
  } else if (machine_.has_stopped() && !restart_is_due_) {
    restart_later();
  }
}

/// By itself, or by an operator who has read the log.
void SimulatedServer::restart_later() {
  if (std::exchange(restart_is_due_, true)) return;
  simulation_.clock.after(static_cast<std::int64_t>(simulation_.random.below(20 * SimulatedClock::kSecond)), 0, [this] {
    restart_is_due_ = false;
    if (is_up()) end();
    start(2);
  });
}

void SimulatedServer::end() {
  const bool is_dead = machine_.volume().is_dead();
  simulation_.note(is_dead ? "the server is killed" : "the server ends");
  loop_->end();
  // Sessions leave the table when they end.
  for (auto all = sessions_; const auto& [number, session] : all) session->close({Code::kBusy, "The server ends."});
  simulation_.clock.drop(run_);
  sessions_.clear();
  lanes_.reset();
  context_ = {};
  // What waits is committed, as the committer's thread does; or told that it failed.
  while (store_->commit_next()) {
  }
  if (store_.use_count() != 1) simulation_.fail("somebody holds the store when all sessions have ended");
  store_.reset();
  loop_.reset();
  if (budget_->used() != 0) simulation_.fail("memory is counted that nobody holds: " + std::to_string(budget_->used()));
  if (budget_->transfers() + budget_->waiting() != 0) simulation_.fail("a transfer is left in the budget");
  check_budget();
  machine_.end_run();
}

void SimulatedServer::check_budget() const {
  if (budget_->most_used() > budget_bytes_ + kBudgetSlack)
    simulation_.fail("the memory budget was exceeded: " + std::to_string(budget_->most_used()) + " of " +
                     std::to_string(budget_bytes_));
}

bool SimulatedServer::is_idle() const {
  if (!is_up()) return false;
  return lanes_->jobs() == 0 &&
         std::all_of(sessions_.begin(), sessions_.end(), [](const auto& one) { return one.second->jobs() == 0; });
}

void SimulatedServer::tick_commits() {
  const std::int64_t rest = is_idle() ? 50 * SimulatedClock::kMillisecond : some_time(simulation_.random) + 100'000;
  simulation_.clock.after(rest, run_, [this] {
    (void)store_->commit_next();
    tick_commits();
  });
}

void SimulatedServer::tick_checkpoints() {
  const auto rest = static_cast<std::int64_t>(simulation_.random.below(5 * SimulatedClock::kSecond));
  simulation_.clock.after(rest, run_, [this] {
    (void)store_->flush();
    if (!is_well_) machine_.volume().faults.is_full = simulation_.chance(20);
    tick_checkpoints();
  });
}

void SimulatedServer::tick_watch() {
  simulation_.clock.after(SimulatedClock::kSecond, run_, [this] {
    const auto now_ms = static_cast<std::uint64_t>(simulation_.clock.now() / SimulatedClock::kMillisecond);
    for (auto all = sessions_; const auto& [number, session] : all) session->watch(rules_, now_ms);
    if (budget_->over() || budget_->waiting() > 0) tick_reading();
    for (auto all = sessions_; const auto& [number, session] : all)
      if (session->is_starved() && !budget_->over()) session->read_again();
    tick_watch();
  });
}

/// As ReadingTurns: all read that may, and one session where nobody may and there is no transfer.
void SimulatedServer::tick_reading() {
  bool is_starved = false;
  for (auto all = sessions_; const auto& [number, session] : all) {
    if (!session->is_starved()) continue;
    is_starved = true;
    const auto guest = guest_.lock();
    if (budget_->transfers() == 0 && budget_->over() && (!guest || guest->is_closed())) {
      guest_ = session;
      session->set_guest(true);
    } else if (guest && !budget_->over()) {
      guest->set_guest(false);
      guest_.reset();
    }
    session->read_again();
  }
  if (is_starved) simulation_.clock.after(kReadingTick, run_, [this] { tick_reading(); });
}

}  // namespace millrace::simulation
