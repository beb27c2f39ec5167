// Cuts and hashes a file that lies in the store.
#pragma once

#include "delta/chunk_tree.h"
#include "store/disk.h"
#include "store/store.h"

namespace millrace {

struct Indexed {
  ChunkList chunks;
  Digest root;
  FileStat stat;
};

/// A file that was indexed before it was asked for.
struct IndexedBefore {
  Indexed indexed;
  std::int64_t started_ns = 0;  ///< wall clock when the reading began
};

/// Reads a file in blocks, so that its caller can rest or stop between them. After an error it is spent.
class FileIndexer {
 public:
  FileIndexer(std::string path, const FileStat& before) : path_(std::move(path)) { indexed_.stat = before; }
  /// Reads the next block; the number of bytes read, 0: the file has ended.
  Result<std::size_t> read(Disk& disk, const File& file, Hasher& hasher);
  /// read() until the end.
  Status read_all(Disk& disk, const File& file, Hasher& hasher);
  /// After the end, whether the file changed meanwhile or not.
  ChunkList chunks() && { return std::move(indexed_.chunks); }
  /// After the end. Errors: kSourceChanged when the file changed meanwhile.
  Result<Indexed> finish(Disk& disk, const File& file, Hasher& hasher);

 private:
  std::string path_;
  Indexed indexed_;
  ChunkTreeBuilder builder_;
  Buffer block_;
  std::uint64_t offset_ = 0;
};

/// Reads the whole file, 4 MiB at a time. Errors: kSourceChanged when it changed meanwhile, the system's.
Result<Indexed> index_file(Disk& disk, const File& file, std::string_view path, Hasher& hasher);

}  // namespace millrace
