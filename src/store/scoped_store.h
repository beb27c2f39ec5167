// A Store that lets each principal do only what its scope allows, whatever request asks: the one place where scopes are
// looked at. What a scope needs:
//   read    lookup, open, stat, upload_basis, list, changes, find, verify
//   write   begin, set_attributes
//   delete  remove; move needs write too
// Paths that are neither the scope's prefix nor below it are kNotAllowed, those above it too; changes() leaves them
// out, and find() finds nothing for who is confined. A principal that may write and not read sees nothing to compare
// with: lookup() says that nothing is there, and its uploads replace only by force.
#pragma once

#include "store/store.h"

namespace millrace {

std::shared_ptr<Store> make_scoped_store(std::shared_ptr<Store> inner);

}  // namespace millrace
