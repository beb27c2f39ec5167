#include "simulation/simulated_lanes.h"

#include <utility>

namespace millrace::simulation {

std::int64_t some_time(SeededRandom& random) {
  static constexpr std::uint64_t kMost[] = {10'000, 200'000, 2'000'000, 30'000'000};
  return static_cast<std::int64_t>(random.below(kMost[random.below(std::size(kMost))]));
}

void SimulatedLoop::post(std::function<void()> letter) {
  if (has_ended_) return;
  letters_.push_back(std::move(letter));
  if (std::exchange(is_waiting_, true)) return;
  simulation_.clock.after(some_time(simulation_.random) / 16, owner_,
                          [self = shared_from_this()] { self->open_letters(); });
}

void SimulatedLoop::open_letters() {
  is_waiting_ = false;
  for (std::deque<std::function<void()>> all = std::exchange(letters_, {}); !all.empty() && !has_ended_;) {
    const auto letter = std::move(all.front());
    all.pop_front();
    letter();
  }
}

void SimulatedLoop::end() {
  has_ended_ = true;
  letters_.clear();
}

SimulatedLanes::SimulatedLanes(std::shared_ptr<SimulatedLoop> loop, const LaneSizes& sizes) : loop_(std::move(loop)) {
  for (std::size_t i = 0; i < kWorkersCount; ++i)
    lanes_.push_back(std::make_unique<Lane>(sizes.most_of_one_owner, sizes.most_bulk[i], sizes.threads[i]));
}

void SimulatedLanes::run(Workers workers, Owner owner, Urgency urgency, std::function<void()> work,
                         std::function<void()> done) {
  Lane& lane = *lanes_[static_cast<std::size_t>(workers)];
  lane.queue.push(owner, urgency, {std::move(work), std::move(done)}, 0);
  begin_jobs(lane);
}

void SimulatedLanes::begin_jobs(Lane& lane) {
  Simulation& simulation = loop_->simulation();
  while (lane.running < lane.threads) {
    auto taken = lane.queue.pop();
    if (!taken) return;
    ++lane.running;
    const auto job = std::make_shared<Job>(std::move(taken->job));
    simulation.clock.after(some_time(simulation.random), loop_->owner(),
                           [this, &lane, job, owner = taken->owner, urgency = taken->urgency] {
                             job->work();
                             job->work = nullptr;
                             loop_->post(std::move(job->done));
                             --lane.running;
                             lane.queue.ended(owner, urgency);
                             begin_jobs(lane);
                           });
  }
}

void SimulatedLanes::drop(Owner owner) {
  for (const auto& lane : lanes_) {
    const auto dropped = lane->queue.drop(owner);
  }
}

std::size_t SimulatedLanes::jobs() const {
  std::size_t all = 0;
  for (const auto& lane : lanes_) all += lane->running + lane->queue.length();
  return all;
}

}  // namespace millrace::simulation
