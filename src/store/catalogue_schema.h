// The catalogue's tables, and how those of an older server become today's.
#pragma once

#include <cstdint>

#include "store/sqlite.h"

namespace millrace {

/// The tables of schema 1, where there are none: a new catalogue is made as 1 and takes the same way as an old one.
Status create_schema(Database& database);
/// From `schema` to today's; each step is one transaction, which notes in `meta` how far it is. Errors: kVersion for a
/// newer one, kIntegrity for none.
Status upgrade_schema(Database& database, std::uint64_t schema);

}  // namespace millrace
