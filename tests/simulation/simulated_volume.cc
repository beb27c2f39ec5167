#include "simulation/simulated_volume.h"

#include <algorithm>
#include <cassert>
#include <cerrno>

#include "base/path.h"

namespace millrace::simulation {

namespace {
std::string joined(std::string_view folder, std::string_view name) {
  return folder.empty() ? std::string(name) : std::string(folder) + "/" + std::string(name);
}
}  // namespace

SimulatedVolume::SimulatedVolume(SimulatedClock& clock, Trace& trace, std::uint64_t seed)
    : clock_(clock), trace_(trace), random_(seed), root_(std::make_shared<Inode>()) {
  root_->number = 1;
  root_->kind = FileKind::kFolder;
  root_->links = 1;
}

int SimulatedVolume::step(Effect effect, const char* what) {
  if (dead_) return EIO;
  ++operations_;
  clock_.pass(1000);
  if (faults.stop_after != UINT64_MAX && faults.stop_after-- == 0) {
    faults.stop_after = UINT64_MAX;
    dead_ = true;
    trace_.line(clock_.now(), std::string("the machine stops in ") + what);
    return EIO;
  }
  if (faults.io_errors > 0 && random_.below(10'000) < faults.io_errors) {
    trace_.line(clock_.now(), std::string("EIO from ") + what);
    return EIO;
  }
  if (effect != Effect::kGrow) return 0;
  if (faults.is_full || (faults.full > 0 && random_.below(10'000) < faults.full)) {
    trace_.line(clock_.now(), std::string("ENOSPC from ") + what);
    return ENOSPC;
  }
  return 0;
}

DiskResult<SimulatedVolume::Name> SimulatedVolume::look_up(std::string_view path) const {
  InodePtr folder;
  InodePtr at = root_;
  std::string name;
  while (!path.empty()) {
    if (!at) return disk_fail(ENOENT);
    if (at->kind != FileKind::kFolder) return disk_fail(ENOTDIR);
    const std::size_t slash = path.find('/');
    name = path.substr(0, slash);
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    folder = at;
    const auto found = folder->names.find(name);
    at = found == folder->names.end() ? nullptr : found->second;
  }
  return Name{folder, name, at};
}

DiskResult<InodePtr> SimulatedVolume::find(std::string_view path) const {
  const auto found = look_up(path);
  if (!found) return disk_fail(found.error());
  if (!found->inode) return disk_fail(ENOENT);
  return found->inode;
}

DiskResult<InodePtr> SimulatedVolume::create(const std::string& path, FileKind kind) {
  const auto place = look_up(path);
  if (!place) return disk_fail(place.error());
  if (place->inode) return disk_fail(EEXIST);
  const auto inode = std::make_shared<Inode>();
  inode->kind = kind;
  if (free_numbers_.empty()) {
    inode->number = next_number_++;
  } else {
    inode->number = free_numbers_.back();
    free_numbers_.pop_back();
  }
  inode->now.mode = kind == FileKind::kFolder ? 0755 : 0600;
  inode->now.mtime_ns = inode->now.ctime_ns = file_time();
  inode->flushed = inode->now;
  apply({{{place->folder, place->name, nullptr, inode}}, {place->folder}, kind == FileKind::kFolder ? inode : nullptr});
  return inode;
}

DiskStatus SimulatedVolume::remove(const std::string& path, FileKind kind) {
  const auto place = look_up(path);
  if (!place) return disk_fail(place.error());
  if (!place->inode) return disk_fail(ENOENT);
  if (kind == FileKind::kFolder && place->inode->kind != FileKind::kFolder) return disk_fail(ENOTDIR);
  if (kind != FileKind::kFolder && place->inode->kind == FileKind::kFolder) return disk_fail(EISDIR);
  if (!place->inode->names.empty()) return disk_fail(ENOTEMPTY);
  apply({{{place->folder, place->name, place->inode, nullptr}}, {place->folder}, nullptr});
  return {};
}

DiskResult<std::pair<SimulatedVolume::Name, SimulatedVolume::Name>> SimulatedVolume::look_up_there_and_free(
    const std::string& there, const std::string& free) const {
  const auto source = look_up(there);
  if (!source) return disk_fail(source.error());
  const auto target = look_up(free);
  if (!target) return disk_fail(target.error());
  if (!source->inode) return disk_fail(ENOENT);
  if (target->inode) return disk_fail(EEXIST);
  return std::pair(*source, *target);
}

DiskStatus SimulatedVolume::rename_noreplace(const std::string& from, const std::string& to) {
  const auto names = look_up_there_and_free(from, to);
  if (!names) return disk_fail(names.error());
  const auto& [source, target] = *names;
  // Nobody flushes the trash: what goes there goes with the flush of where it was.
  std::vector<InodePtr> flushed_by{target.folder};
  if (to.starts_with("trash/")) flushed_by.push_back(source.folder);
  apply({{{source.folder, source.name, source.inode, nullptr}, {target.folder, target.name, nullptr, source.inode}},
         std::move(flushed_by),
         nullptr});
  return {};
}

DiskStatus SimulatedVolume::exchange(const std::string& staged, const std::string& path) {
  const auto a = look_up(staged);
  if (!a) return disk_fail(a.error());
  const auto b = look_up(path);
  if (!b) return disk_fail(b.error());
  if (!a->inode || !b->inode) return disk_fail(ENOENT);
  apply({{{a->folder, a->name, a->inode, b->inode}, {b->folder, b->name, b->inode, a->inode}}, {b->folder}, nullptr});
  return {};
}

DiskStatus SimulatedVolume::link(const std::string& from, const std::string& to) {
  const auto names = look_up_there_and_free(from, to);
  if (!names) return disk_fail(names.error());
  const auto& [source, target] = *names;
  apply({{{target.folder, target.name, nullptr, source.inode}}, {target.folder}, nullptr});
  return {};
}

void SimulatedVolume::apply(Operation operation) {
  for (const Binding& binding : operation.bindings) {
    bind(binding.folder, binding.name, binding.after);
    for (const InodePtr& inode : {binding.before, binding.after})
      if (inode) inode->now.ctime_ns = file_time();
  }
  const std::vector<Binding> bindings = operation.bindings;
  unsynced_.push_back(std::move(operation));
  for (const Binding& binding : bindings)
    if (binding.before) free_if_unused(binding.before);
}

void SimulatedVolume::bind(const InodePtr& folder, const std::string& name, const InodePtr& inode) {
  if (const auto had = folder->names.find(name); had != folder->names.end()) {
    --had->second->links;
    folder->names.erase(had);
  }
  if (!inode) return;
  ++inode->links;
  folder->names.emplace(name, inode);
}

void SimulatedVolume::free_if_unused(const InodePtr& inode) {
  if (inode->links == 0 && inode->opens == 0 && inode->number != 0) free_numbers_.push_back(inode->number);
}

bool SimulatedVolume::builds_upon(const Operation& later, const Operation& earlier) {
  for (const Binding& b : later.bindings) {
    for (const Binding& a : earlier.bindings) {
      if (a.folder == b.folder && a.name == b.name) return true;
      for (const InodePtr& x : {a.before, a.after})
        for (const InodePtr& y : {b.before, b.after})
          if (x && y && x->number == y->number) return true;
      // A folder is removed once it is empty.
      if (b.before && b.before == a.folder) return true;
    }
  }
  return false;
}

void SimulatedVolume::make_durable(const InodePtr& folder) {
  std::vector<Operation> durable;
  for (auto one = unsynced_.end(); one != unsynced_.begin();) {
    --one;
    const bool is_needed =
        std::find(one->flushed_by.begin(), one->flushed_by.end(), folder) != one->flushed_by.end() ||
        std::any_of(durable.begin(), durable.end(), [&](const auto& later) { return builds_upon(later, *one); });
    if (!is_needed) continue;
    durable.push_back(std::move(*one));
    one = unsynced_.erase(one);
  }
}

DiskStatus SimulatedVolume::flush_folder(const std::string& path) {
  const auto folder = find(path);
  if (!folder) return disk_fail(folder.error());
  if ((*folder)->kind != FileKind::kFolder) return disk_fail(ENOTDIR);
  make_durable(*folder);
  return {};
}

void SimulatedVolume::flush_all() {
  unsynced_.clear();
  for (const std::string& path : files_below("")) (*find(path))->fsync();
}

int SimulatedVolume::open(const InodePtr& inode) {
  ++inode->opens;
  if (free_descriptors_.empty()) {
    descriptors_.push_back(inode);
    return static_cast<int>(descriptors_.size() - 1);
  }
  const int descriptor = free_descriptors_.back();
  free_descriptors_.pop_back();
  descriptors_[static_cast<std::size_t>(descriptor)] = inode;
  return descriptor;
}

void SimulatedVolume::close(int descriptor) {
  const InodePtr inode = std::move(descriptors_.at(static_cast<std::size_t>(descriptor)));
  assert(inode);
  free_descriptors_.push_back(descriptor);
  if (--inode->opens == 0) free_if_unused(inode);
}

void SimulatedVolume::restart() {
  dead_ = false;
  faults = {};
}

void SimulatedVolume::cut_power() {
  // A journal keeps its operations in order; a file system without one may keep any.
  const bool is_journal = random_.below(2) == 0;
  const std::uint64_t keep_names = random_.below(3) * 50;
  const std::uint64_t keep_blocks = random_.below(3) * 50;
  const std::size_t kept_in_order = unsynced_.empty() ? 0 : random_.below(unsynced_.size() + 1);
  std::vector<const Operation*> lost;
  std::size_t index = 0;
  for (const Operation& one : unsynced_) {
    const bool is_cut = is_journal ? index >= kept_in_order : random_.below(100) >= keep_names;
    ++index;
    const bool hangs = std::any_of(lost.begin(), lost.end(), [&](const Operation* earlier) {
      if (builds_upon(one, *earlier)) return true;
      return earlier->made && std::any_of(one.bindings.begin(), one.bindings.end(),
                                          [&](const Binding& b) { return b.folder == earlier->made; });
    });
    if (is_cut || hangs) lost.push_back(&one);
  }
  for (auto one = lost.rbegin(); one != lost.rend(); ++one)
    for (auto b = (*one)->bindings.rbegin(); b != (*one)->bindings.rend(); ++b) bind(b->folder, b->name, b->before);
  trace_.line(clock_.now(),
              "power cut: lost " + std::to_string(lost.size()) + " of " + std::to_string(unsynced_.size()) + " names");
  unsynced_.clear();
  for (const std::string& path : files_below("")) (*find(path))->cut_power(random_, keep_blocks);
  forget_lost_inodes();
}

/// What an undone operation brought back, or a lost folder took along, changes which numbers are free.
void SimulatedVolume::forget_lost_inodes() {
  std::set<std::uint64_t> used;
  const auto visit = [&used](const auto& self, const InodePtr& inode) -> void {
    used.insert(inode->number);
    for (const auto& [name, below] : inode->names) self(self, below);
  };
  visit(visit, root_);
  free_numbers_.clear();
  for (std::uint64_t number = 2; number < next_number_; ++number)
    if (!used.contains(number)) free_numbers_.push_back(number);
}

std::vector<std::string> SimulatedVolume::files_below(const std::string& path) const {
  std::vector<std::string> found;
  const auto top = find(path);
  if (!top) return found;
  const auto visit = [&found](const auto& self, const InodePtr& inode, const std::string& at) -> void {
    for (const auto& [name, below] : inode->names) {
      if (below->kind == FileKind::kFolder)
        self(self, below, joined(at, name));
      else
        found.push_back(joined(at, name));
    }
  };
  visit(visit, *top, path);
  return found;
}

}  // namespace millrace::simulation
