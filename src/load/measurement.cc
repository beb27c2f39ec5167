#include "load/measurement.h"

#include <algorithm>

namespace millrace {

namespace {

constexpr std::chrono::milliseconds kClosedTick{5};
constexpr std::chrono::milliseconds kOpenTick{1};
constexpr std::chrono::milliseconds kLagTick{10};
constexpr std::chrono::milliseconds kRest{100};  ///< of a client after a failure
constexpr std::chrono::seconds kExpiryPause{1};

using Clock = std::chrono::steady_clock;

Clock::duration ticks(Seconds seconds) {
  return std::chrono::duration_cast<Clock::duration>(seconds);
}

std::uint64_t microseconds(Clock::duration duration) {
  const auto count = std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, count));
}

double seconds(Clock::duration duration) {
  return Seconds(duration).count();
}

}  // namespace

Measurement::Measurement(LoadContext& context, Clients& clients, std::uint32_t run)
    : context_(context),
      options_(context.options),
      clients_(clients),
      random_(context.options.seed + run),
      slots_(clients.size()) {
  const std::uint64_t transfers = to_begin_ = options_.transfers.value_or(0);
  for (std::size_t i = 0; i < slots_.size(); ++i)
    slots_[i].left = transfers / slots_.size() + (i < transfers % slots_.size() ? 1 : 0);
}

void Measurement::start(std::function<void()> over) {
  over_ = std::move(over);
  started_ = last_expiry_ = Clock::now();
  measured_from_ = started_ + ticks(options_.warmup);
  until_ = options_.measure ? measured_from_ + ticks(*options_.measure) : Clock::time_point::max();
  for (const auto& client : clients_) client->set_on_lost([this](const Error&) { ++tally_.connections_lost; });
  if (options_.warmup.count() <= 0) {
    begin_measuring();
    started_ = measured_from_;
  }
  lag_timer_ = std::make_unique<Timer>(context_.loop, kLagTick, [this] {
    const auto now = Clock::now();
    if (measuring_ && last_lag_ != Clock::time_point())
      tally_.generator.loop_lag.record(microseconds(now - last_lag_ - kLagTick));
    last_lag_ = now;
  });
  timer_ = std::make_unique<Timer>(
      context_.loop, options_.model == Model::kOpen ? kOpenTick : kClosedTick, [this] { tick(); }, KeepsLoop::kYes);
}

void Measurement::begin_measuring() {
  measuring_ = true;
  measured_from_ = last_end_ = Clock::now();
  if (options_.measure) until_ = measured_from_ + ticks(*options_.measure);
  wire_before_ = wire_bytes();
  loop_cpu_before_ = thread_cpu_seconds();
  cpu_before_ = own_usage().cpu_seconds;
  context_.gate_waits = {};
  if (options_.server_pid) tally_.server_before = usage_of(*options_.server_pid);
}

void Measurement::tick() {
  const auto now = Clock::now();
  if (finished_) {
    // Clients that were given up end one by one.
    const bool busy = std::any_of(clients_.begin(), clients_.end(), [](const auto& client) { return client->busy(); });
    if (busy) return;
    for (const auto& client : clients_) client->set_on_lost(nullptr);
    lag_timer_.reset();
    timer_.reset();
    if (const auto over = std::exchange(over_, nullptr)) over();
    return;
  }
  if (!measuring_ && now >= measured_from_) begin_measuring();
  if (options_.operation != Operation::kIdle) {
    if (options_.model == Model::kOpen) {
      admit_arrivals(now);
    } else {
      const double share = options_.ramp.count() > 0 ? seconds(now - started_) / options_.ramp.count() : 1;
      const auto due = static_cast<std::size_t>(std::min(1.0, share) * static_cast<double>(slots_.size()));
      while (ramped_ < due) begin_next(ramped_++);
    }
    while (!resting_.empty() && resting_.front().first <= now) {
      const std::size_t index = resting_.front().second;
      resting_.pop_front();
      slots_[index].busy = slots_[index].resting = false;
      --busy_;
      begin_next(index);
    }
  }
  if (now - last_expiry_ >= kExpiryPause) {
    last_expiry_ = now;
    for (const auto& client : clients_) client->expire(now);
  }
  if (!begins_no_more(now)) return;
  const bool late = now > until_ && now - until_ > ticks(options_.timeout);
  if ((busy_ == 0 && queued_ == 0) || late) finish();
}

void Measurement::admit_arrivals(Clock::time_point now) {
  for (;;) {
    const auto due = started_ + ticks(Seconds(static_cast<double>(arrivals_) / options_.rate));
    if (due > now || due >= until_) return;
    if (measuring_ && due >= measured_from_ && options_.transfers) {
      if (to_begin_ == 0) return;
      --to_begin_;
    }
    const std::size_t index = arrivals_++ % slots_.size();
    slots_[index].due.push_back(due);
    ++queued_;
    if (!slots_[index].busy) begin_next(index);
  }
}

