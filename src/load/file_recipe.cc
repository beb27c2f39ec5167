#include "load/file_recipe.h"

#include <algorithm>
#include <numeric>

#include "base/random.h"

namespace millrace {

namespace {

constexpr std::size_t kMostRemembered = 32;  ///< ranges, unless one version has more

std::uint64_t mix(std::uint64_t value) {
  return SeededRandom(value)();
}

/// Bytes of an endless pseudo-random sequence, which `key` names, from `offset` on.
void fill(std::uint64_t key, std::uint64_t offset, MutableBytes into) {
  constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15;  // SplitMix64's: the n-th word without those before it
  while (!into.empty()) {
    Byte word[8];
    store_le(word, mix(key + (offset / 8) * kStep));
    const std::size_t inside = offset % 8;
    const std::size_t count = std::min(into.size(), sizeof word - inside);
    std::memcpy(into.data(), word + inside, count);
    into = into.subspan(count);
    offset += count;
  }
}

}  // namespace

class FileRecipe::Generated final : public Source {
 public:
  struct Piece {
    std::uint64_t start = 0;  ///< in the file
    std::uint64_t length = 0;
    std::uint64_t key = 0;
    std::uint64_t from = 0;  ///< in the key's sequence
  };

  void add(std::uint64_t key, std::uint64_t from, std::uint64_t length) {
    if (length == 0) return;
    pieces_.push_back({bytes_, length, key, from});
    bytes_ += length;
  }
  void overlay(const Edit& edit) { overlays_.push_back({edit.at, edit.length, edit.key, 0}); }

  std::uint64_t size() const override { return bytes_; }

  Status read_at(std::uint64_t offset, MutableBytes into) const override {
    if (offset > bytes_ || into.size() > bytes_ - offset)
      return fail(Code::kSourceChanged, "The data ends before the requested range.");
    auto piece = std::upper_bound(pieces_.begin(), pieces_.end(), offset,
                                  [](std::uint64_t at, const Piece& one) { return at < one.start; });
    if (piece != pieces_.begin()) --piece;
    for (; piece != pieces_.end() && piece->start < offset + into.size(); ++piece) copy(*piece, offset, into);
    for (const Piece& one : overlays_) copy(one, offset, into);
    return {};
  }

 private:
  /// What of the piece lies in the range that is read.
  static void copy(const Piece& piece, std::uint64_t offset, MutableBytes into) {
    const std::uint64_t begin = std::max(piece.start, offset);
    const std::uint64_t end = std::min(piece.start + piece.length, offset + into.size());
    if (begin >= end) return;
    fill(piece.key, piece.from + (begin - piece.start), into.subspan(begin - offset, end - begin));
  }

  std::vector<Piece> pieces_;    ///< one behind the other
  std::vector<Piece> overlays_;  ///< later ones lie above earlier ones
  std::uint64_t bytes_ = 0;
};

FileRecipe::FileRecipe(std::uint64_t seed, std::uint32_t client, std::uint64_t bytes)
    : file_key_(mix(mix(seed) + client)), content_key_(key_for(0)), first_bytes_(bytes) {}

std::uint64_t FileRecipe::key_for(std::uint64_t purpose) const {
  return mix(mix(file_key_ + version_) + purpose);
}

FileRecipe FileRecipe::fresh() const {
  FileRecipe next = *this;
  ++next.version_;
  next.content_key_ = next.key_for(0);
  next.edits_.clear();
  next.order_.clear();
  next.appended_bytes_ = 0;
  return next;
}

FileRecipe FileRecipe::edited(const EditRules& rules) const {
  FileRecipe next = *this;
  ++next.version_;
  next.kind_ = rules.kind;
  SeededRandom random(next.key_for(1));
  switch (rules.kind) {
    case EditKind::kAppend:
      next.appended_bytes_ += std::uint64_t{rules.edits} * rules.edit_bytes;
      break;
    case EditKind::kShuffle: {
      if (next.order_.empty()) {
        next.order_.resize(std::max<std::uint32_t>(2, rules.edits));
        std::iota(next.order_.begin(), next.order_.end(), 0u);
      }
      // Sattolo's algorithm: a single cycle, so every segment moves.
      for (std::size_t i = next.order_.size() - 1; i > 0; --i) std::swap(next.order_[i], next.order_[random.below(i)]);
      break;
    }
    case EditKind::kOverwrite:
    case EditKind::kInsert: {
      const bool overwrite = rules.kind == EditKind::kOverwrite;
      const std::uint64_t places =
          first_bytes_ - (overwrite ? std::min<std::uint64_t>(first_bytes_, rules.edit_bytes) : 0);
      for (std::uint32_t i = 0; i < rules.edits; ++i) {
        Edit edit{random.below(places + 1), random(), rules.edit_bytes};
        if (next.edits_.size() >= std::max<std::size_t>(kMostRemembered, rules.edits)) {
          if (overwrite) edit.at = next.edits_.front().at;
          next.edits_.erase(next.edits_.begin());
        }
        next.edits_.push_back(edit);
      }
      break;
    }
  }
  return next;
}

std::uint64_t FileRecipe::bytes() const {
  std::uint64_t bytes = first_bytes_ + appended_bytes_;
  if (kind_ == EditKind::kInsert) {
    for (const Edit& edit : edits_) bytes += edit.length;
  }
  return bytes;
}

std::shared_ptr<const Source> FileRecipe::source() const {
  auto generated = std::make_shared<Generated>();
  if (!order_.empty()) {
    const std::uint64_t count = order_.size();
    for (const std::uint64_t segment : order_) {
      const std::uint64_t begin = first_bytes_ * segment / count;
      generated->add(content_key_, begin, first_bytes_ * (segment + 1) / count - begin);
    }
  } else if (kind_ == EditKind::kInsert) {
    std::vector<Edit> places = edits_;
    std::stable_sort(places.begin(), places.end(), [](const Edit& a, const Edit& b) { return a.at < b.at; });
    std::uint64_t at = 0;
    for (const Edit& edit : places) {
      generated->add(content_key_, at, edit.at - at);
      generated->add(edit.key, 0, edit.length);
      at = edit.at;
    }
    generated->add(content_key_, at, first_bytes_ - at);
  } else {
    // What is appended goes on with the same endless sequence.
    generated->add(content_key_, 0, first_bytes_ + appended_bytes_);
    for (const Edit& edit : edits_) generated->overlay(edit);
  }
  return generated;
}

}  // namespace millrace
