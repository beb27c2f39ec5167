#include "store/sqlite.h"

namespace millrace {

Error sqlite_error(sqlite3* handle, int result) {
  Code code = Code::kFailed;
  switch (result & 0xff) {
    case SQLITE_FULL:
      code = Code::kQuota;
      break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      code = Code::kIntegrity;
      break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      code = Code::kBusy;
      break;
    case SQLITE_PERM:
    case SQLITE_READONLY:
      code = Code::kNotAllowed;
      break;
    default:
      break;
  }
  const char* reason = handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(result);
  const char* const what_to_do = code == Code::kQuota ? "; make some room on its disk." : "";
  return {code,
          std::string("The catalogue reports: ") + reason + " (SQLite " + std::to_string(result) + ")" + what_to_do};
}

Statement& Statement::bind(int index, std::int64_t value) {
  [[maybe_unused]] const int result = sqlite3_bind_int64(statement_.get(), index, value);
  assert(result == SQLITE_OK);
  return *this;
}

Statement& Statement::bind_blob(int index, ByteView value) {
  // A null pointer would bind NULL instead of no bytes.
  const void* data = value.empty() ? static_cast<const void*>("") : value.data();
  [[maybe_unused]] const int result =
      sqlite3_bind_blob64(statement_.get(), index, data, value.size(), SQLITE_TRANSIENT);
  assert(result == SQLITE_OK);
  return *this;
}

Statement& Statement::bind_optional_blob(int index, const std::optional<Buffer>& value) {
  if (value) return bind_blob(index, *value);
  [[maybe_unused]] const int result = sqlite3_bind_null(statement_.get(), index);
  assert(result == SQLITE_OK);
  return *this;
}

Statement& Statement::bind_text(int index, std::string_view value) {
  const char* data = value.empty() ? "" : value.data();
  [[maybe_unused]] const int result =
      sqlite3_bind_text64(statement_.get(), index, data, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  assert(result == SQLITE_OK);
  return *this;
}

Result<bool> Statement::step() {
  const int result = sqlite3_step(statement_.get());
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  return fail(
      sqlite_error(sqlite3_db_handle(statement_.get()), sqlite3_extended_errcode(sqlite3_db_handle(statement_.get()))));
}

Status Statement::run() {
  StatementScope scope(*this);
  for (;;) {
    MILLRACE_ASSIGN(const bool row, step());
    if (!row) return {};
  }
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
}

ByteView Statement::blob(int column) const {
  const auto* data = static_cast<const Byte*>(sqlite3_column_blob(statement_.get(), column));
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

std::optional<Buffer> Statement::optional_blob(int column) const {
  if (is_null(column)) return std::nullopt;
  const ByteView bytes = blob(column);
  return Buffer(bytes.begin(), bytes.end());
}

std::string Statement::text(int column) const {
  return std::string(as_text(blob(column)));
}

Result<Database> Database::open(const std::string& path) {
  sqlite3* raw = nullptr;
  // Our own mutex orders all calls: SQLite's would only cost time.
  const int result =
      sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  Database database;
  database.handle_.reset(raw);
  if (result != SQLITE_OK) return fail(sqlite_error(raw, result));
  sqlite3_extended_result_codes(raw, 1);
  // Never a file of its own outside of the data folder.
  MILLRACE_TRY(database.execute("PRAGMA temp_store=MEMORY"));
  return database;
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  const int result = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  if (result != SQLITE_OK) return fail(sqlite_error(handle_.get(), result));
  return Statement(raw);
}

Status Database::execute(const char* sql) {
  const int result = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) return fail(sqlite_error(handle_.get(), result));
  return {};
}

}  // namespace millrace
