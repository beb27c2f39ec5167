// SQLite's C interface as values: a database, a statement, a transaction. Errors are results, and only those that
// SQLite reports; the one thing it must never do is to hide one.
#pragma once

#include <sqlite3.h>

#include <cassert>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"

namespace millrace {

/// A prepared statement. Used by one thread at a time; must not outlive its database.
class Statement {
 public:
  Statement() = default;
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}

  /// Parameters are numbered from 1, columns from 0. Bound bytes are copied.
  Statement& bind(int index, std::int64_t value);
  Statement& bind(int index, std::uint64_t value) { return bind(index, static_cast<std::int64_t>(value)); }
  Statement& bind_blob(int index, ByteView value);
  /// NULL for nothing.
  Statement& bind_optional_blob(int index, const std::optional<Buffer>& value);
  Statement& bind_text(int index, std::string_view value);

  /// True: a row is there. False: finished. Errors: kQuota for a full disk, kIntegrity for a damaged file, else
  /// kFailed.
  Result<bool> step();
  /// Runs to the end and makes the statement ready for new parameters.
  Status run();
  /// Ends a read early. Needed before the next use; done by `run`.
  void reset();

  std::int64_t integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }
  std::uint64_t unsigned_integer(int column) const { return static_cast<std::uint64_t>(integer(column)); }
  /// Valid until the next step or reset.
  ByteView blob(int column) const;
  std::optional<Buffer> optional_blob(int column) const;
  std::string text(int column) const;
  bool is_null(int column) const { return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL; }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// Resets a statement when a scope ends.
class StatementScope {
 public:
  explicit StatementScope(Statement& statement) : statement_(statement) {}
  StatementScope(const StatementScope&) = delete;
  StatementScope& operator=(const StatementScope&) = delete;
  ~StatementScope() { statement_.reset(); }

 private:
  Statement& statement_;
};

class Database {
 public:
  /// Opens or makes the file.
  static Result<Database> open(const std::string& path);
  Result<Statement> prepare(std::string_view sql);
  /// Runs statements that give no rows.
  Status execute(const char* sql);
  sqlite3* handle() const { return handle_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  };
  std::unique_ptr<sqlite3, Close> handle_;
};

/// The error that SQLite last reported on this connection.
Error sqlite_error(sqlite3* handle, int result);

}  // namespace millrace
