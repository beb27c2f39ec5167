#include "store/catalogue_schema.h"

#include <array>

namespace millrace {

namespace {

constexpr const char* kUpgradeTo2 = R"(
BEGIN IMMEDIATE;
ALTER TABLE pending ADD COLUMN old_inode INTEGER NOT NULL DEFAULT 0;
ALTER TABLE pending ADD COLUMN old_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE pending ADD COLUMN old_mtime_ns INTEGER NOT NULL DEFAULT 0;
UPDATE meta SET value=2 WHERE key='schema';
COMMIT;
)";

constexpr const char* kUpgradeTo3 = R"(
BEGIN IMMEDIATE;
ALTER TABLE pending ADD COLUMN content BLOB;
UPDATE meta SET value=3 WHERE key='schema';
COMMIT;
)";

constexpr const char* kUpgradeTo4 = R"(
BEGIN IMMEDIATE;
CREATE TABLE usage(account BLOB PRIMARY KEY, bytes INTEGER NOT NULL, files INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO usage SELECT substr(path,1,instr(path,x'2f')-1),sum(bytes),count(*) FROM versions WHERE instr(path,x'2f')>0 GROUP BY 1;
UPDATE meta SET value=4 WHERE key='schema';
COMMIT;
)";

/// Files that lie in no folder count, too: as those of no account.
constexpr const char* kUpgradeTo5 = R"(
BEGIN IMMEDIATE;
CREATE TABLE history(step INTEGER NOT NULL, at INTEGER NOT NULL, point BLOB NOT NULL, PRIMARY KEY(step, at)) WITHOUT ROWID;
INSERT OR REPLACE INTO usage SELECT x'',ifnull(sum(bytes),0),count(*) FROM versions WHERE instr(path,x'2f')=0;
UPDATE meta SET value=5 WHERE key='schema';
COMMIT;
)";

constexpr const char* kCreate = R"(
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS versions(path BLOB PRIMARY KEY, sequence INTEGER NOT NULL, root BLOB NOT NULL, bytes INTEGER NOT NULL,
  mtime_ns INTEGER NOT NULL, mode INTEGER NOT NULL, device INTEGER NOT NULL, inode INTEGER NOT NULL, stat_bytes INTEGER NOT NULL,
  stat_mtime_ns INTEGER NOT NULL, stat_ctime_ns INTEGER NOT NULL, indexed_ns INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS versions_by_sequence ON versions(sequence);
CREATE INDEX IF NOT EXISTS versions_by_root ON versions(root);
CREATE TABLE IF NOT EXISTS tombstones(path BLOB PRIMARY KEY, sequence INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tombstones_by_sequence ON tombstones(sequence);
CREATE TABLE IF NOT EXISTS chunk_lists(root BLOB PRIMARY KEY, list BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS pending(id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, path BLOB NOT NULL, other BLOB NOT NULL, inode INTEGER NOT NULL);
)";

/// The first brings schema 1 to 2.
constexpr std::array kUpgrades{kUpgradeTo2, kUpgradeTo3, kUpgradeTo4, kUpgradeTo5};

}  // namespace

Status create_schema(Database& database) {
  return database.execute(kCreate);
}

Status upgrade_schema(Database& database, std::uint64_t schema) {
  if (schema == 0) return fail(Code::kIntegrity, "The catalogue does not say which schema it has.");
  if (schema > kUpgrades.size() + 1)
    return fail(Code::kVersion,
                "The catalogue was written by a newer millraced; upgrade this one, or restore a backup.");
  for (std::uint64_t from = schema; from <= kUpgrades.size(); ++from)
    MILLRACE_TRY(database.execute(kUpgrades[from - 1]));
  return {};
}

}  // namespace millrace
