// The store alone, without a network: drafts, commits, removals, moves and readers, one step at a time in any order,
// and a machine that stops between any two operations of its disk.
#pragma once

#include "simulation/simulation.h"

namespace millrace::simulation {

void run_store_story(Simulation& simulation);

}  // namespace millrace::simulation
