#include "store/partial_uploads.h"

#include <algorithm>
#include <optional>
#include <set>

namespace millrace {

namespace {

constexpr std::string_view kJobSuffix = ".job";
constexpr std::chrono::minutes kSweepInterval{10};

std::string job_name(const std::string& name) {
  return name + std::string(kJobSuffix);
}

}  // namespace

std::optional<std::pair<std::string, PartialUploads::Partial>> PartialUploads::find(const std::string& name) {
  const Place place{Area::kStaging, job_name(name)};
  const auto file = disk_.open(place, Access::kRead);
  if (!file) return std::nullopt;
  Buffer bytes(kMaxJobBytes + 1);
  const auto got = disk_.pread(*file, bytes, 0);
  if (!got) return std::nullopt;
  auto job = decode_upload_job(ByteView(bytes).first(*got));
  const auto stat = disk_.stat({Area::kStaging, name});
  if (!job || !stat || stat->kind != FileKind::kRegular) return std::nullopt;
  if (stat->inode != job->inode || stat->bytes < limits_.least_bytes) return std::nullopt;
  return std::pair(std::move(job->path), Partial{name, id_of(*stat), stat->bytes, job->created_ns});
}

std::vector<std::string> PartialUploads::load(const std::vector<std::string>& staged) {
  const std::lock_guard lock(mutex_);
  for (const std::string& name : staged) {
    if (!name.ends_with(kJobSuffix)) continue;
    auto found = find(name.substr(0, name.size() - kJobSuffix.size()));
    if (!found || is_expired(found->second)) continue;
    const auto [known, is_new] = partials_.try_emplace(found->first, found->second);
    if (!is_new && known->second.bytes < found->second.bytes) known->second = found->second;
  }
  enforce({});
  std::set<std::string> kept;
  for (const auto& [path, partial] : partials_) kept.insert({partial.name, job_name(partial.name)});
  std::vector<std::string> others;
  std::copy_if(staged.begin(), staged.end(), std::back_inserter(others),
               [&kept](const std::string& name) { return !kept.contains(name); });
  return others;
}

bool PartialUploads::describe(const std::string& name, UploadJob job,
                              std::shared_ptr<const std::atomic<std::uint64_t>> written) {
  job.created_ns = now_ns_();
  const Place place{Area::kStaging, job_name(name)};
  auto file = disk_.create(place);
  if (!file) return false;
  if (!disk_.pwrite(*file, encode_upload_job(job), 0)) {
    (void)disk_.unlink(place);
    return false;
  }
  const std::lock_guard lock(mutex_);
  open_.emplace(std::move(job.path), Open{name, job.inode, std::move(written)});
  return true;
}

PartialUploads::OpenDrafts::iterator PartialUploads::find_open(const std::string& name, const std::string& path) {
  const auto [first, last] = open_.equal_range(path);
  const auto found = std::find_if(first, last, [&name](const auto& open) { return open.second.name == name; });
  return found == last ? open_.end() : found;
}

bool PartialUploads::withdraw(const std::string& name, const std::string& path) {
  const std::lock_guard lock(mutex_);
  const auto found = find_open(name, path);
  if (found == open_.end()) return true;
  if (lent_open_.contains(name)) return false;
  open_.erase(found);
  return true;
}

void PartialUploads::discard(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (const auto lent = lent_open_.find(name); lent != lent_open_.end()) {
    lent->second = Then::kGo;
    return;
  }
  // Nobody can be told of a failure here; what is left is swept at the next start.
  (void)disk_.unlink({Area::kStaging, name});
}

void PartialUploads::end(const std::string& name, const std::string& path, bool described, DraftEnd how) {
  const std::lock_guard lock(mutex_);
  if (const auto found = described ? find_open(name, path) : open_.end(); found != open_.end()) open_.erase(found);
  if (how == DraftEnd::kCommitted) {
    if (described) (void)disk_.unlink({Area::kStaging, job_name(name)});
    if (const auto found = partials_.find(path); found != partials_.end()) remove(found);
    return;
  }
  auto cut = how == DraftEnd::kCut && described ? find(name) : std::nullopt;
  Partial left;
  left.name = name;
  if (cut) left = std::move(cut->second);
  left.lent = lent_open_.erase(name) > 0;
  if (!cut) return drop(std::move(left));
  keep(path, std::move(left));
}

void PartialUploads::keep(const std::string& path, Partial partial) {
  const auto [known, is_new] = partials_.try_emplace(path, partial);
  if (!is_new) {
    // An attempt that got less far than the one before it has only what it took from there.
    if (known->second.bytes >= partial.bytes && !known->second.condemned) return drop(std::move(partial));
    remove(known);
    partials_.emplace(path, std::move(partial));
  }
  enforce(path);
}

void PartialUploads::remove(Partials::iterator found) {
  drop(std::move(found->second));
  partials_.erase(found);
}

void PartialUploads::drop(Partial partial) {
  if (!partial.lent) return remove_files(partial);
  partial.condemned = true;
  replaced_.push_back(std::move(partial));
}

void PartialUploads::remove_files(const Partial& partial) {
  files_.forget(partial.id);
  (void)disk_.unlink({Area::kStaging, partial.name});
  (void)disk_.unlink({Area::kStaging, job_name(partial.name)});
}

bool PartialUploads::is_expired(const Partial& partial) const {
  return now_ns_() - partial.created_ns > limits_.age.count();
}

PartialUploads::Partials::iterator PartialUploads::oldest(const std::string& spared) {
  auto found = partials_.end();
  for (auto it = partials_.begin(); it != partials_.end(); ++it) {
    if (it->second.lent || it->first == spared) continue;
    if (found == partials_.end() || it->second.created_ns < found->second.created_ns) found = it;
  }
  return found;
}

void PartialUploads::enforce(const std::string& newest) {
  for (;;) {
    std::uint64_t bytes = 0;
    for (const auto& [path, partial] : partials_) bytes += path == newest ? 0 : partial.bytes;
    if (bytes <= limits_.bytes && partials_.size() <= limits_.count) return;
    const auto found = oldest(newest);
    if (found == partials_.end()) return;
    remove(found);
  }
}

std::shared_ptr<const PartialUploads::Lent> PartialUploads::lend(const std::string& path,
                                                                 std::uint64_t announced_bytes) {
  auto kept = lend_kept(path, announced_bytes);
  return kept ? kept : lend_open(path);
}

std::shared_ptr<const PartialUploads::Lent> PartialUploads::lend_open(const std::string& path) {
  const std::lock_guard lock(mutex_);
  OpenDrafts::iterator largest = open_.end();
  FileStat file;
  const auto [first, last] = open_.equal_range(path);
  for (auto open = first; open != last; ++open) {
    if (lent_open_.contains(open->second.name)) continue;
    auto stat = disk_.stat({Area::kStaging, open->second.name});
    // After its commit the replaced version may stand under the name.
    if (!stat || stat->inode != open->second.inode) continue;
    stat->bytes = std::min<std::uint64_t>(stat->bytes, *open->second.written);
    if (stat->bytes < limits_.least_bytes || (largest != open_.end() && stat->bytes <= file.bytes)) continue;
    largest = open;
    file = *stat;
  }
  if (largest == open_.end()) return nullptr;
  lent_open_[largest->second.name] = Then::kStay;
  return std::make_shared<const Lent>(*this, path, largest->second.name, id_of(file), file.bytes, Access::kReadWrite);
}

std::shared_ptr<const PartialUploads::Lent> PartialUploads::lend_kept(const std::string& path,
                                                                      std::uint64_t announced_bytes) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = partials_.find(path);
    if (found == partials_.end() || found->second.lent) return nullptr;
  }
  if (const auto free = disk_.free_bytes(); free && *free < announced_bytes) {
    if (announced_bytes - *free > removable_bytes()) return nullptr;
    make_room(announced_bytes);
  }
  const std::lock_guard lock(mutex_);
  const auto found = partials_.find(path);
  if (found == partials_.end() || found->second.lent) return nullptr;
  if (is_expired(found->second)) {
    remove(found);
    return nullptr;
  }
  Partial& partial = found->second;
  partial.lent = true;
  return std::make_shared<const Lent>(*this, path, partial.name, partial.id, partial.bytes, Access::kRead);
}

