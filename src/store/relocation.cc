#include "store/relocation.h"

namespace millrace {

Status record_move(StoreParts& parts, std::optional<Pending>& replaced, Pending& moved) {
  Catalogue& catalogue = *parts.catalogue;
  MILLRACE_ASSIGN(auto rows, catalogue.below(moved.path));
  MILLRACE_ASSIGN(const auto own, catalogue.find(moved.path));
  if (own) rows.emplace_back(moved.path, *own);
  return catalogue.transaction(parts.disk(), [&]() -> Status {
    if (replaced) {
      MILLRACE_ASSIGN(const std::uint64_t gone, catalogue.next_sequence());
      MILLRACE_TRY(catalogue.erase(replaced->path, gone));
      MILLRACE_ASSIGN(replaced->id, catalogue.add_pending(*replaced));
    }
    for (auto& [path, row] : rows) {
      MILLRACE_ASSIGN(const std::uint64_t gone, catalogue.next_sequence());
      MILLRACE_TRY(catalogue.erase(path, gone));
      MILLRACE_ASSIGN(row.version.token.sequence, catalogue.next_sequence());
      MILLRACE_TRY(catalogue.put(moved.other + path.substr(moved.path.size()), row));
    }
    MILLRACE_ASSIGN(moved.id, catalogue.add_pending(moved));
    return {};
  });
}

}  // namespace millrace
