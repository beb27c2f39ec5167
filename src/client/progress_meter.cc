#include "client/progress_meter.h"

#include <algorithm>
#include <cmath>
#include <string_view>

namespace millrace {

namespace {
constexpr std::chrono::seconds kWindow{5};
constexpr double kLeastSecondsForRate = 0.5;
constexpr double kMostSecondsLeft = 100.0 * 3600;
constexpr double kGrain = 1e-6;  ///< of the arithmetic: 4.0000001 s are 4
}  // namespace

void ProgressMeter::plan(const std::vector<std::uint64_t>& sizes) {
  files_.clear();
  file_count_ = sizes.size();
  for (std::size_t i = 0; i < sizes.size(); ++i) set_bytes(files_[i], sizes[i]);
}

void ProgressMeter::found(std::uint64_t bytes) {
  open_ended_ = true;
  ++file_count_;
  bytes_ += bytes;
}

void ProgressMeter::file_begins(std::size_t file, std::uint64_t bytes) {
  files_[file].bytes = bytes;
}

void ProgressMeter::set_bytes(File& file, std::uint64_t bytes) {
  bytes_done_ += file.share * (static_cast<double>(bytes) - static_cast<double>(file.bytes));
  bytes_ += bytes - file.bytes;
  file.bytes = bytes;
}

void ProgressMeter::set_share(File& file, double share) {
  if (share <= file.share) return;
  bytes_done_ += (share - file.share) * static_cast<double>(file.bytes);
  file.share = share;
}

void ProgressMeter::update(std::size_t index, const TransferProgress& now) {
  const auto known = files_.find(index);
  if (known == files_.end()) return;
  File& file = known->second;
  phase_ = now.phase;
  const double part =
      now.total_bytes == 0 ? 0 : static_cast<double>(now.done_bytes) / static_cast<double>(now.total_bytes);
  if (phase_ == std::string_view("hashing")) {
    file.hashed = true;
    if (now.done_bytes > file.hashed_bytes) {
      hashed_bytes_ += now.done_bytes - file.hashed_bytes;
      file.hashed_bytes = now.done_bytes;
    }
    set_share(file, part / 2);
    return;
  }
  // A basis is hashed before a download, and its size says nothing of the target's.
  set_bytes(file, now.total_bytes);
  set_share(file, file.hashed ? 0.5 + part / 2 : part);
  if (now.done_bytes >= now.total_bytes && now.total_bytes > 0) phase_ = "waiting for the server";
}

void ProgressMeter::file_done(std::size_t index) {
  const auto known = files_.find(index);
  if (known == files_.end()) return;
  set_share(known->second, 1);
  files_.erase(known);
  ++files_done_;
}

ProgressSnapshot ProgressMeter::sample(Time now, std::uint64_t wire_bytes) {
  // Nothing but empty files: their number is all there is to go by.
  const double by_bytes = bytes_ > 0 ? bytes_done_ / static_cast<double>(bytes_) : 0;
  const double by_files = file_count_ == 0 ? 0 : static_cast<double>(files_done_) / static_cast<double>(file_count_);
  // Of a total that still grows a share would fall again.
  if (!open_ended_) highest_share_ = std::max(highest_share_, std::clamp(bytes_ > 0 ? by_bytes : by_files, 0.0, 1.0));

  samples_.push_back({now, wire_bytes, hashed_bytes_, highest_share_});
  while (samples_.size() > 2 && now - samples_[1].time >= kWindow) samples_.pop_front();

  ProgressSnapshot result;
  result.phase = phase_;
  result.files_done = files_done_;
  result.files = file_count_;
  result.more_to_find = open_ended_;
  result.bytes = bytes_;
  const double done = open_ended_ ? bytes_done_ : highest_share_ * static_cast<double>(bytes_);
  highest_bytes_done_ = std::max(highest_bytes_done_, static_cast<std::uint64_t>(done));
  result.bytes_done = std::min(highest_bytes_done_, bytes_);
  const bool all = files_done_ == file_count_ && !open_ended_;
  result.percent = all ? 100 : std::min(99u, static_cast<unsigned>(std::floor(highest_share_ * 100)));
  result.wire_bytes = wire_bytes;
  const Sample& first = samples_.front();
  const double seconds = std::chrono::duration<double>(now - first.time).count();
  if (seconds >= kLeastSecondsForRate) {
    const std::uint64_t moved =
        phase_ == "hashing" ? hashed_bytes_ - first.hashed_bytes : wire_bytes - first.wire_bytes;
    result.bytes_per_second = static_cast<std::uint64_t>(static_cast<double>(moved) / seconds);
    const double gained = highest_share_ - first.share;
    const double left = gained > 0 ? (1 - highest_share_) * seconds / gained : kMostSecondsLeft;
    if (left < kMostSecondsLeft)
      result.left = std::chrono::seconds(static_cast<std::int64_t>(std::ceil(left - kGrain)));
  }
  return result;
}

}  // namespace millrace
