// A disk that fails at one of its operations, once or from then on as after a crash, and that can lose what was not
// flushed when the power is cut. It works on real files: what it forgets is really gone.
//
// The model is that of a journaled file system. Names: a rename or exchange counts as durable when a folder of it
// was flushed; what is not is undone from the last one backwards. Content: any file that was written and not flushed is
// overwritten with zeros. Transactions of the catalogue are durable.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/path.h"
#include "store/disk.h"

namespace millrace::test {

/// Shared with the test, which outlives the store that owns the disk.
struct Faults {
  enum class Kind { kFailOnce, kCrash };
  Kind kind = Kind::kFailOnce;
  int error = EIO;
  bool armed = false;
  std::size_t fail_at = 0;  ///< index of the operation, counted from arming
  std::size_t count = 0;
  bool hit = false;
  bool dead = false;
  std::map<std::string, int, std::less<>> refused;         ///< operations that fail each time, and how
  std::optional<std::uint64_t> free_bytes;                 ///< what the disk says; empty: the truth
  std::function<void(std::string_view operation)> before;  ///< may change files behind the store's back

  struct Undo {
    std::vector<Place> folders;  ///< the flush of any of them makes it last: a rename is one step of the journal
    std::function<void()> run;
  };
  std::vector<Undo> names;                ///< not flushed yet
  std::map<std::uint64_t, int> contents;  ///< inode: descriptor of a file that was not flushed yet

  ~Faults() {
    for (const auto& [inode, descriptor] : contents) ::close(descriptor);
  }
  void arm(Kind what, std::size_t at, int with = EIO) {
    kind = what;
    fail_at = at;
    error = with;
    count = 0;
    hit = dead = false;
    armed = true;
  }
  /// What was not flushed is lost. Call while the store is still open, so that the disk is there.
  void cut_power() {
    dead = true;
    for (auto it = names.rbegin(); it != names.rend(); ++it) it->run();
    names.clear();
    for (const auto& [inode, descriptor] : contents) {
      const off_t size = ::lseek(descriptor, 0, SEEK_END);
      const std::vector<char> zeros(static_cast<std::size_t>(size));
      if (::pwrite(descriptor, zeros.data(), zeros.size(), 0) != size) std::abort();
    }
  }
};

class FaultyDisk final : public Disk {
 public:
  FaultyDisk(std::unique_ptr<Disk> disk, std::shared_ptr<Faults> faults)
      : disk_(std::move(disk)), faults_(std::move(faults)) {}

