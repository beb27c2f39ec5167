#include "monitor/transfers.h"

namespace millrace {

void RecentTransfers::add(TransferView ended) {
  const std::lock_guard lock(mutex_);
  ended_.push_front(std::move(ended));
  if (ended_.size() > most_) ended_.pop_back();
}

std::vector<TransferView> RecentTransfers::list(const std::optional<std::string>& account) const {
  std::vector<TransferView> out;
  const std::lock_guard lock(mutex_);
  for (const TransferView& one : ended_)
    if (!account || one.account == *account) out.push_back(one);
  return out;
}

}  // namespace millrace
