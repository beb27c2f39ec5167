// What stands at each path now: the catalogue's row, if what stat says of the file proves it; otherwise the file is
// read again. Everything is called under the store's lock.
#pragma once

#include "store/stored_file.h"

namespace millrace {

class CurrentVersions {
 public:
  /// `now`: nanoseconds since 1970.
  CurrentVersions(StoreParts& parts, std::function<std::int64_t()> now) : parts_(parts), now_(std::move(now)) {}

  /// The row of a path: a file that another program changed is indexed again, one that is gone made a tombstone.
  /// Errors: kUsage and kNotAllowed for what is no regular file, the system's.
  Result<std::optional<Row>> find(const std::string& path);
  /// Whether the row is still right of a file that stat describes so.
  bool is_right(const std::string& path, const Row& row, const FileStat& stat) const;

 private:
  Result<std::optional<Row>> index(const std::string& path, const std::optional<Row>& old);
  StoreParts& parts_;
  std::function<std::int64_t()> now_;
};

}  // namespace millrace
