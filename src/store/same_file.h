// What stat says of whether a file was changed between two looks.
#pragma once

#include "store/disk.h"

namespace millrace {

/// The same file, and as far as size and time tell not written. What we do with its names changes ctime alone.
inline bool same_but_ctime(const FileStat& a, const FileStat& b) {
  return a.device == b.device && a.inode == b.inode && a.bytes == b.bytes && a.mtime_ns == b.mtime_ns;
}

inline bool same_content(const FileStat& a, const FileStat& b) {
  return same_but_ctime(a, b) && a.ctime_ns == b.ctime_ns;
}

}  // namespace millrace