bool Measurement::begins_no_more(Clock::time_point now) const {
  if (now >= until_) return true;
  return measuring_ && options_.transfers && to_begin_ == 0;
}

void Measurement::begin_next(std::size_t index) {
  Slot& slot = slots_[index];
  const auto now = Clock::now();
  if (finished_ || slot.busy) return;
  if (options_.model == Model::kOpen) {
    if (slot.due.empty()) return;
    const auto intended = slot.due.front();
    slot.due.pop_front();
    --queued_;
    return begin(index, intended);
  }
  if (now >= until_) return;
  if (measuring_ && options_.transfers) {
    if (slot.left == 0) return;
    --slot.left;
    --to_begin_;
  }
  begin(index, now);
}

void Measurement::begin(std::size_t index, Clock::time_point intended) {
  Slot& slot = slots_[index];
  slot.busy = true;
  ++busy_;
  slot.intended = intended;
  slot.counted = measuring_ && intended >= measured_from_;
  slot.operation = choose();
  clients_[index]->transfer(slot.operation, [this, index](const Outcome& outcome) { on_done(index, outcome); });
}

Operation Measurement::choose() {
  if (options_.operation != Operation::kMixed) return options_.operation;
  std::uint64_t all = 0;
  for (const auto& [operation, share] : options_.mix) all += share;
  std::uint64_t at = random_.below(all);
  for (const auto& [operation, share] : options_.mix) {
    if (at < share) return operation;
    at -= share;
  }
  return options_.mix.back().first;
}

void Measurement::on_done(std::size_t index, const Outcome& outcome) {
  if (finished_) return;
  Slot& slot = slots_[index];
  const auto now = Clock::now();
  if (slot.counted) record(slot, outcome, now);
  ++ended_;
  if (!outcome) {
    // Stays busy: what fails at once would fail again at once, thousands of times.
    slot.resting = true;
    resting_.emplace_back(now + kRest, index);
    return;
  }
  slot.busy = false;
  --busy_;
  begin_next(index);
}

void Measurement::record(const Slot& slot, const Outcome& outcome, Clock::time_point now) {
  OperationTally& operation = tally_.operations[slot.operation];
  const auto second = static_cast<std::size_t>(seconds(now - measured_from_));
  if (tally_.per_second.size() <= second) tally_.per_second.resize(second + 1);
  SecondTally& in_second = tally_.per_second[second];
  last_end_ = now;
  if (!outcome) {
    const std::string name(code_name(outcome.error().code));
    ++operation.errors[name];
    operation.first_sentences.emplace(name, outcome.error().sentence);
    ++in_second.errors;
    return;
  }
  const std::uint64_t latency = microseconds(now - slot.intended);
  ++operation.transfers;
  operation.logical_bytes += *outcome;
  operation.latency.record(latency);
  ++in_second.transfers;
  in_second.logical_bytes += *outcome;
  in_second.latency_sum += latency;
  in_second.latency_max = std::max(in_second.latency_max, latency);
}

void Measurement::stop() {
  if (!finished_) finish();
}

void Measurement::finish() {
  finished_ = true;
  const auto now = Clock::now();
  const auto end = options_.operation == Operation::kIdle || tally_.operations.empty() ? now : last_end_;
  tally_.seconds = measuring_ ? seconds(end - measured_from_) : 0;
  tally_.offered_rate = options_.model == Model::kOpen ? options_.rate : 0;
  const auto wire = wire_bytes();
  if (measuring_) {
    tally_.sent_bytes = wire.first - wire_before_.first;
    tally_.received_bytes = wire.second - wire_before_.second;
    tally_.generator.loop_cpu_seconds = thread_cpu_seconds() - loop_cpu_before_;
    tally_.generator.cpu_seconds = own_usage().cpu_seconds - cpu_before_;
    tally_.generator.gate_waits = context_.gate_waits;
    if (options_.server_pid) tally_.server_after = usage_of(*options_.server_pid);
  }
  tally_.unfinished = queued_;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i].busy || slots_[i].resting) continue;
    if (slots_[i].counted) ++tally_.unfinished;
    clients_[i]->close({Code::kCancelled, "The run has ended."});
  }
}

std::pair<std::uint64_t, std::uint64_t> Measurement::wire_bytes() const {
  std::pair<std::uint64_t, std::uint64_t> bytes{context_.closed_sent, context_.closed_received};
  for (const auto& client : clients_) {
    bytes.first += client->sent();
    bytes.second += client->received();
  }
  return bytes;
}

}  // namespace millrace
