// The server on its machine: sessions, conversations, lanes, memory budget and store, from a start to a crash or an
// end, and again.
#pragma once

#include "delta/signature_cache.h"
#include "simulation/simulated_machine.h"
#include "simulation/simulated_session.h"
#include "sync/server_conversations.h"

namespace millrace::simulation {

class SimulatedServer {
 public:
  explicit SimulatedServer(Simulation& simulation);

  bool is_up() const { return store_ != nullptr; }
  void start(int may_crash);
  /// Takes a connection whose client is side 0.
  void take(const std::shared_ptr<SimulatedWire>& wire);
  /// After each event: has the machine stopped?
  void look_after();
  /// Ends: by itself, or in the middle of whatever it did where the machine is dead.
  void end();
  /// No faults from now on.
  void be_well() { is_well_ = true; }
  /// Nothing is under way.
  bool is_idle() const;
  SimulatedMachine& machine() { return machine_; }
  LocalStore& store() { return *store_; }
  std::size_t sessions() const { return sessions_.size(); }

 private:
  void tick_commits();
  void tick_checkpoints();
  void tick_watch();
  void tick_reading();
  void restart_later();
  void check_budget() const;

  Simulation& simulation_;
  SimulatedMachine machine_;
  SimulatedClock::Owner run_ = 1000;
  std::shared_ptr<SimulatedLoop> loop_;
  std::unique_ptr<SimulatedLanes> lanes_;
  std::shared_ptr<LocalStore> store_;
  ServerContext context_;
  std::uint64_t budget_bytes_;
  std::shared_ptr<MemoryBudget> budget_;
  PeerRules rules_;
  std::map<std::uint64_t, std::shared_ptr<SimulatedSession>> sessions_;
  std::uint64_t next_session_ = 1;
  std::weak_ptr<SimulatedSession> guest_;
  bool is_well_ = false;
  bool restart_is_due_ = false;
};

}  // namespace millrace::simulation
