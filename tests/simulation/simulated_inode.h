// A file or folder of the simulated disk: what programs see of it, and what the platter has. Content is kept by blocks:
// whoever writes to a block that was not flushed since the last flush leaves what the platter has of it aside.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/random.h"
#include "store/disk.h"

namespace millrace::simulation {

struct Inode;
using InodePtr = std::shared_ptr<Inode>;

struct Inode {
  static constexpr std::uint64_t kBlock = 4096;
  static constexpr std::uint64_t kSector = 512;

  struct Attributes {
    std::uint64_t bytes = 0;
    std::int64_t mtime_ns = 0;
    std::int64_t ctime_ns = 0;
    std::uint32_t mode = 0600;
  };

  std::uint64_t number = 0;
  FileKind kind = FileKind::kRegular;
  Attributes now;
  Attributes flushed;
  Buffer content;                            ///< of a file
  std::map<std::uint64_t, Buffer> unsynced;  ///< what the platter has of blocks that were written since
  /// The same of blocks whose flush failed: the kernel believes that they are written, and never tries again.
  std::map<std::uint64_t, Buffer> lost;
  std::map<std::string, InodePtr> names;  ///< of a folder
  std::uint32_t links = 0;
  std::uint32_t opens = 0;

  void write(std::uint64_t offset, ByteView bytes);
  void truncate(std::uint64_t bytes);
  void fsync();
  void fail_fsync();
  /// The power is cut: of what was not flushed each block, and size and times, are kept, lost or torn.
  /// `keep`: of a hundred, how many.
  void cut_power(SeededRandom& random, std::uint64_t keep);

 private:
  void remember(std::uint64_t first_block, std::uint64_t end_block);
};

}  // namespace millrace::simulation
