#include "store/partial_uploads.h"

#include <algorithm>
#include <optional>
#include <set>

namespace millrace {

namespace {

constexpr std::string_view kJobSuffix = ".job";
constexpr std::string_view kLentSuffix = ".lent";
constexpr std::chrono::minutes kSweepInterval{10};

std::string job_name(const std::string& name) {
  return name + std::string(kJobSuffix);
}

std::string lent_name(const std::string& name) {
  return name + std::string(kLentSuffix);
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

bool PartialUploads::describe(const std::string& name, UploadJob job) {
  job.created_ns = now_ns_();
  const Place place{Area::kStaging, job_name(name)};
  auto file = disk_.create(place);
  if (!file) return false;
  if (!disk_.pwrite(*file, encode_upload_job(job), 0)) {
    (void)disk_.unlink(place);
    return false;
  }
  const std::lock_guard lock(mutex_);
  open_.emplace(std::move(job.path), Open{name});
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
  if (found->second.lent) return false;
  open_.erase(found);
  return true;
}

void PartialUploads::end(const std::string& name, const std::string& path, bool described, DraftEnd how) {
  if (described) {
    const std::lock_guard lock(mutex_);
    if (const auto found = find_open(name, path); found != open_.end()) open_.erase(found);
  }
  if (how == DraftEnd::kCut && described) {
    if (auto partial = find(name)) {
      const std::lock_guard lock(mutex_);
      return keep(path, std::move(partial->second));
    }
  }
  // Nobody can be told of a failure here; what is left is swept at the next start.
  if (how != DraftEnd::kCommitted) (void)disk_.unlink({Area::kStaging, name});
  if (described) (void)disk_.unlink({Area::kStaging, job_name(name)});
  if (how != DraftEnd::kCommitted) return;
  const std::lock_guard lock(mutex_);
  if (const auto found = partials_.find(path); found != partials_.end()) remove(found);
}

void PartialUploads::keep(const std::string& path, Partial partial) {
  const auto [known, is_new] = partials_.try_emplace(path, partial);
  if (!is_new) {
    // An attempt that got less far than the one before it has only what it took from there.
    if (known->second.bytes >= partial.bytes && !known->second.condemned) return remove_files(partial);
    remove(known);
    partials_.emplace(path, std::move(partial));
  }
  enforce(path);
}

void PartialUploads::remove(Partials::iterator found) {
  if (found->second.lent) {
    found->second.condemned = true;
    replaced_.push_back(std::move(found->second));
  } else {
    remove_files(found->second);
  }
  partials_.erase(found);
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
    const auto stat = disk_.stat({Area::kStaging, open->second.name});
    if (open->second.lent || !stat || stat->kind != FileKind::kRegular || stat->bytes < limits_.least_bytes) continue;
    if (largest != open_.end() && stat->bytes <= file.bytes) continue;
    largest = open;
    file = *stat;
  }
  if (largest == open_.end()) return nullptr;
  // A name of its own: the draft may end, and be committed, while another upload reads this.
  std::string name = lent_name(largest->second.name);
  if (!disk_.link({Area::kStaging, largest->second.name}, {Area::kStaging, name})) return nullptr;
  largest->second.lent = true;
  return std::make_shared<const Lent>(*this, path, std::move(name), id_of(file), file.bytes, Access::kReadWrite);
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
  if (lent.name_.ends_with(kLentSuffix)) {
    (void)disk_.unlink({Area::kStaging, lent.name_});
    const auto open = find_open(lent.name_.substr(0, lent.name_.size() - kLentSuffix.size()), lent.path_);
    if (open != open_.end()) open->second.lent = false;
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
