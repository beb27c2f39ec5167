// What a download that was cut off left beside its place, so that the next one of the same place goes on with it. A
// draft that has come to kLeastPartialDownload gets a hidden name that follows from the target's, and keeps it until it
// is complete. The next download takes what stands there, in front of the file that it replaces, as its basis: nothing
// about it need be believed, and what of it does not match does not count. Whoever uses one holds its lock (flock), so
// no two processes do. Neither of them is flushed.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <tuple>

#include "client/local_folder.h"
#include "delta/source.h"

namespace millrace {

/// Smaller drafts are fetched again.
inline constexpr std::uint64_t kLeastPartialDownload = 8u << 20;
/// Older ones are removed when a file of at least kLeastPartialDownload is downloaded into their folder.
inline constexpr std::chrono::hours kPartialDownloadAge{7 * 24};

/// `.millrace-` and a draft's number, or a partial's digest with `.part` behind: what is not to be uploaded.
bool is_unfinished_name(std::string_view name);
std::string draft_name(std::uint64_t random);
/// Of what is left of a download to `target`, a name in the same folder.
std::string partial_name(std::string_view target);

/// The partial of one place, for as long as somebody downloads to it. Thread-safe.
class PartialDownload {
 public:
  /// Looks for what is left there. Where that is no file of this user's alone, or another process has it, nothing is
  /// left and nothing will be kept.
  PartialDownload(std::shared_ptr<const LocalFolder> folder, std::string_view target);

  /// What an earlier download left, as long as it is now; null: nothing that is worth it.
  std::shared_ptr<const Source> left() const;

  enum class Kept : std::uint8_t { kYes, kNotYet, kNever };
  /// Gives `draft`, which has come to `bytes` and found `added` of them neither in its basis nor as zeros, the
  /// partial's name. Not yet while what stands there has more than the draft would save. `name`: the draft's own, empty
  /// where it has none; after kYes it is gone. `spare`: a name for a moment.
  Kept keep(const std::shared_ptr<const Descriptor>& draft, const std::string& name, const std::string& spare,
            std::uint64_t bytes, std::uint64_t added);
  /// `draft` is complete: gives it the name `spare`, if it has the partial's. False: it has not, or not any more.
  bool give_up(const std::shared_ptr<const Descriptor>& draft, const std::string& spare);
  /// Removes what stands there, unless it belongs to another process.
  void remove();

 private:
  void look();
  /// What the name leads to is the file that this has locked.
  bool is_in_place() const;
  const std::shared_ptr<const LocalFolder> folder_;
  const std::string name_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Descriptor> file_;  ///< what stands there, locked; null: nothing
  bool is_ours_ = false;                    ///< this process wrote it
  bool is_taken_ = false;                   ///< by somebody else
};

/// The partials that a process uses. Thread-safe.
class PartialDownloads {
 public:
  /// The partial of `place`; the same one as long as another download of this process has it, so that an attempt goes
  /// on while jobs of the one before it come to their ends. Null where the folder cannot be looked at.
  std::shared_ptr<PartialDownload> of(const LocalPlace& place);

 private:
  using Key = std::tuple<std::uint64_t, std::uint64_t, std::string>;  ///< device, inode, name
  std::mutex mutex_;
  std::map<Key, std::weak_ptr<PartialDownload>> used_;
};

/// Removes what downloads left in the folder and nobody uses, where it is older than kPartialDownloadAge. What cannot
/// be removed stays.
void sweep_partial_downloads(const LocalFolder& folder);

/// What a download is compared with: the partial (may be null) and behind it the file that stands at the place (may be
/// null).
std::shared_ptr<const Source> joined_basis(std::shared_ptr<const Source> partial, std::shared_ptr<const Source> there);

}  // namespace millrace
