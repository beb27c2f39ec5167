// SQLite's file system upon a simulated volume, so that the catalogue's unflushed pages are lost with the power too.
// One for the process: whoever opens a database without naming a file system gets it, and SQLite's random numbers begin
// anew with each use.
#pragma once

#include "simulation/simulated_volume.h"

namespace millrace::simulation {

/// Databases are on that volume from now on; null: none can be opened.
void use_for_sqlite(SimulatedVolume* volume);

}  // namespace millrace::simulation
