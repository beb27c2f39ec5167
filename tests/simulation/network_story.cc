#include "simulation/network_story.h"

#include "simulation/simulated_client.h"

namespace millrace::simulation {

namespace {

constexpr std::int64_t kLongest = 4 * 3600 * SimulatedClock::kSecond;
constexpr std::int64_t kUntilIdle = 3600 * SimulatedClock::kSecond;  ///< once nobody asks for anything

}  // namespace

void run_network_story(Simulation& simulation) {
  SimulatedServer server(simulation);
  WriteEnds ends(simulation);
  server.start(0);
  std::vector<std::unique_ptr<SimulatedClient>> clients;
  const std::uint64_t count = 1 + simulation.random.below(5);
  for (std::uint64_t i = 0; i < count; ++i) {
    clients.push_back(std::make_unique<SimulatedClient>(simulation, server, ends, i + 1));
    clients.back()->begin(1 + simulation.random.below(40 / count));
  }
  const auto run_until = [&](std::int64_t longest, const auto& is_over, const std::string& what) {
    const std::int64_t until = simulation.clock.now() + longest;
    while (!is_over()) {
      const bool went_on = simulation.clock.step(until);
      server.look_after();
      if (went_on) continue;
      std::string waiting;
      for (const auto& client : clients) waiting += "\n" + client->describe();
      simulation.fail(what + waiting);
    }
  };
  run_until(
      kLongest,
      [&] {
        for (const auto& client : clients)
          if (!client->is_done()) return false;
        return true;
      },
      "an operation never ends");
  simulation.note("the clients are done");
  clients.clear();
  run_until(
      kUntilIdle, [&] { return server.is_idle() && server.sessions() == 0; }, "the server does not come to rest");
  server.be_well();
  server.end();
  server.start(0);
  check_end(simulation, server.machine().volume(), server.store());
  server.end();
}

}  // namespace millrace::simulation
