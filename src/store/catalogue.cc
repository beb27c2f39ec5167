#include "store/catalogue.h"

#include <algorithm>

#include "store/catalogue_schema.h"

namespace millrace {

namespace {

constexpr const char* kLogPages = "PRAGMA wal_autocheckpoint=16384";  ///< a checkpoint comes earlier as a rule

constexpr const char* kColumns =
    "sequence,root,bytes,mtime_ns,mode,device,inode,stat_bytes,stat_mtime_ns,stat_ctime_ns,indexed_ns";

Digest digest_of(ByteView bytes) {
  Digest digest;
  std::copy_n(bytes.begin(), std::min(bytes.size(), digest.bytes.size()), digest.bytes.begin());
  return digest;
}

Row read_row(const Statement& from, int column, std::uint64_t epoch) {
  Row row;
  row.version.token.epoch = epoch;
  row.version.token.sequence = from.unsigned_integer(column);
  row.version.token.root = digest_of(from.blob(column + 1));
  row.version.bytes = from.unsigned_integer(column + 2);
  row.version.attributes.mtime_ns = from.integer(column + 3);
  row.version.attributes.mode = static_cast<std::uint32_t>(from.integer(column + 4));
  row.stat.device = from.unsigned_integer(column + 5);
  row.stat.inode = from.unsigned_integer(column + 6);
  row.stat.bytes = from.unsigned_integer(column + 7);
  row.stat.mtime_ns = from.integer(column + 8);
  row.stat.ctime_ns = from.integer(column + 9);
  row.indexed_ns = from.integer(column + 10);
  return row;
}

/// First path behind everything below a folder: '0' follows '/'.
std::pair<std::string, std::string> range_below(const std::string& folder) {
  if (folder.empty())
    return {std::string(), std::string(1, static_cast<char>(0xff)) + std::string(8, static_cast<char>(0xff))};
  return {folder + "/", folder + "0"};
}

}  // namespace

Result<std::unique_ptr<Catalogue>> Catalogue::open(const std::string& path, std::uint64_t new_epoch) {
  auto catalogue = std::make_unique<Catalogue>();
  MILLRACE_ASSIGN(catalogue->database_, Database::open(path));
  // The data folder's lock keeps others away already: without SQLite's own locks each lookup costs four system calls
  // less.
  MILLRACE_TRY(catalogue->database_.execute("PRAGMA locking_mode=EXCLUSIVE"));
  MILLRACE_TRY(catalogue->database_.execute("PRAGMA journal_mode=WAL"));
  MILLRACE_TRY(catalogue->database_.execute(kLogPages));
  MILLRACE_TRY(catalogue->set_durability(Durability::kFull));
  // What a flush of the log that failed left behind is not in it for certain, though it can be read: later flushes of
  // the log would not bring it there. In the catalogue's own file it is written anew.
  MILLRACE_TRY(catalogue->database_.execute("PRAGMA wal_checkpoint(TRUNCATE)"));
  MILLRACE_TRY(create_schema(catalogue->database_));
  const auto meta = [&](const char* key, std::uint64_t standard) -> Result<std::uint64_t> {
    MILLRACE_ASSIGN(const std::uint64_t value, catalogue->mark(key, standard));
    MILLRACE_TRY(catalogue->set_mark(key, value));
    return value;
  };
  MILLRACE_ASSIGN(const std::uint64_t schema, meta("schema", 1));
  MILLRACE_TRY(upgrade_schema(catalogue->database_, schema));
  MILLRACE_TRY(catalogue->load_usage());
  MILLRACE_ASSIGN(catalogue->epoch_, meta("epoch", new_epoch >> 1));
  MILLRACE_TRY(meta("sequence", 0));
  return catalogue;
}

Status Catalogue::set_durability(Durability durability) {
  switch (durability) {
    case Durability::kFull:
      return database_.execute("PRAGMA synchronous=FULL");
    case Durability::kBatch:
      return database_.execute("PRAGMA synchronous=NORMAL");
    case Durability::kNone:
      break;
  }
  return database_.execute("PRAGMA synchronous=OFF");
}

Status Catalogue::checkpoint_log() {
  const std::lock_guard lock(mutex_);
  return database_.execute("PRAGMA wal_checkpoint(PASSIVE)");
}

Status Catalogue::writable() const {
  const std::lock_guard lock(mutex_);
  if (stopped_.empty()) return {};
  return fail(Code::kFailed,
              "The store stopped writing after a failure (" + stopped_ + "); files can be read; restart the server.");
}

void Catalogue::stop_writing(const Error& reason) {
  const std::lock_guard lock(mutex_);
  if (!stopped_.empty()) return;
  stopped_ = reason.sentence;
  if (on_stop_) on_stop_(writable().error().sentence);
}

Result<std::uint64_t> Catalogue::mark(const char* key, std::uint64_t standard) {
  const std::lock_guard lock(mutex_);
  Status status;
  auto& query = statement("SELECT value FROM meta WHERE key=?", status);
  MILLRACE_TRY(status);
  const StatementScope scope(query);
  MILLRACE_ASSIGN(const bool found, query.bind_text(1, key).step());
  return found ? query.unsigned_integer(0) : standard;
}

Status Catalogue::set_mark(const char* key, std::uint64_t value) {
  Status status;
  auto& insert = statement("INSERT OR REPLACE INTO meta VALUES(?,?)", status);
  MILLRACE_TRY(status);
  return insert.bind_text(1, key).bind(2, value).run();
}

Status Catalogue::distrust_files() {
  Status status;
  auto& update = statement("UPDATE versions SET inode=0", status);
  MILLRACE_TRY(status);
  return update.run();
}

Statement& Catalogue::statement(const char* sql, Status& status) {
  for (auto& [text, prepared] : statements_) {
    if (text == sql) return *prepared;
  }
  auto prepared = database_.prepare(sql);
  if (!prepared) {
    status = fail(prepared.error());
    static Statement none;
    return none;
  }
  statements_.emplace_back(sql, std::make_unique<Statement>(std::move(*prepared)));
  return *statements_.back().second;
}

Result<std::optional<Row>> Catalogue::find(const std::string& path) {
  const DurationScope took(query_times_);
  const std::lock_guard lock(mutex_);
  Status status;
  static const std::string kSql = std::string("SELECT ") + kColumns + " FROM versions WHERE path=?";
  auto& query = statement(kSql.c_str(), status);
  MILLRACE_TRY(status);
  const StatementScope scope(query);
  MILLRACE_ASSIGN(const bool found, query.bind_blob(1, as_bytes(path)).step());
  if (!found) return std::nullopt;
  return std::optional<Row>(read_row(query, 0, epoch_));
}

Result<std::optional<std::string>> Catalogue::find_root(const Digest& root, const std::string& prefix) {
  const DurationScope took(query_times_);
  const std::lock_guard lock(mutex_);
  Status status;
  auto& query = statement("SELECT path FROM versions WHERE root=? AND path>=? AND path<? LIMIT 1", status);
  MILLRACE_TRY(status);
  const StatementScope scope(query);
  const auto [low, high] = range_below(prefix);
  MILLRACE_ASSIGN(const bool found,
                  query.bind_blob(1, root.bytes).bind_blob(2, as_bytes(low)).bind_blob(3, as_bytes(high)).step());
  if (!found) return std::nullopt;
  return std::optional<std::string>(std::string(as_text(query.blob(0))));
}

Result<std::vector<std::pair<std::string, Row>>> Catalogue::below(const std::string& folder) {
  const DurationScope took(query_times_);
  const std::lock_guard lock(mutex_);
  Status status;
  static const std::string kSql =
      std::string("SELECT path,") + kColumns + " FROM versions WHERE path>=? AND path<? ORDER BY path";
  auto& query = statement(kSql.c_str(), status);
  MILLRACE_TRY(status);
  const StatementScope scope(query);
  const auto [low, high] = range_below(folder);
  query.bind_blob(1, as_bytes(low)).bind_blob(2, as_bytes(high));
  std::vector<std::pair<std::string, Row>> rows;
  for (;;) {
    MILLRACE_ASSIGN(const bool more, query.step());
    if (!more) return rows;
    rows.emplace_back(std::string(as_text(query.blob(0))), read_row(query, 1, epoch_));
  }
}

Result<std::vector<std::string>> Catalogue::paths(const std::string& after, std::size_t limit) {
  const DurationScope took(query_times_);
  const std::lock_guard lock(mutex_);
  Status status;
  auto& query = statement("SELECT path FROM versions WHERE path>? ORDER BY path LIMIT ?", status);
  MILLRACE_TRY(status);
  const StatementScope scope(query);
  query.bind_blob(1, as_bytes(after)).bind(2, static_cast<std::uint64_t>(limit));
  std::vector<std::string> found;
  for (;;) {
    MILLRACE_ASSIGN(const bool more, query.step());
    if (!more) return found;
    found.emplace_back(as_text(query.blob(0)));
  }
}

Result<std::vector<Change>> Catalogue::changes(const std::string& prefix, std::uint64_t since, std::size_t limit) {
  const DurationScope took(query_times_);
  const std::lock_guard lock(mutex_);
  Status status;
  static const std::string kSql = std::string("SELECT path,1,") + kColumns +
                                  " FROM versions WHERE sequence>?1 AND path>=?2 AND path<?3 UNION ALL "
                                  "SELECT path,0,sequence,x'',0,0,0,0,0,0,0,0,0 FROM tombstones WHERE sequence>?1 AND "
                                  "path>=?2 AND path<?3 ORDER BY 3 LIMIT ?4";
  auto& query = statement(kSql.c_str(), status);
  MILLRACE_TRY(status);
  const StatementScope scope(query);
  const auto [low, high] = range_below(prefix);
  query.bind(1, since)
      .bind_blob(2, as_bytes(low))
      .bind_blob(3, as_bytes(high))
      .bind(4, static_cast<std::uint64_t>(limit));
  std::vector<Change> found;
  for (;;) {
    MILLRACE_ASSIGN(const bool more, query.step());
    if (!more) return found;
    Change change;
    change.path = std::string(as_text(query.blob(0)));
    const Row row = read_row(query, 2, epoch_);
    change.sequence = row.version.token.sequence;
    if (query.integer(1) != 0) change.version = row.version;
    found.push_back(std::move(change));
  }
}

Result<std::optional<Buffer>> Catalogue::chunk_list(const Digest& root) {
  const DurationScope took(query_times_);
  const std::lock_guard lock(mutex_);
  Status status;
  auto& query = statement("SELECT list FROM chunk_lists WHERE root=?", status);
  MILLRACE_TRY(status);
  const StatementScope scope(query);
  MILLRACE_ASSIGN(const bool found, query.bind_blob(1, root.bytes).step());
  if (!found) return std::nullopt;
  const ByteView list = query.blob(0);
  return std::optional<Buffer>(Buffer(list.begin(), list.end()));
}

Status Catalogue::put_chunk_list(const Digest& root, ByteView list) {
  const std::lock_guard lock(mutex_);
  Status status;
  auto& insert = statement("INSERT OR REPLACE INTO chunk_lists VALUES(?,?)", status);
  MILLRACE_TRY(status);
  return insert.bind_blob(1, root.bytes).bind_blob(2, list).run();
}

Result<std::vector<std::pair<Digest, bool>>> Catalogue::chunk_lists(const Digest& after, std::size_t limit) {
  const DurationScope took(query_times_);
  const std::lock_guard lock(mutex_);
  Status status;
  auto& query = statement(
      "SELECT root,EXISTS(SELECT 1 FROM versions WHERE versions.root=chunk_lists.root) FROM chunk_lists WHERE root>? "
      "ORDER BY root LIMIT ?",
      status);
  MILLRACE_TRY(status);
  const StatementScope scope(query);
  query.bind_blob(1, after.bytes).bind(2, static_cast<std::uint64_t>(limit));
  std::vector<std::pair<Digest, bool>> found;
  for (;;) {
    MILLRACE_ASSIGN(const bool more, query.step());
    if (!more) return found;
    found.emplace_back(digest_of(query.blob(0)), query.integer(1) != 0);
  }
}

Result<bool> Catalogue::has_root(const Digest& root) {
  const DurationScope took(query_times_);
  const std::lock_guard lock(mutex_);
  Status status;
  auto& query = statement("SELECT 1 FROM versions WHERE root=? LIMIT 1", status);
  MILLRACE_TRY(status);
  const StatementScope scope(query);
  return query.bind_blob(1, root.bytes).step();
}

Status Catalogue::remove_unused_chunk_list(const Digest& root) {
  Status status;
  auto& remove =
      statement("DELETE FROM chunk_lists WHERE root=?1 AND NOT EXISTS(SELECT 1 FROM versions WHERE root=?1)", status);
  MILLRACE_TRY(status);
  return remove.bind_blob(1, root.bytes).run();
}

Result<std::vector<Pending>> Catalogue::pending() {
  const std::lock_guard lock(mutex_);
  Status status;
  auto& query = statement(
      "SELECT id,kind,path,other,inode,old_inode,old_bytes,old_mtime_ns,content FROM pending ORDER BY id", status);
  MILLRACE_TRY(status);
  const StatementScope scope(query);
  std::vector<Pending> found;
  for (;;) {
    MILLRACE_ASSIGN(const bool more, query.step());
    if (!more) return found;
    Pending pending;
    pending.id = query.integer(0);
    pending.kind = static_cast<Pending::Kind>(query.integer(1));
    pending.path = as_text(query.blob(2));
    pending.other = as_text(query.blob(3));
    pending.inode = query.unsigned_integer(4);
    pending.replaced = {query.unsigned_integer(5), query.unsigned_integer(6), query.integer(7)};
    pending.content = query.optional_blob(8);
    found.push_back(std::move(pending));
  }
}

Status Catalogue::transaction(Disk& disk, const std::function<Status()>& body) {
  const std::lock_guard lock(mutex_);
  MILLRACE_TRY(writable());
  const DurationScope timed(transaction_times_);
  MILLRACE_TRY(database_.execute("BEGIN IMMEDIATE"));
  changing_.clear();
  std::map<std::string, Usage> changed;
  // The error that matters is the first; a rollback fails only where there is nothing left to roll back.
  Status made = body();
  if (made) made = write_usage(changed);
  if (!made) {
    (void)database_.execute("ROLLBACK");
    return made;
  }
  Status status;
  if (const auto allowed = disk.before_transaction(); !allowed) {
    status = fail(disk_error(allowed.error(), "commit to", "the catalogue"));
  } else {
    status = database_.execute("COMMIT");
  }
  if (!status) {
    (void)database_.execute("ROLLBACK");
    if (status.error().code != Code::kQuota) stop_writing(status.error());
    return status;
  }
  const std::lock_guard usage_lock(usage_mutex_);
  for (const auto& [account, usage] : changed) set_usage(account, usage);
  return status;
}

Usage Catalogue::usage(const std::string& account) const {
  const std::lock_guard lock(usage_mutex_);
  const auto found = usage_.find(account);
  return found == usage_.end() ? Usage{} : found->second;
}

Usage Catalogue::total_usage() const {
  const std::lock_guard lock(usage_mutex_);
  return total_usage_;
}

void Catalogue::set_usage(const std::string& account, const Usage& usage) {
  Usage& known = usage_[account];
  total_usage_.bytes += usage.bytes - known.bytes;
  total_usage_.files += usage.files - known.files;
  known = usage;
}

Status Catalogue::put_history(const HistoryRow& row, std::int64_t keep_after) {
  Status status;
  auto& insert = statement("INSERT OR REPLACE INTO history VALUES(?,?,?)", status);
  MILLRACE_TRY(status);
  MILLRACE_TRY(insert.bind(1, row.step).bind(2, row.at).bind_blob(3, row.point).run());
  auto& remove = statement("DELETE FROM history WHERE step=? AND at<=?", status);
  MILLRACE_TRY(status);
  return remove.bind(1, row.step).bind(2, keep_after).run();
}

Result<std::vector<HistoryRow>> Catalogue::history() {
  const std::lock_guard lock(mutex_);
  Status status;
  auto& query = statement("SELECT step,at,point FROM history ORDER BY step,at", status);
  MILLRACE_TRY(status);
  const StatementScope scope(query);
  std::vector<HistoryRow> rows;
  for (;;) {
    MILLRACE_ASSIGN(const bool more, query.step());
    if (!more) return rows;
    const ByteView point = query.blob(2);
    rows.push_back({query.integer(0), query.integer(1), Buffer(point.begin(), point.end())});
  }
}

Status Catalogue::load_usage() {
  MILLRACE_ASSIGN(auto query, database_.prepare("SELECT account,bytes,files FROM usage"));
  for (;;) {
    MILLRACE_ASSIGN(const bool more, query.step());
    if (!more) return {};
    set_usage(std::string(as_text(query.blob(0))), {query.unsigned_integer(1), query.unsigned_integer(2)});
  }
}

Status Catalogue::note_change(const std::string& path, const std::optional<std::uint64_t>& bytes) {
  const auto slash = path.find('/');
  const std::string account = slash == std::string::npos ? std::string() : path.substr(0, slash);
  Status status;
  auto& query = statement("SELECT bytes FROM versions WHERE path=?", status);
  MILLRACE_TRY(status);
  const StatementScope scope(query);
  MILLRACE_ASSIGN(const bool was_there, query.bind_blob(1, as_bytes(path)).step());
  UsageChange& change = changing_[account];
  change.bytes += static_cast<std::int64_t>(bytes.value_or(0)) - (was_there ? query.integer(0) : 0);
  change.files += (bytes ? 1 : 0) - (was_there ? 1 : 0);
  return {};
}

Status Catalogue::write_usage(std::map<std::string, Usage>& changed) {
  for (const auto& [account, change] : changing_) {
    if (change.bytes == 0 && change.files == 0) continue;
    const Usage before = usage(account);
    const Usage now{before.bytes + static_cast<std::uint64_t>(change.bytes),
                    before.files + static_cast<std::uint64_t>(change.files)};
    Status status;
    auto& insert = statement("INSERT OR REPLACE INTO usage VALUES(?,?,?)", status);
    MILLRACE_TRY(status);
    MILLRACE_TRY(insert.bind_blob(1, as_bytes(account)).bind(2, now.bytes).bind(3, now.files).run());
    changed[account] = now;
  }
  return {};
}

Result<std::uint64_t> Catalogue::next_sequence() {
  Status status;
  auto& update = statement("UPDATE meta SET value=value+1 WHERE key='sequence' RETURNING value", status);
  MILLRACE_TRY(status);
  const StatementScope scope(update);
  MILLRACE_ASSIGN(const bool found, update.step());
  if (!found)
    return fail(Code::kIntegrity,
                "The catalogue has no sequence; restore it, or delete it to have it made again from the files.");
  return update.unsigned_integer(0);
}

Status Catalogue::put(const std::string& path, const Row& row) {
  MILLRACE_TRY(note_change(path, row.version.bytes));
  Status status;
  auto& insert = statement("INSERT OR REPLACE INTO versions VALUES(?,?,?,?,?,?,?,?,?,?,?,?)", status);
  MILLRACE_TRY(status);
  const Version& version = row.version;
  MILLRACE_TRY(insert.bind_blob(1, as_bytes(path))
                   .bind(2, version.token.sequence)
                   .bind_blob(3, version.token.root.bytes)
                   .bind(4, version.bytes)
                   .bind(5, version.attributes.mtime_ns)
                   .bind(6, std::uint64_t{version.attributes.mode})
                   .bind(7, row.stat.device)
                   .bind(8, row.stat.inode)
                   .bind(9, row.stat.bytes)
                   .bind(10, row.stat.mtime_ns)
                   .bind(11, row.stat.ctime_ns)
                   .bind(12, row.indexed_ns)
                   .run());
  auto& revive = statement("DELETE FROM tombstones WHERE path=?", status);
  MILLRACE_TRY(status);
  return revive.bind_blob(1, as_bytes(path)).run();
}

Status Catalogue::erase(const std::string& path, std::uint64_t sequence) {
  MILLRACE_TRY(forget(path));
  Status status;
  auto& insert = statement("INSERT OR REPLACE INTO tombstones VALUES(?,?)", status);
  MILLRACE_TRY(status);
  return insert.bind_blob(1, as_bytes(path)).bind(2, sequence).run();
}

Status Catalogue::forget(const std::string& path) {
  MILLRACE_TRY(note_change(path, std::nullopt));
  Status status;
  auto& remove = statement("DELETE FROM versions WHERE path=?", status);
  MILLRACE_TRY(status);
  return remove.bind_blob(1, as_bytes(path)).run();
}

Result<std::int64_t> Catalogue::add_pending(const Pending& pending) {
  Status status;
  auto& insert = statement(
      "INSERT INTO pending(kind,path,other,inode,old_inode,old_bytes,old_mtime_ns,content) VALUES(?,?,?,?,?,?,?,?)",
      status);
  MILLRACE_TRY(status);
  MILLRACE_TRY(insert.bind(1, static_cast<std::int64_t>(pending.kind))
                   .bind_blob(2, as_bytes(pending.path))
                   .bind_blob(3, as_bytes(pending.other))
                   .bind(4, pending.inode)
                   .bind(5, pending.replaced.inode)
                   .bind(6, pending.replaced.bytes)
                   .bind(7, pending.replaced.mtime_ns)
                   .bind_optional_blob(8, pending.content)
                   .run());
  return sqlite3_last_insert_rowid(database_.handle());
}

Status Catalogue::replace_pending(const Pending& pending) {
  Status status;
  auto& update =
      statement("UPDATE pending SET other=?,inode=?,old_inode=?,old_bytes=?,old_mtime_ns=? WHERE id=?", status);
  MILLRACE_TRY(status);
  return update.bind_blob(1, as_bytes(pending.other))
      .bind(2, pending.inode)
      .bind(3, pending.replaced.inode)
      .bind(4, pending.replaced.bytes)
      .bind(5, pending.replaced.mtime_ns)
      .bind(6, pending.id)
      .run();
}

Status Catalogue::remove_pending_puts(const std::string& path) {
  Status status;
  auto& remove = statement("DELETE FROM pending WHERE kind=0 AND path=?", status);
  MILLRACE_TRY(status);
  return remove.bind_blob(1, as_bytes(path)).run();
}

Status Catalogue::settle_stat(const std::string& path, const FileStat& stat) {
  Status status;
  auto& update = statement(
      "UPDATE versions SET device=?,stat_bytes=?,stat_mtime_ns=?,stat_ctime_ns=?,indexed_ns=0 WHERE path=? AND inode=?",
      status);
  MILLRACE_TRY(status);
  return update.bind(1, stat.device)
      .bind(2, stat.bytes)
      .bind(3, stat.mtime_ns)
      .bind(4, stat.ctime_ns)
      .bind_blob(5, as_bytes(path))
      .bind(6, stat.inode)
      .run();
}

Status Catalogue::remove_pending(std::int64_t id) {
  Status status;
  auto& remove = statement("DELETE FROM pending WHERE id=?", status);
  MILLRACE_TRY(status);
  return remove.bind(1, id).run();
}

}  // namespace millrace
