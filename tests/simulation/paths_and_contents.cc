#include "simulation/paths_and_contents.h"

#include <algorithm>

#include "support/bytes.h"
#include "support/chunks.h"

namespace millrace::simulation {

namespace {
constexpr const char* kNames[] = {"x", "y", "e/z"};
constexpr std::size_t kLargest = 400u << 10;
}  // namespace

std::string random_folder(SeededRandom& random) {
  return "d" + std::to_string(random.below(3));
}

std::string random_path(SeededRandom& random) {
  if (random.below(2) == 0) return "f" + std::to_string(random.below(3));
  return random_folder(random) + "/" + kNames[random.below(std::size(kNames))];
}

std::vector<std::string> paths_below(const std::string& folder) {
  std::vector<std::string> all;
  for (const char* name : kNames) all.push_back(folder + "/" + name);
  return all;
}

Digest root_of(ByteView content) {
  return build_tree(test::chunks_of(content), *make_sha256()).root;
}

FileModel::ContentId new_content(Simulation& simulation, FileModel::ContentId like) {
  SeededRandom& random = simulation.random;
  Buffer bytes;
  const bool resembles = like != FileModel::kAbsent && like != FileModel::kUnknown && random.below(2) == 0;
  if (resembles) {
    bytes = simulation.model.content(like).bytes;
    for (std::uint64_t edits = 1 + random.below(3); edits > 0; --edits) {
      const auto at = static_cast<std::ptrdiff_t>(random.below(bytes.size() + 1));
      const auto left = static_cast<std::ptrdiff_t>(bytes.size()) - at;
      const Buffer piece = test::random_bytes(random.below(random.below(3) == 0 ? 8000 : 40), random());
      const auto length = std::min(left, static_cast<std::ptrdiff_t>(piece.size()));
      if (random.below(2) == 0) {
        bytes.insert(bytes.begin() + at, piece.begin(), piece.end());
      } else if (random.below(2) == 0) {
        bytes.erase(bytes.begin() + at, bytes.begin() + at + length);
      } else {
        std::copy_n(piece.begin(), length, bytes.begin() + at);
      }
    }
    if (bytes.size() > kLargest) bytes.resize(kLargest);
  } else {
    const std::uint64_t kind = random.below(20);
    const std::uint64_t most = kind < 9 ? 2000 : kind < 15 ? 40'000 : kind < 19 ? 120'000 : kLargest;
    bytes = test::random_bytes(random.below(most + 1), random());
    if (random.below(8) == 0) {
      const auto at = static_cast<std::ptrdiff_t>(random.below(bytes.size() + 1));
      bytes.insert(bytes.begin() + at, random.below(30'000), Byte{0});
    }
  }
  const Digest root = root_of(bytes);
  return simulation.model.add_content(std::move(bytes), root);
}

}  // namespace millrace::simulation
