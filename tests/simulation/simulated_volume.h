// A file system in memory, as its programs see it and as the platter has it. It outlives crashes.
//
// Names change by operations that are whole or did not happen: a new name, a removal, a rename, an exchange. One is
// durable once the folder that it was made in (of a rename the folder that it went to, or into the trash one of its
// two) was flushed; whatever it builds upon is durable with it. A new folder is durable once the folder above it was
// flushed, and if it is lost all that is in it is lost. When the power is cut any of the others are lost, or all behind
// a point, as a journal does; those that build upon a lost one are lost too. Numbers of inodes are used again at once.
#pragma once

#include <list>
#include <optional>
#include <set>
#include <vector>

#include "simulation/simulated_clock.h"
#include "simulation/simulated_inode.h"
#include "simulation/trace.h"

namespace millrace::simulation {

/// What goes wrong, in ten thousand operations each, and when the machine stops.
struct DiskFaults {
  std::uint64_t io_errors = 0;
  std::uint64_t full = 0;
  std::uint64_t stop_after = UINT64_MAX;  ///< operations from now; then nothing works any more
  bool is_full = false;                   ///< until somebody says otherwise
};

class SimulatedVolume {
 public:
  SimulatedVolume(SimulatedClock& clock, Trace& trace, std::uint64_t seed);

  DiskFaults faults;
  /// Nothing works until restart().
  bool is_dead() const { return dead_; }
  void die() { dead_ = true; }
  /// The programs ended; the kernel has lost nothing.
  void restart();
  /// The machine lost its power. `keep`: of a hundred unflushed blocks, how many are kept.
  void cut_power();

  enum class Effect { kRead, kWrite, kGrow };
  /// Before each operation: the errno of the fault that strikes, or 0.
  int step(Effect effect, const char* what);
  std::uint64_t operations() const { return operations_; }

  /// Walks a path; null and errno for what is not there.
  DiskResult<InodePtr> find(std::string_view path) const;
  DiskResult<InodePtr> create(const std::string& path, FileKind kind);
  DiskStatus remove(const std::string& path, FileKind kind);
  DiskStatus rename_noreplace(const std::string& from, const std::string& to);
  DiskStatus exchange(const std::string& staged, const std::string& path);
  DiskStatus link(const std::string& from, const std::string& to);
  DiskStatus flush_folder(const std::string& path);
  void flush_all();

  int open(const InodePtr& inode);
  const InodePtr& opened(int descriptor) const { return descriptors_.at(static_cast<std::size_t>(descriptor)); }
  void close(int descriptor);

  /// ctime's grain is that of the kernel's ticks.
  std::int64_t file_time() const { return clock_.now() / kTick * kTick; }
  SeededRandom& random() { return random_; }
  /// All files below a folder.
  std::vector<std::string> files_below(const std::string& path) const;

 private:
  static constexpr std::int64_t kTick = 4'000'000;
  struct Binding {
    InodePtr folder;
    std::string name;
    InodePtr before;
    InodePtr after;
  };
  struct Operation {
    std::vector<Binding> bindings;
    std::vector<InodePtr> flushed_by;  ///< folders of which the flush of any makes it durable
    InodePtr made;                     ///< a new folder
  };
  struct Name {
    InodePtr folder;
    std::string name;
    InodePtr inode;  ///< null: nothing stands there
  };
  DiskResult<Name> look_up(std::string_view path) const;
  /// A name that must be there and one that must not.
  DiskResult<std::pair<Name, Name>> look_up_there_and_free(const std::string& there, const std::string& free) const;
  static bool builds_upon(const Operation& later, const Operation& earlier);
  void apply(Operation operation);
  void bind(const InodePtr& folder, const std::string& name, const InodePtr& inode);
  void make_durable(const InodePtr& folder);
  void free_if_unused(const InodePtr& inode);
  void forget_lost_inodes();

  SimulatedClock& clock_;
  Trace& trace_;
  SeededRandom random_;
  bool dead_ = false;
  std::uint64_t operations_ = 0;
  InodePtr root_;
  std::list<Operation> unsynced_;
  std::uint64_t next_number_ = 2;
  std::vector<std::uint64_t> free_numbers_;
  std::vector<InodePtr> descriptors_;
  std::vector<int> free_descriptors_;
};

}  // namespace millrace::simulation
