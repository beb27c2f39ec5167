#include "simulation/file_model.h"

#include <algorithm>

namespace millrace::simulation {

namespace {
constexpr int kMostMoves = 4;  ///< that are followed back; behind them anything goes
}

FileModel::ContentId FileModel::add_content(Buffer bytes, const Digest& root) {
  const auto [known, is_new] = by_root_.try_emplace(root, contents_.size());
  if (is_new) contents_.push_back({root, std::move(bytes)});
  return known->second;
}

FileModel::ContentId FileModel::find(const Digest& root) const {
  const auto found = by_root_.find(root);
  return found == by_root_.end() ? kUnknown : found->second;
}

/// Nothing stood anywhere at the beginning.
const std::vector<FileModel::WriteId>& FileModel::writes_to(const std::string& path) {
  std::vector<WriteId>& all = by_path_[path];
  if (all.empty()) {
    all.push_back(writes_.size());
    Write nothing;
    nothing.path = path;
    nothing.ended = 0;
    nothing.is_sure = true;
    writes_.push_back(std::move(nothing));
  }
  return all;
}

FileModel::WriteId FileModel::begin_write(const std::string& path, ContentId content) {
  (void)writes_to(path);
  Write write;
  write.path = path;
  write.content = content;
  write.began = now();
  writes_.push_back(std::move(write));
  by_path_[path].push_back(writes_.size() - 1);
  return writes_.size() - 1;
}

FileModel::WriteId FileModel::begin_copy(const std::string& from, const std::string& to) {
  (void)writes_to(from);
  const WriteId id = begin_write(to, kUnknown);
  writes_[id].copied_from = from;
  writes_[id].may_be_none = true;
  return id;
}

FileModel::WriteId FileModel::begin_move(const std::string& from, const std::string& to) {
  const WriteId id = begin_copy(from, to);
  writes_[id].may_be_none = false;
  return id;
}

void FileModel::acknowledged(WriteId write) {
  writes_[write].ended = now();
  writes_[write].is_sure = true;
}

void FileModel::refused(WriteId write) {
  writes_[write].ended = now();
  writes_[write].is_refused = true;
}

void FileModel::sealed(WriteId write) {
  if (!writes_[write].ended) writes_[write].ended = now();
}

void FileModel::seal_all() {
  for (WriteId id = 0; id < writes_.size(); ++id) sealed(id);
}

bool FileModel::is_overwritten(const Write& write, Moment since) const {
  if (!write.ended) return false;
  const std::vector<WriteId>& all = by_path_.at(write.path);
  return std::any_of(all.begin(), all.end(), [&](WriteId id) {
    const Write& later = writes_[id];
    return later.is_sure && later.began > *write.ended && *later.ended < since;
  });
}

bool FileModel::may_be(const std::string& path, ContentId content, Moment since, Moment until, int depth) {
  if (content == kUnknown) return false;
  if (depth > kMostMoves) return true;
  for (const WriteId id : std::vector<WriteId>(writes_to(path))) {
    const Write write = writes_[id];
    if (write.is_refused || write.began > until || is_overwritten(write, since)) continue;
    if (write.copied_from.empty()) {
      if (write.content == content) return true;
      continue;
    }
    if (content == kAbsent && !write.may_be_none) continue;
    if (may_be(write.copied_from, content, write.began, write.ended.value_or(until), depth + 1)) return true;
  }
  return false;
}

bool FileModel::may_be(const std::string& path, ContentId content, Moment since) {
  return may_be(path, content, since, now(), 0);
}

bool FileModel::found(const std::string& path, ContentId content, Moment since) {
  if (!may_be(path, content, since)) return false;
  const WriteId id = begin_write(path, content);
  writes_[id].began = since;
  writes_[id].was_found = true;
  acknowledged(id);
  return true;
}

std::size_t FileModel::writes_of(const std::string& path, ContentId content) const {
  const auto all = by_path_.find(path);
  if (all == by_path_.end()) return 0;
  return static_cast<std::size_t>(std::count_if(all->second.begin(), all->second.end(), [&](WriteId id) {
    const Write& write = writes_[id];
    return !write.is_refused && !write.was_found && (write.content == content || !write.copied_from.empty());
  }));
}

std::string FileModel::describe(const std::string& path) {
  std::string out;
  const Moment until = now();
  for (const WriteId id : writes_to(path)) {
    const Write& write = writes_[id];
    out += "  " + std::to_string(write.began) + ".." + (write.ended ? std::to_string(*write.ended) : "?") + " ";
    if (!write.copied_from.empty()) {
      out += "from " + write.copied_from;
    } else if (write.content == kAbsent) {
      out += "nothing";
    } else {
      out += "content " + std::to_string(write.content) + " (" + std::to_string(contents_[write.content].bytes.size()) +
             " bytes)";
    }
    out += write.is_refused ? " refused" : write.was_found ? " found" : write.is_sure ? " sure" : "";
    if (!write.is_refused && !is_overwritten(write, until)) out += " <- may be there";
    out += "\n";
  }
  return out;
}

std::vector<std::string> FileModel::paths() const {
  std::vector<std::string> all;
  for (const auto& [path, writes] : by_path_) all.push_back(path);
  return all;
}

}  // namespace millrace::simulation
