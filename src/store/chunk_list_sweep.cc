#include "store/chunk_list_sweep.h"

#include <charconv>
#include <optional>
#include <utility>

namespace millrace {

namespace {

/// Of whose chunks a side file has the list, by its name.
std::optional<Digest> root_of_name(const std::string& name) {
  Digest root;
  if (name.size() != 2 * root.bytes.size()) return std::nullopt;
  for (std::size_t i = 0; i < root.bytes.size(); ++i) {
    const char* const digits = name.data() + 2 * i;
    if (std::from_chars(digits, digits + 2, root.bytes[i], 16).ptr != digits + 2) return std::nullopt;
  }
  return root;
}

}  // namespace

std::chrono::nanoseconds ChunkListSweep::step() {
  switch (phase_) {
    case Phase::kRows:
      // A store that stopped writing removes nothing, rows least of all.
      if (!look_at_rows()) phase_ = Phase::kListFiles;
      return kRest;
    case Phase::kListFiles:
      if (auto names = parts_.disk().list({Area::kChunks, ""})) names_ = std::move(*names);
      phase_ = Phase::kFiles;
      return kRest;
    case Phase::kFiles:
      look_at_files();
      if (!names_.empty()) return kRest;
      break;
  }
  phase_ = Phase::kRows;
  last_row_ = {};
  return kInterval;
}

Status ChunkListSweep::look_at_rows() {
  Catalogue& catalogue = *parts_.catalogue;
  MILLRACE_ASSIGN(const auto lists, catalogue.chunk_lists(last_row_, kLooksAtOnce));
  std::vector<Digest> unused;
  for (const auto& [root, is_used] : lists) {
    if (!is_used) unused.push_back(root);
    last_row_ = root;
  }
  if (lists.size() < kLooksAtOnce) phase_ = Phase::kListFiles;
  if (unused.empty()) return {};
  return catalogue.transaction(parts_.disk(), [&]() -> Status {
    for (const Digest& root : unused) MILLRACE_TRY(catalogue.remove_unused_chunk_list(root));
    return {};
  });
}

void ChunkListSweep::look_at_files() {
  const std::int64_t least_age_ns = std::chrono::nanoseconds(kLeastAge).count();
  for (std::size_t i = 0; i < kLooksAtOnce && !names_.empty(); ++i) {
    const Place place{Area::kChunks, std::move(names_.back())};
    names_.pop_back();
    const auto root = root_of_name(place.path);
    if (!root) continue;
    const auto is_used = parts_.catalogue->has_root(*root);
    if (!is_used || *is_used) continue;
    const auto stat = parts_.disk().stat(place);
    if (stat && parts_.now_ns() - stat->mtime_ns >= least_age_ns) (void)parts_.disk().unlink(place);
  }
}

}  // namespace millrace
