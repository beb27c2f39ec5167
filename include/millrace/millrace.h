// libmillrace: files to and from a Millrace server, only what changed travels. The calls of Client work on the caller's
// own libuv loop; the functions at the end block instead.
//
// Ownership: strings and options are copied, callbacks are kept until the call has ended, nothing else is kept.
// Threads: what belongs to a Client belongs to its loop's thread; hashing, searching and file access happen on libuv's
// worker threads, which never call back. Errors: all come as an Outcome; no exception leaves the library but
// std::bad_alloc, and callbacks must not throw. Paths on the server are bytes, taken as they are: no leading '/', no
// empty parts, no '.' and '..', parts of at most 255 bytes and 4,095 in all, else kUsage. libuv writes to sockets
// without guarding against SIGPIPE: a program must ignore that signal, or a connection that breaks ends it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

struct uv_loop_s;

#define MILLRACE_API __attribute__((visibility("default")))
#define MILLRACE_LOCAL __attribute__((visibility("hidden")))

namespace millrace::client {

/// The numbers are stable; a value that is not named here may come from a newer library and means kFailed.
enum class ErrorCode : std::uint8_t {
  kNone = 0,
  kFailed = 1,
  kUsage = 2,
  kNotFound = 3,
  kConflict = 4,
  kNotAuthenticated = 5,
  kNotAllowed = 6,
  kQuota = 7,
  kIntegrity = 8,
  kNetwork = 9,  ///< may be tried again
  kProtocol = 10,
  kVersion = 11,
  kTooLarge = 12,
  kSourceChanged = 13,
  kBusy = 14,  ///< may be tried again
  kCancelled = 15,
  kInternal = 16,
  kTooSlow = 17,  ///< may be tried again
  kTls = 18,      ///< the connection cannot be encrypted, or the server is not who it was
};

struct Error {
  ErrorCode code = ErrorCode::kNone;
  std::string name;      ///< "E_NOT_FOUND" and so on
  std::string sentence;  ///< for people; may hold bytes of a path as they are
};

/// Either a value, or an error that says why there is none. Owns both.
template <typename T>
struct Outcome {
  std::optional<T> value;
  Error error;
  explicit operator bool() const { return value.has_value(); }
};

struct Options {
  /// Rungs of the delta's ladder at most, 0 to 3; absent: the first, and more where the link makes them pay.
  std::optional<std::uint32_t> max_depth;
  std::optional<int>
      level;  ///< zstd level of what travels, 1 to 19 (what lies outside counts as the nearest); absent: by the link
  bool whole_file = false;  ///< no delta
  bool force = false;       ///< replace whatever is there, even if it changed during the transfer
};

/// How far one transfer is. A transfer may have several phases, each with its own count; hashing comes first.
struct Progress {
  const char* phase;         ///< a string literal: "hashing", "comparing", "sending", "receiving"
  std::uint64_t done_bytes;  ///< of content, in this phase
  std::uint64_t total_bytes;
};

/// What a finished transfer did.
struct Transfer {
  std::string root;  ///< 64 hexadecimal digits: the identity of the content
  std::uint64_t bytes = 0;
  std::uint64_t literal_bytes = 0;  ///< of content that travelled, before compression
  std::uint64_t matched_bytes = 0;  ///< of content that the other side had, runs of zeros included
  std::uint32_t round_trips = 0;    ///< times that this side could do nothing but wait for the server
  bool unchanged = false;           ///< the content was the same already; mode and time were set where they differed
};

/// What the server knows of a path.
struct Entry {
  enum class Kind : std::uint8_t { kFile = 0, kFolder = 1, kSymlink = 2 };
  std::string path;  ///< whole remote path, bytes as they are
  Kind kind = Kind::kFile;
  std::uint64_t bytes = 0;
  std::int64_t mtime_ns = 0;  ///< since 1970
  std::uint32_t mode = 0;     ///< permission bits
  std::string root;           ///< empty where it is not known, and for folders
};

/// A part of a folder, ordered by components of the paths.
struct Listing {
  std::vector<Entry> entries;
  std::string next_cursor;  ///< pass it to list() to go on; empty at the end
};

/// The value of a call that has none.
struct Nothing {};

/// Both are called on the loop's thread, and destroyed there when the call has ended.
using ProgressCallback = std::function<void(const Progress&)>;
template <typename T>
using DoneCallback = std::function<void(Outcome<T>)>;

/// Names a call that was begun; copying it copies the name. Keeps nothing alive and may outlive everything.
class MILLRACE_API Operation {
 public:
  Operation() = default;
  /// Ends the call with kCancelled, from within cancel(). Does nothing when it has ended already or its Client is gone,
  /// so it may be called twice. A commit that the server began is not undone: what is there then is the old version or
  /// the new one. The loop's thread only.
  void cancel();

