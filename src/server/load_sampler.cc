#include "server/load_sampler.h"

namespace millrace {

namespace {

double seconds(std::uint64_t microseconds) {
  return static_cast<double>(microseconds) / 1e6;
}

}  // namespace

void LoadSampler::sample() {
  LastSecond last;
  Sum more;
  for (const auto& loop : loops_) {
    Histogram lag;
    loop->take_lag(lag);
    last.loops.push_back({loop->sessions(), loop->bytes_in_last_second(), seconds(lag.value_at(0.99))});
    more.lag.merge(lag);
  }
  for (const Workers workers : {Workers::kCpu, Workers::kDisk, Workers::kCatalogue}) {
    Lanes::Look look = lanes_.look(workers);
    last.queues.push_back({workers_name(workers), look.length, look.running, seconds(look.waits.value_at(0.5)),
                           seconds(look.waits.value_at(0.99))});
    more.waits[static_cast<std::size_t>(workers)] = std::move(look.waits);
  }
  const std::lock_guard lock(mutex_);
  last_ = std::move(last);
  sum_.lag.merge(more.lag);
  for (std::size_t i = 0; i < kWorkersCount; ++i) sum_.waits[i].merge(more.waits[i]);
}

LoadSampler::LastSecond LoadSampler::last() const {
  const std::lock_guard lock(mutex_);
  return last_;
}

LoadSampler::Sum LoadSampler::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(sum_, {});
}

}  // namespace millrace
