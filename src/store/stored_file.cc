#include "store/stored_file.h"

#include <cerrno>

#include "base/path.h"
#include "store/chunk_index.h"
#include "store/indexer.h"

namespace millrace {

namespace {
/// The list of one chunk is made again faster than two indices of the catalogue are written.
bool is_worth_keeping(const auto& chunks) {
  return chunks.size() > 1;
}
}  // namespace

bool StoreParts::make_room(std::uint64_t bytes) {
  const auto missing = [&]() -> std::uint64_t {
    const auto free = disk().free_bytes();
    return free && *free < bytes ? bytes - *free : 0;
  };
  const std::uint64_t held = partials->removable_bytes() + trash->held_bytes();
  if (missing() > held) return false;
  const bool removed = partials->make_room(bytes);
  const std::uint64_t still = missing();
  if (removed && still == 0) return true;
  return trash->make_room(still) || removed;
}

void StoreParts::put_chunks(const Digest& root, const ChunkList& chunks) {
  const Buffer row = chunk_row(root, chunks);
  if (row.empty()) return;
  if (const Status kept = catalogue->put_chunk_list(root, row); !kept) report_lost(kept.error());
}

void StoreParts::report_lost(const Error& error) {
  if (has_lost_lists_.exchange(true) || !report) return;
  report("A list of chunks cannot be kept; files are served all the same, but are read again for each delta: " +
         error.sentence);
}

Buffer StoreParts::chunk_row(const Digest& root, const ChunkList& chunks) {
  return is_worth_keeping(chunks) ? row_of(root, encode_chunk_list(chunks)) : Buffer();
}

Buffer StoreParts::chunk_row(const Digest& root, const ChunkRuns& chunks) {
  return is_worth_keeping(chunks) ? row_of(root, encode_chunk_list(chunks)) : Buffer();
}

Buffer StoreParts::row_of(const Digest& root, Buffer list) {
  if (list.size() <= kMaxRowIndexBytes) return list;
  if (const Status kept = keep_aside(root, list); !kept) report_lost(kept.error());
  return {};
}

Status StoreParts::keep_aside(const Digest& root, ByteView list) {
  const Place place{Area::kChunks, to_hex(root)};
  auto file = disk().create(place);
  const bool is_there = !file && file.error() == EEXIST;
  if (is_there) file = disk().open(place, Access::kReadWrite);
  if (!file) return fail(disk_error(file.error(), "create", place.path));
  if (!is_there) {
    if (const auto written = disk().pwrite(*file, list, 0); !written) {
      (void)disk().unlink(place);  // a cut list fails its checksum and is made again
      return fail(disk_error(written.error(), "write", place.path));
    }
  }
  // Its age keeps the sweep away from it until the version that it is for is there.
  (void)disk().set_attributes(*file, 0600, now_ns());
  return {};
}

Result<std::optional<ChunkList>> StoreParts::chunks(const Digest& root) {
  MILLRACE_ASSIGN(auto row, catalogue->chunk_list(root));
  Buffer list;
  const Place place{Area::kChunks, to_hex(root)};
  if (row) {
    list = std::move(*row);
  } else {
    const auto file = disk().open(place, Access::kRead);
    if (!file) return std::nullopt;
    const auto stat = disk().stat_file(*file);
    if (!stat) return std::nullopt;
    list.resize(stat->bytes);
    const auto got = disk().pread(*file, list, 0);
    if (!got || *got != list.size()) return std::nullopt;
  }
  auto decoded = decode_chunk_list(list);
  if (!decoded) {
    if (!row) (void)disk().unlink(place);
    return std::nullopt;
  }
  return std::optional<ChunkList>(std::move(*decoded));
}

Result<std::shared_ptr<const File>> OpenVersion::file() const {
  if (auto kept = reader_->kept()) return kept;
  auto opened = parts_->files.get(parts_->disk(), {Area::kFiles, path_}, Access::kRead, reader_->id);
  if (opened) return *opened;
  // It may have been replaced by us meanwhile: then it was kept before.
  if (auto kept = reader_->kept()) return kept;
  const bool replaced = opened.error() == ESTALE || opened.error() == ENOENT || opened.error() == ENOTDIR;
  if (replaced)
    return fail(
        Code::kSourceChanged,
        "'" + printable(path_) + "' was replaced on the server by another program while it was read; try again.");
  return fail(disk_error(opened.error(), "open", path_));
}

Status OpenVersion::read_at(std::uint64_t offset, MutableBytes into) const {
  MILLRACE_ASSIGN(const auto open, file());
  const auto got = parts_->disk().pread(*open, into, offset);
  if (!got) return fail(disk_error(got.error(), "read", path_));
  if (*got != into.size())
    return fail(Code::kSourceChanged, "'" + printable(path_) + "' got shorter while it was read; try again.");
  return {};
}

Result<std::shared_ptr<const ChunkList>> OpenVersion::chunks() const {
  const std::lock_guard lock(mutex_);
  if (chunks_) return chunks_;
  MILLRACE_ASSIGN(auto list, parts_->chunks(version_.token.root));
  if (!list) {
    const auto hasher = parts_->hasher();
    MILLRACE_ASSIGN(const auto open, file());
    MILLRACE_ASSIGN(Indexed indexed, index_file(parts_->disk(), *open, path_, *hasher));
    if (indexed.root != version_.token.root) {
      return fail(Code::kIntegrity, "'" + printable(path_) +
                                        "' is not what the catalogue says; verify it, and upload it again if need be.");
    }
    parts_->put_chunks(indexed.root, indexed.chunks);
    list = std::move(indexed.chunks);
  }
  chunks_ = std::make_shared<const ChunkList>(std::move(*list));
  return chunks_;
}

}  // namespace millrace
