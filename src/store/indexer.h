// Cuts and hashes a file that lies in the store.
#pragma once

#include "store/disk.h"
#include "store/store.h"

namespace millrace {

struct Indexed {
  ChunkList chunks;
  Digest root;
  FileStat stat;
};

/// Reads the whole file, 4 MiB at a time. Errors: kSourceChanged when it changed meanwhile, the system's.
Result<Indexed> index_file(Disk& disk, const File& file, std::string_view path, Hasher& hasher);

}  // namespace millrace