 private:
  friend class Client;
  struct MILLRACE_LOCAL State;
  std::shared_ptr<State> state_;
};

/// A connection to one server, on the caller's loop. Requests share it and may be begun at any time, before it is made
/// too; at most 1,024 at once, kBusy beyond. All of this class belongs to the loop's thread: calls, callbacks,
/// destruction.
///
/// Each call's `done` is called exactly once, possibly before the call returns; `progress` may be empty, and is never
/// called after `done`. Callbacks may begin calls and cancel them, their own too; they must not destroy the Client.
/// Errors: what the call names, and always kNetwork, kProtocol, kVersion, kBusy, kCancelled, kFailed. After kNetwork,
/// kProtocol or kVersion of the connection a Client is spent: every later call ends with that error; make a new one.
/// There is no deadline: a server that says nothing keeps its calls open until cancel(). Memory: an upload or download
/// holds up to some 24 MiB, and 48 bytes for each 16 KiB of its file.
class MILLRACE_API Client {
 public:
  /// `address` is millrace://HOST[:PORT], a path behind it is ignored. `loop` is not owned; it must outlive the object
  /// by at least one more turn, in which its handles are closed. The name of HOST is looked up at once, blocking; give
  /// a number where that matters. A bad address or a server that is not there is what every call ends with.
  /// The server is shown the token that MILLRACE_TOKEN, the file in MILLRACE_TOKEN_FILE or `millrace login` holds, if
  /// there is one; the functions at the end do the same.
  Client(uv_loop_s* loop, const std::string& address);
  /// With the token that its operator handed out; empty: none at all. kNotAuthenticated where it does not count.
  Client(uv_loop_s* loop, const std::string& address, const std::string& token);
  /// Calls that are open end with kCancelled, from within; local files stay as they were. Waits for jobs of its own
  /// that run on worker threads, milliseconds as a rule.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Sends `local`, a regular file, as `remote`, as a delta when the server has an older version. Errors: kNotFound,
  /// kNotAllowed, kUsage (a path, a folder, a special file), kConflict (`remote` changed meanwhile, without `force`),
  /// kQuota, kIntegrity, and kSourceChanged: the file changed while it was read; the server has the old version, or,
  /// where that showed at the very end only, one that should be sent again.
  Operation upload(const std::string& local, const std::string& remote, const Options& options,
                   ProgressCallback progress, DoneCallback<Transfer> done);
  /// Fetches `remote` into `local`, as a delta when `local` exists. It is built in a file without a name beside it and
  /// put in place at once when its root is verified and it is flushed: what is left after a failure, or a kill, is the
  /// old file. Errors: kNotFound, kNotAllowed, kUsage (a path, a folder, a special file), kSourceChanged (`local`
  /// changed, or appeared, meanwhile), kQuota, kIntegrity.
  Operation download(const std::string& remote, const std::string& local, const Options& options,
                     ProgressCallback progress, DoneCallback<Transfer> done);
  /// The folder `remote`, empty for the root: at most 1,000 entries after `cursor`. Errors: kNotFound, kConflict (a
  /// file), kUsage.
  Operation list(const std::string& remote, bool recursive, const std::string& cursor, DoneCallback<Listing> done);
  /// One entry, the root folder with an empty path. Errors: kNotFound, kNotAllowed, kUsage.
  Operation stat(const std::string& remote, DoneCallback<Entry> done);
  /// Deletes a file, or a folder. Errors: kNotFound, kConflict (a folder that is not empty, without `recursive`),
  /// kUsage.
  Operation remove(const std::string& remote, bool recursive, DoneCallback<Nothing> done);
  /// Renames a file or folder, making folders as needed. Errors: kNotFound, kConflict (something is at `to`, without
  /// `force`; `to` lies inside `from`), kUsage.
  Operation move(const std::string& from, const std::string& to, bool force, DoneCallback<Nothing> done);
  /// The server reads the file again and compares it with its catalogue. Errors: kNotFound, kIntegrity, kUsage.
  Operation verify(const std::string& remote, DoneCallback<Nothing> done);

  /// Counted at the socket, all framing included, since the Client was made.
  std::uint64_t bytes_sent() const;
  std::uint64_t bytes_received() const;

 private:
  struct MILLRACE_LOCAL Impl;
  std::unique_ptr<Impl> impl_;
};

/// Blocking, each on a loop and a connection of its own; callable from any thread, several at once. Not to be called
/// from a callback of a Client whose loop must go on. Errors: those of the Client's call of the same name.
MILLRACE_API Outcome<Transfer> upload(const std::string& address, const std::string& local, const std::string& remote,
                                      const Options& options = {});
MILLRACE_API Outcome<Transfer> download(const std::string& address, const std::string& remote, const std::string& local,
                                        const Options& options = {});
MILLRACE_API Outcome<Listing> list(const std::string& address, const std::string& remote, bool recursive = false,
                                   const std::string& cursor = {});
MILLRACE_API Outcome<Entry> stat(const std::string& address, const std::string& remote);
MILLRACE_API Outcome<Nothing> remove(const std::string& address, const std::string& remote, bool recursive = false);
MILLRACE_API Outcome<Nothing> move(const std::string& address, const std::string& from, const std::string& to,
                                   bool force = false);
MILLRACE_API Outcome<Nothing> verify(const std::string& address, const std::string& remote);

}  // namespace millrace::client
