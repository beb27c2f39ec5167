// The commit point of a move: the rows of all that moves, and of what is replaced.
#pragma once

#include <optional>

#include "store/operations.h"

namespace millrace {

/// Under the store's lock, and nothing at the two paths may be unsettled. One transaction, so that a crash leaves what
/// was replaced or what was moved; `replaced` is a kRemove, `moved` a kMove, to be materialised in this order.
Status record_move(StoreParts& parts, std::optional<Pending>& replaced, Pending& moved);

/// The move was refused: its rows are those of the old place again. What was replaced has no row any more.
Status take_back_move(StoreParts& parts, const Pending& moved);

}  // namespace millrace
