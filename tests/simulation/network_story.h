// Clients and a server: everything between a client's request and the platter, with a network, a disk and a machine
// that fail.
#pragma once

#include "simulation/simulation.h"

namespace millrace::simulation {

void run_network_story(Simulation& simulation);

}  // namespace millrace::simulation
