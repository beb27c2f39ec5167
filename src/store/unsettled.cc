#include "store/unsettled.h"

#include <utility>

namespace millrace {

void Unsettled::add(UnsettledPut put) {
  const std::lock_guard lock(mutex_);
  latest_[put.path] = {put.id, put.stat};
  waiting_bytes_ += put.row_bytes;
  waiting_.push_back(std::move(put));
}

std::optional<FileStat> Unsettled::stat_of(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  const auto found = latest_.find(path);
  if (found == latest_.end()) return std::nullopt;
  return found->second.stat;
}

bool Unsettled::touches(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  if (path.empty()) return !latest_.empty();
  if (latest_.contains(path)) return true;
  const auto below = latest_.lower_bound(path + "/");
  return below != latest_.end() && below->first.starts_with(path + "/");
}

void Unsettled::forget(const std::string& path) {
  const std::lock_guard lock(mutex_);
  latest_.erase(path);
}

void Unsettled::restat(const std::string& path, const FileStat& stat) {
  const std::lock_guard lock(mutex_);
  const auto found = latest_.find(path);
  if (found == latest_.end()) return;
  found->second.stat = stat;
  for (UnsettledPut& put : waiting_) {
    if (put.id == found->second.id) put.stat = stat;
  }
}

std::vector<UnsettledPut> Unsettled::take() {
  const std::lock_guard lock(mutex_);
  waiting_bytes_ = 0;
  return std::exchange(waiting_, {});
}

void Unsettled::restore(const std::vector<UnsettledPut>& puts) {
  const std::lock_guard lock(mutex_);
  waiting_.insert(waiting_.begin(), puts.begin(), puts.end());
  for (const UnsettledPut& put : puts) waiting_bytes_ += put.row_bytes;
}

void Unsettled::settled(const std::vector<UnsettledPut>& puts) {
  const std::lock_guard lock(mutex_);
  for (const UnsettledPut& put : puts) {
    const auto found = latest_.find(put.path);
    if (found != latest_.end() && found->second.id == put.id) latest_.erase(found);
  }
}

bool Unsettled::is_latest(const UnsettledPut& put) const {
  const std::lock_guard lock(mutex_);
  const auto found = latest_.find(put.path);
  return found != latest_.end() && found->second.id == put.id;
}

std::size_t Unsettled::count() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

std::uint64_t Unsettled::row_bytes() const {
  const std::lock_guard lock(mutex_);
  return waiting_bytes_;
}

}  // namespace millrace
