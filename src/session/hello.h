// What a side with a memory budget offers in its HELLO.
#pragma once

#include "base/memory_budget.h"
#include "wire/messages.h"

namespace millrace {

/// Windows that fit into the budget some hundred times: what a peer may send before anybody was asked. `budget` may be
/// null: a client's.
wire::Hello hello_for(const MemoryBudget* budget);

}  // namespace millrace
