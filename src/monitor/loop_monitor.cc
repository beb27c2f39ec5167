#include "monitor/loop_monitor.h"

#include "monitor/wall_clock.h"

namespace millrace {

ActiveTransfer::ActiveTransfer(LoopMonitor& monitor, TransferView its_view, std::function<void(const Error&)> cancel)
    : view(std::move(its_view)), monitor_(monitor), cancel_(std::move(cancel)) {
  view.started_ms = wall_clock_ms();
  monitor_.active_[key()] = this;
  monitor_.counts.active[static_cast<std::size_t>(view.direction)].fetch_add(1, std::memory_order_relaxed);
}

ActiveTransfer::~ActiveTransfer() {
  monitor_.active_.erase(key());
  monitor_.counts.active[static_cast<std::size_t>(view.direction)].fetch_sub(1, std::memory_order_relaxed);
}

double ActiveTransfer::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
}

void ActiveTransfer::end(const std::optional<Code>& error) {
  TransferTally& tally = monitor_.counts.transfers[static_cast<std::size_t>(view.direction)];
  tally.matched.add(view.matched_bytes);
  tally.literal.add(view.literal_bytes);
  tally.zero.add(view.zero_bytes);
  if (!error) tally.logical.add(view.total_bytes.value_or(0));
  view.is_over = true;
  view.error = error;
  view.seconds = seconds();
  monitor_.recent_.add(std::move(view));
}

void LoopMonitor::count_request(Operation operation, const std::optional<Code>& error, std::chrono::nanoseconds took) {
  const auto index = static_cast<std::size_t>(operation);
  counts.requests[index][error ? static_cast<std::size_t>(*error) : 0].add(1);
  if (!error) counts.durations[index].record(took);
}

void LoopMonitor::count_handshake(const std::optional<Handshake>& done) {
  if (!done) return counts.handshakes_failed.add(1);
  (done->is_resumed ? counts.handshakes_resumed : counts.handshakes_full).record(done->took);
}

std::vector<TransferView> LoopMonitor::active(const std::optional<std::string>& account, std::size_t most) const {
  std::vector<TransferView> out;
  for (auto one = active_.rbegin(); one != active_.rend() && out.size() < most; ++one) {
    const ActiveTransfer& transfer = *one->second;
    if (account && transfer.view.account != *account) continue;
    out.push_back(transfer.view);
    out.back().seconds = transfer.seconds();
  }
  return out;
}

ActiveTransfer* LoopMonitor::find(std::uint64_t connection, std::uint64_t request) const {
  const auto found = active_.find({connection, request});
  return found == active_.end() ? nullptr : found->second;
}

}  // namespace millrace