void PartialUploads::give_back(const Lent& lent) {
  const std::lock_guard lock(mutex_);
  files_.forget(lent.id_);
  if (const auto open = lent_open_.extract(lent.name_)) {
    // A draft that stays, or was committed, has its file.
    if (open.mapped() == Then::kGo) (void)disk_.unlink({Area::kStaging, lent.name_});
    return;
  }
  const auto found = partials_.find(lent.path_);
  if (found != partials_.end() && found->second.name == lent.name_) {
    found->second.lent = false;
    if (found->second.condemned) remove(found);
    return;
  }
  const auto replaced = std::find_if(replaced_.begin(), replaced_.end(),
                                     [&lent](const Partial& partial) { return partial.name == lent.name_; });
  if (replaced == replaced_.end()) return;
  remove_files(*replaced);
  replaced_.erase(replaced);
}

void PartialUploads::condemn(const Lent& lent) {
  const std::lock_guard lock(mutex_);
  const auto found = partials_.find(lent.path_);
  if (found != partials_.end() && found->second.name == lent.name_) found->second.condemned = true;
}

bool PartialUploads::make_room(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  for (bool removed = false;; removed = true) {
    const auto free = disk_.free_bytes();
    const auto found = oldest({});
    if (found == partials_.end() || (removed && (!free || *free >= bytes))) return removed;
    remove(found);
  }
}

std::uint64_t PartialUploads::removable_bytes() {
  const std::lock_guard lock(mutex_);
  std::uint64_t bytes = 0;
  for (const auto& [path, partial] : partials_) bytes += partial.lent ? 0 : partial.bytes;
  return bytes;
}

PartialUploads::Figures PartialUploads::figures() {
  const std::lock_guard lock(mutex_);
  Figures out{partials_.size(), 0};
  for (const auto& [path, partial] : partials_) out.bytes += partial.bytes;
  return out;
}

std::chrono::nanoseconds PartialUploads::sweep() {
  const std::lock_guard lock(mutex_);
  for (auto it = partials_.begin(); it != partials_.end();) {
    const auto next = std::next(it);
    if (!it->second.lent && is_expired(it->second)) remove(it);
    it = next;
  }
  return kSweepInterval;
}

}  // namespace millrace