  DiskResult<File> open(const Place& place, Access access) override {
    if (const int error = step("open")) return disk_fail(error);
    return disk_->open(place, access);
  }
  DiskResult<File> create(const Place& place) override {
    if (const int error = step("create")) return disk_fail(error);
    return disk_->create(place);
  }
  DiskResult<std::size_t> pread(const File& file, MutableBytes into, std::uint64_t offset) override {
    if (faults_->dead) return disk_fail(EIO);
    return disk_->pread(file, into, offset);
  }
  DiskStatus pwrite(const File& file, ByteView bytes, std::uint64_t offset) override {
    if (const int error = step("pwrite")) return disk_fail(error);
    dirty(file);
    return disk_->pwrite(file, bytes, offset);
  }
  DiskStatus truncate(const File& file, std::uint64_t bytes) override {
    if (const int error = step("truncate")) return disk_fail(error);
    dirty(file);
    return disk_->truncate(file, bytes);
  }
  DiskStatus set_attributes(const File& file, std::uint32_t mode, std::int64_t mtime_ns) override {
    if (const int error = step("set_attributes")) return disk_fail(error);
    return disk_->set_attributes(file, mode, mtime_ns);
  }
  DiskStatus fsync(const File& file) override {
    if (const int error = step("fsync")) return disk_fail(error);
    if (const auto stat = disk_->stat_file(file)) {
      if (const auto found = faults_->contents.find(stat->inode); found != faults_->contents.end()) {
        ::close(found->second);
        faults_->contents.erase(found);
      }
    }
    return disk_->fsync(file);
  }
  DiskStatus fsync_folder(const Place& place) override {
    if (const int error = step("fsync_folder")) return disk_fail(error);
    std::erase_if(faults_->names, [&](const Faults::Undo& undo) {
      return std::any_of(undo.folders.begin(), undo.folders.end(),
                         [&](const Place& folder) { return folder.area == place.area && folder.path == place.path; });
    });
    return disk_->fsync_folder(place);
  }
  DiskStatus flush_all() override {
    if (const int error = step("flush_all")) return disk_fail(error);
    return disk_->flush_all();
  }
  DiskStatus start_writeback(const File& file, std::uint64_t offset, std::uint64_t bytes) override {
    if (const int error = step("start_writeback")) return disk_fail(error);
    return disk_->start_writeback(file, offset, bytes);
  }
  DiskStatus drop_cached(const File& file) override {
    if (const int error = step("drop_cached")) return disk_fail(error);
    return disk_->drop_cached(file);
  }
  DiskResult<FileStat> stat_file(const File& file) override {
    if (faults_->dead) return disk_fail(EIO);
    return disk_->stat_file(file);
  }
  DiskResult<FileStat> stat(const Place& place) override {
    if (faults_->dead) return disk_fail(EIO);
    return disk_->stat(place);
  }
  DiskResult<std::vector<std::string>> list(const Place& place) override {
    if (faults_->dead) return disk_fail(EIO);
    return disk_->list(place);
  }
  DiskStatus make_folder(const Place& place) override {
    if (const int error = step("make_folder")) return disk_fail(error);
    const auto done = disk_->make_folder(place);
    if (done) remember({place}, [this, place] { remove_tree(place); });
    return done;
  }
  DiskStatus remove_folder(const Place& place) override {
    if (const int error = step("remove_folder")) return disk_fail(error);
    return disk_->remove_folder(place);
  }
  DiskStatus unlink(const Place& place) override {
    if (const int error = step("unlink")) return disk_fail(error);
    return disk_->unlink(place);
  }
  DiskStatus rename_noreplace(const Place& from, const Place& to) override {
    if (const int error = step("rename")) return disk_fail(error);
    static constexpr std::array<const char*, 5> kInto = {"", "files", "staging", "chunks", "trash"};
    const std::string into = std::string("rename into ") + kInto[static_cast<std::size_t>(to.area)];
    if (const auto found = faults_->refused.find(into); found != faults_->refused.end())
      return disk_fail(found->second);
    const auto done = disk_->rename_noreplace(from, to);
    if (done) remember({from, to}, [this, from, to] { (void)disk_->rename_noreplace(to, from); });
    return done;
  }
  DiskStatus exchange(const Place& staged, const Place& path) override {
    if (const int error = step("exchange")) return disk_fail(error);
    const auto done = disk_->exchange(staged, path);
    if (done) remember({staged, path}, [this, staged, path] { (void)disk_->exchange(staged, path); });
    return done;
  }
  DiskStatus link(const Place& from, const Place& to) override {
    if (const int error = step("link")) return disk_fail(error);
    const auto done = disk_->link(from, to);
    if (done) remember({to}, [this, to] { (void)disk_->unlink(to); });
    return done;
  }
  DiskStatus may_change(const Place& folder) override {
    if (const auto found = faults_->refused.find("may_change"); found != faults_->refused.end())
      return disk_fail(found->second);
    return disk_->may_change(folder);
  }
  DiskResult<std::uint64_t> total_bytes() override { return disk_->total_bytes(); }
  DiskResult<std::uint64_t> free_bytes() override {
    if (faults_->free_bytes) return *faults_->free_bytes;
    return disk_->free_bytes();
  }
  DiskStatus before_transaction() override {
    if (const int error = step("transaction")) return disk_fail(error);
    return disk_->before_transaction();
  }

 private:
  int step(std::string_view operation) {
    if (faults_->before) faults_->before(operation);
    if (faults_->dead) return EIO;
    if (const auto found = faults_->refused.find(operation); found != faults_->refused.end()) return found->second;
    if (!faults_->armed || faults_->count++ != faults_->fail_at) return 0;
    faults_->hit = true;
    faults_->dead = faults_->kind == Faults::Kind::kCrash;
    return faults_->error;
  }
  void dirty(const File& file) {
    const auto stat = disk_->stat_file(file);
    if (stat && !faults_->contents.contains(stat->inode)) faults_->contents[stat->inode] = ::dup(file.descriptor());
  }
  /// A folder whose name was not flushed takes all that is in it along.
  void remove_tree(const Place& place) {
    if (const auto names = disk_->list(place)) {
      for (const std::string& name : *names) {
        const Place below{place.area, place.path + "/" + name};
        const auto stat = disk_->stat(below);
        if (stat && stat->kind == FileKind::kFolder) {
          remove_tree(below);
        } else {
          (void)disk_->unlink(below);
        }
      }
    }
    (void)disk_->remove_folder(place);
  }
  void remember(std::initializer_list<Place> names, std::function<void()> undo) {
    Faults::Undo undone{{}, std::move(undo)};
    for (const Place& name : names) {
      // A draft's name in staging is flushed before it counts; what is renamed from there lasts with its new folder.
      if (names.size() == 1 || name.area == Area::kFiles)
        undone.folders.push_back({name.area, std::string(parent_path(name.path))});
    }
    faults_->names.push_back(std::move(undone));
  }
  std::unique_ptr<Disk> disk_;
  std::shared_ptr<Faults> faults_;
};

}  // namespace millrace::test
