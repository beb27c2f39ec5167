// Brings a version back from the trash.
#pragma once

#include <functional>
#include <string>

#include "store/committer.h"
#include "store/stored_file.h"
#include "store/trash.h"

namespace millrace {

/// Makes a version in the trash the current one of `to`, below files/. It gets a second name in staging, which is what
/// is committed; only then it loses that in the trash, so that whatever fails it is still there. `staged` is free,
/// `share` is what `to` counts against. Waits for the commit. Never two at once: both would commit the same file. Where
/// a crash has left the version both in the trash and at `to` it only leaves the trash. Errors: kNotFound, kConflict,
/// commit's, the system's.
Result<Version> restore_from_trash(StoreParts& parts, CurrentVersions& versions, const TrashedName& wanted,
                                   const std::string& to, Force force, const std::string& staged,
                                   const QuotaShare& share, const std::function<void(ReadyDraft)>& ready);

}  // namespace millrace
