#include "store/relocation.h"

namespace millrace {

namespace {

Result<std::vector<std::pair<std::string, Row>>> rows_of(Catalogue& catalogue, const std::string& path) {
  MILLRACE_ASSIGN(auto rows, catalogue.below(path));
  MILLRACE_ASSIGN(const auto own, catalogue.find(path));
  if (own) rows.emplace_back(path, *own);
  return rows;
}

/// Only inside of a transaction's body.
Status rename_rows(Catalogue& catalogue, std::vector<std::pair<std::string, Row>>& rows, const std::string& from,
                   const std::string& to) {
  for (auto& [path, row] : rows) {
    MILLRACE_ASSIGN(const std::uint64_t gone, catalogue.next_sequence());
    MILLRACE_TRY(catalogue.erase(path, gone));
    MILLRACE_ASSIGN(row.version.token.sequence, catalogue.next_sequence());
    MILLRACE_TRY(catalogue.put(to + path.substr(from.size()), row));
  }
  return {};
}

}  // namespace

Status record_move(StoreParts& parts, std::optional<Pending>& replaced, Pending& moved) {
  Catalogue& catalogue = *parts.catalogue;
  MILLRACE_ASSIGN(auto rows, rows_of(catalogue, moved.path));
  return catalogue.transaction(parts.disk(), [&]() -> Status {
    if (replaced) {
      MILLRACE_ASSIGN(const std::uint64_t gone, catalogue.next_sequence());
      MILLRACE_TRY(catalogue.erase(replaced->path, gone));
      MILLRACE_ASSIGN(replaced->id, catalogue.add_pending(*replaced));
    }
    MILLRACE_TRY(rename_rows(catalogue, rows, moved.path, moved.other));
    MILLRACE_ASSIGN(moved.id, catalogue.add_pending(moved));
    return {};
  });
}

Status take_back_move(StoreParts& parts, const Pending& moved) {
  Catalogue& catalogue = *parts.catalogue;
  MILLRACE_ASSIGN(auto rows, rows_of(catalogue, moved.other));
  return catalogue.transaction(parts.disk(), [&]() -> Status {
    MILLRACE_TRY(rename_rows(catalogue, rows, moved.other, moved.path));
    return catalogue.remove_pending(moved.id);
  });
}

}  // namespace millrace
