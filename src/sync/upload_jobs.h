// What an upload's conversation has done on worker threads: look up and prepare what the patch needs, then prove and
// commit what it made.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "delta/chunk_tree.h"
#include "delta/patch_applier.h"
#include "store/store.h"
#include "sync/toolbox.h"
#include "wire/messages.h"

namespace millrace {

/// kWhole: the patch follows its request and refers to nothing.
enum class UploadKind { kWhole, kDelta };

/// The basis as its holder compares it.
struct BasisTree {
  ChunkTree tree;
  std::vector<std::uint64_t> chunk_offsets;  ///< and its end, in bytes
};

struct OpenDraft {
  std::shared_ptr<StoreDraft> draft;
  PatchBasis basis;
};

/// What the first job found and prepared.
struct UploadBeginning {
  std::optional<Version> current;           ///< what the path has
  bool is_same = false;                     ///< and it is what the client has: nothing else is prepared
  std::shared_ptr<const StoredFile> basis;  ///< that version, or what an upload left that was cut off; may be null
  bool resumes = false;                     ///< the latter
  std::uint64_t seed = 0;                   ///< of rolling hashes, where there is a basis
  Expected expected;                        ///< to be replaced
  std::optional<BasisTree> tree;            ///< where the client has named its root, and so waits for it
  /// Where a patch is sure to follow: there is no basis, or the client's file is known to differ in something.
  std::optional<OpenDraft> draft;
};

struct UploadProof {
  Result<Version> version = Version();
  bool right = false;  ///< the draft has the root that its sender named
  Buffer built;        ///< else: 8 bytes of digest for each chunk that was built
};

/// Shared by the jobs of one upload, which may outlive its conversation. Any thread.
struct UploadJobs {
  std::shared_ptr<Store> store;
  HasherFactory hasher;
  Principal principal;
  UploadKind kind;
  wire::UploadFields request;

  Result<UploadBeginning> begin() const;
  Result<BasisTree> load_tree(const StoredFile& basis) const;
  /// `basis` may be null.
  Result<OpenDraft> open_draft(const Expected& expected, std::shared_ptr<const StoredFile> basis) const;
  /// The patch that the applier was given has ended and names that root: commits the draft if it has it.
  /// `judge_cuts`: and if its chunks end where they should. `finished` follows as run_deferred() asks.
  void prove(const std::shared_ptr<StoreDraft>& draft, const Digest& root, const PatchApplier& applier, bool judge_cuts,
             const std::shared_ptr<UploadProof>& proof, std::function<void()> finished) const;
};

}  // namespace millrace
