// What an upload replaces: what its client expects, or else what is there when it begins.
#pragma once

#include "base/path.h"
#include "store/store.h"
#include "wire/messages.h"

namespace millrace {

/// `current`: null where there is no file. Errors: kConflict when something else is expected.
inline Result<Expected> expected_version(const wire::UploadFields& request, const Version* current) {
  const Expected expected = request.expected.value_or(current ? Expected{Expected::Kind::kRoot, current->token.root}
                                                              : Expected{Expected::Kind::kNone, {}});
  const bool acceptable =
      expected.kind == Expected::Kind::kAny || (expected.kind == Expected::Kind::kNone && current == nullptr) ||
      (expected.kind == Expected::Kind::kRoot && current != nullptr && current->token.root == expected.root);
  if (acceptable) return expected;
  return fail(Code::kConflict,
              "'" + printable(request.path) +
                  "' is not the version that this upload expects to replace; use --force to replace it.");
}

}  // namespace millrace
