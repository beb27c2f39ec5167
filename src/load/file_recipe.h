// What a simulated client's file consists of: a few numbers from which any range of its bytes can be made again. So
// thousands of clients have files, versions and edits of them, and none is ever held in memory or on disk.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "delta/source.h"

namespace millrace {

/// How a new version differs from the one before.
enum class EditKind : std::uint8_t {
  kOverwrite,  ///< ranges get other bytes
  kInsert,     ///< new ranges stand between the old bytes
  kAppend,     ///< new bytes at the end
  kShuffle,    ///< the file is cut into equal segments, of which none stays in its place
};

struct EditRules {
  EditKind kind = EditKind::kOverwrite;
  std::uint32_t edits = 2;         ///< ranges; with kShuffle segments, at least two
  std::uint32_t edit_bytes = 256;  ///< bytes of each range
};

class FileRecipe {
 public:
  /// The first version of a client's file: `bytes` pseudo-random ones, the same for the same seed, client and size.
  FileRecipe(std::uint64_t seed, std::uint32_t client, std::uint64_t bytes);
  /// The next version, of the size of the first, none of whose bytes have anything to do with this one's.
  FileRecipe fresh() const;
  /// The next version by the rules. A recipe must be edited by the same rules always. Once it remembers many ranges,
  /// the oldest is the one that changes again (or, of those inserted, moves): so it stays small for ever.
  FileRecipe edited(const EditRules& rules) const;

  std::uint64_t version() const { return version_; }
  std::uint64_t bytes() const;
  /// All bytes of this version; safe for several threads.
  std::shared_ptr<const Source> source() const;

 private:
  class Generated;
  struct Edit {
    std::uint64_t at = 0;  ///< in the first version
    std::uint64_t key = 0;
    std::uint64_t length = 0;
  };
  std::uint64_t key_for(std::uint64_t purpose) const;

  std::uint64_t file_key_;
  std::uint64_t version_ = 0;  // before content_key_, which is made from it
  std::uint64_t content_key_;
  std::uint64_t first_bytes_;
  EditKind kind_ = EditKind::kOverwrite;
  std::uint64_t appended_bytes_ = 0;
  std::vector<Edit> edits_;           ///< oldest first
  std::vector<std::uint32_t> order_;  ///< of segments
};

}  // namespace millrace
