// Operations that the catalogue has as pending: how each becomes visible in files/, whether for the first time or again
// after a crash.
#pragma once

#include "store/stored_file.h"

namespace millrace {

/// Whether the file or folder at a place is the one with this inode. Errors: the system's, where that is not known.
Result<bool> has_inode(Disk& disk, const Place& place, std::uint64_t inode);

enum class Outcome : std::uint8_t {
  kDone,
  kGone,     ///< the file is no longer there to do it with
  kForeign,  ///< somebody else's file stands in the way, and stays
  kRefused,  ///< the file system does not allow it, and has changed nothing
};

/// Who flushes the folders that an operation touched.
enum class Flush : std::uint8_t { kAtOnce, kLater };

/// Brings one committed operation to its end in files/; may be called again after any interruption. kPut and, with
/// Flush::kLater, kRemove leave the flush of the folder to the caller. Errors: the system's. After one that was_refused
/// nothing has changed, and the operation has to be taken back; after any other nothing is known, and it has to be
/// called again.
Result<Outcome> materialise(StoreParts& parts, const Pending& pending, Flush flush = Flush::kAtOnce);

/// The first attempt at a kPut, whose draft is in staging and whose parent folders are there: as materialise(), with
/// fewer looks.
Result<Outcome> put_at_once(StoreParts& parts, const Pending& pending);

/// Whether materialise() failed because the file system does not allow it: rights, another file system, no room.
bool was_refused(const Error& error);

/// Looks before a commit whether names in the folder of `path` can be changed at all. A folder that is missing is no
/// error. Errors: those of which was_refused() is true, with a sentence for the client.
Status may_write(StoreParts& parts, const std::string& path);

/// Keeps a file of staging/ that cannot have its place at `path`: in the trash, else in staging/ under a name that no
/// sweep takes. Returns where it is, below the data folder; a power cut does not undo it.
Result<std::string> keep_aside(StoreParts& parts, const std::string& staged, const std::string& path);

inline constexpr std::string_view kKeptAside = ".kept";  ///< ends such a name in staging/

/// The row of a file whose operation is done gets the stat data of now, unless another program changed it; the row of
/// one that was not possible is forgotten, and whatever is at the path is indexed at the next look.
Status settle(StoreParts& parts, const Pending& pending, Outcome outcome);

/// Makes the folders above a path.
Status make_parents(StoreParts& parts, const std::string& path);

}  // namespace millrace
