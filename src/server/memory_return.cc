#include "server/memory_return.h"

namespace millrace {

namespace {
constexpr std::chrono::seconds kRest{1};
constexpr int kQuietLooks = 3;
}  // namespace

std::chrono::nanoseconds MemoryReturn::step() {
  const bool busy = budget_->transfers() > 0;
  owes_ = owes_ || busy;
  quiet_looks_ = busy ? 0 : quiet_looks_ + 1;
  if (owes_ && quiet_looks_ >= kQuietLooks) {
    give_back_();
    owes_ = false;
  }
  return kRest;
}

}  // namespace millrace
