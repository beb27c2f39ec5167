#include "simulation/simulated_vfs.h"

#include <sqlite3.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace millrace::simulation {

namespace {

using Effect = SimulatedVolume::Effect;

SimulatedVolume* volume = nullptr;
std::uint64_t given_numbers = 0;

/// What SQLite has open: a block of memory that it gives and that has no constructor.
struct OpenFile {
  sqlite3_file base;
  int descriptor;
  bool flushes_folder;  ///< a log: its name is flushed with it, whoever made it
};

OpenFile& of(sqlite3_file* file) {
  return *reinterpret_cast<OpenFile*>(file);
}

Inode& inode(sqlite3_file* file) {
  return *volume->opened(of(file).descriptor);
}

int write_result(int error) {
  if (error == 0) return SQLITE_OK;
  return error == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

int close_file(sqlite3_file* file) {
  volume->close(of(file).descriptor);
  return SQLITE_OK;
}

int read(sqlite3_file* file, void* into, int count, sqlite3_int64 offset) {
  if (volume->step(Effect::kRead, __func__) != 0) return SQLITE_IOERR_READ;
  const Buffer& content = inode(file).content;
  const auto from = std::min(static_cast<std::size_t>(offset), content.size());
  const std::size_t got = std::min(static_cast<std::size_t>(count), content.size() - from);
  if (got > 0) std::memcpy(into, content.data() + from, got);
  if (got == static_cast<std::size_t>(count)) return SQLITE_OK;
  std::memset(static_cast<Byte*>(into) + got, 0, static_cast<std::size_t>(count) - got);
  return SQLITE_IOERR_SHORT_READ;
}

int write(sqlite3_file* file, const void* from, int count, sqlite3_int64 offset) {
  if (const int error = volume->step(Effect::kGrow, __func__)) return write_result(error);
  inode(file).write(static_cast<std::uint64_t>(offset),
                    {static_cast<const Byte*>(from), static_cast<std::size_t>(count)});
  return SQLITE_OK;
}

int truncate(sqlite3_file* file, sqlite3_int64 bytes) {
  if (volume->step(Effect::kWrite, __func__) != 0) return SQLITE_IOERR_TRUNCATE;
  inode(file).truncate(static_cast<std::uint64_t>(bytes));
  return SQLITE_OK;
}

int sync(sqlite3_file* file, int) {
  if (volume->step(Effect::kWrite, __func__) != 0) {
    if (!volume->is_dead()) inode(file).fail_fsync();
    return SQLITE_IOERR_FSYNC;
  }
  inode(file).fsync();
  if (!of(file).flushes_folder) return SQLITE_OK;
  if (volume->step(Effect::kWrite, __func__) != 0) return SQLITE_IOERR_DIR_FSYNC;
  (void)volume->flush_folder("");
  of(file).flushes_folder = false;
  return SQLITE_OK;
}

int file_size(sqlite3_file* file, sqlite3_int64* bytes) {
  if (volume->step(Effect::kRead, __func__) != 0) return SQLITE_IOERR_FSTAT;
  *bytes = static_cast<sqlite3_int64>(inode(file).now.bytes);
  return SQLITE_OK;
}

int lock(sqlite3_file*, int) {
  return SQLITE_OK;
}

int check_lock(sqlite3_file*, int* is_locked) {
  *is_locked = 0;
  return SQLITE_OK;
}

int control(sqlite3_file*, int, void*) {
  return SQLITE_NOTFOUND;
}

int sector_size(sqlite3_file*) {
  return static_cast<int>(Inode::kSector);
}

int characteristics(sqlite3_file*) {
  return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/// Version 1, without shared memory: the catalogue is opened exclusively.
constexpr sqlite3_io_methods kMethods = {
    .iVersion = 1,
    .xClose = close_file,
    .xRead = read,
    .xWrite = write,
    .xTruncate = truncate,
    .xSync = sync,
    .xFileSize = file_size,
    .xLock = lock,
    .xUnlock = lock,
    .xCheckReservedLock = check_lock,
    .xFileControl = control,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = characteristics,
    .xShmMap = nullptr,
    .xShmLock = nullptr,
    .xShmBarrier = nullptr,
    .xShmUnmap = nullptr,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  file->pMethods = nullptr;
  if (volume == nullptr) return SQLITE_CANTOPEN;
  if (volume->step(Effect::kRead, __func__) != 0) return SQLITE_CANTOPEN;
  if (name == nullptr) {
    // A temporary file has no name, and no number that anybody could see.
    of(file) = {{&kMethods}, volume->open(std::make_shared<Inode>()), false};
    return SQLITE_OK;
  }
  auto found = volume->find(name);
  const bool is_new = !found;
  if (is_new) {
    if ((flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
    if (const int error = volume->step(Effect::kGrow, __func__)) return error == ENOSPC ? SQLITE_FULL : SQLITE_CANTOPEN;
    found = volume->create(name, FileKind::kRegular);
    if (!found) return SQLITE_CANTOPEN;
  }
  const bool is_log = (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL)) != 0;
  of(file) = {{&kMethods}, volume->open(*found), is_log && (flags & SQLITE_OPEN_CREATE) != 0};
  if (out_flags != nullptr) *out_flags = flags;
  return SQLITE_OK;
}

int remove(sqlite3_vfs*, const char* name, int flush_folder) {
  if (volume->step(Effect::kWrite, __func__) != 0) return SQLITE_IOERR_DELETE;
  const auto removed = volume->remove(name, FileKind::kRegular);
  if (!removed) return removed.error() == ENOENT ? SQLITE_IOERR_DELETE_NOENT : SQLITE_IOERR_DELETE;
  if (flush_folder == 0) return SQLITE_OK;
  if (volume->step(Effect::kWrite, __func__) != 0) return SQLITE_IOERR_DIR_FSYNC;
  (void)volume->flush_folder("");
  return SQLITE_OK;
}

int access(sqlite3_vfs*, const char* name, int, int* result) {
  if (volume->step(Effect::kRead, __func__) != 0) return SQLITE_IOERR_ACCESS;
  const auto found = volume->find(name);
  *result = found && (*found)->now.bytes > 0 ? 1 : 0;
  return SQLITE_OK;
}

int full_path(sqlite3_vfs*, const char* name, int room, char* out) {
  sqlite3_snprintf(room, out, "%s", name);
  return SQLITE_OK;
}

int random_bytes(sqlite3_vfs*, int count, char* out) {
  SeededRandom random(++given_numbers);
  for (int i = 0; i < count; ++i) out[i] = static_cast<char>(random());
  return count;
}

int sleep_for(sqlite3_vfs*, int microseconds) {
  return microseconds;
}

int current_time(sqlite3_vfs*, double* julian) {
  *julian = 2460000.5;
  return SQLITE_OK;
}

int last_error(sqlite3_vfs*, int, char*) {
  return 0;
}

sqlite3_vfs& simulated() {
  static sqlite3_vfs vfs = [] {
    sqlite3_vfs made{};
    made.iVersion = 1;
    made.szOsFile = sizeof(OpenFile);
    made.mxPathname = 512;
    made.zName = "simulated";
    made.xOpen = open;
    made.xDelete = remove;
    made.xAccess = access;
    made.xFullPathname = full_path;
    made.xRandomness = random_bytes;
    made.xSleep = sleep_for;
    made.xCurrentTime = current_time;
    made.xGetLastError = last_error;
    return made;
  }();
  return vfs;
}

}  // namespace

void use_for_sqlite(SimulatedVolume* used) {
  static const int kRegistered = sqlite3_vfs_register(&simulated(), 1);
  (void)kRegistered;
  volume = used;
  given_numbers = 0;
  sqlite3_randomness(0, nullptr);
}

}  // namespace millrace::simulation
