#include "server/api/folder_archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>

#include <algorithm>
#include <optional>

#include "base/path.h"
#include "base/timestamp.h"

namespace millrace {

namespace {

constexpr std::size_t kPage = 10'000;
constexpr std::size_t kBytesPerEntry = 2 * sizeof(Entry);  ///< besides its name
constexpr std::size_t kReadBytes = 64u << 10;

/// libarchive says of a name that it is UTF-8 where the thread's locale is, and takes its bytes as they are.
class NamesAreUtf8 {
 public:
  NamesAreUtf8() : before_(uselocale(utf8())) {}
  ~NamesAreUtf8() { uselocale(before_); }
  NamesAreUtf8(const NamesAreUtf8&) = delete;
  NamesAreUtf8& operator=(const NamesAreUtf8&) = delete;

 private:
  static locale_t utf8() {
    // Part of the C library, not of what a system may lack.
    static const locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", locale_t{});
    return locale == locale_t{} ? LC_GLOBAL_LOCALE : locale;
  }
  const locale_t before_;
};

la_ssize_t append_to(archive*, void* data, const void* bytes, std::size_t count) {
  Buffer* const out = *static_cast<Buffer**>(data);
  if (out != nullptr) append(*out, {static_cast<const Byte*>(bytes), count});
  return static_cast<la_ssize_t>(count);
}

}  // namespace

void FolderArchive::Free::operator()(archive* writer) const {
  archive_write_free(writer);
}

FolderArchive::FolderArchive(std::shared_ptr<Store> store, Principal principal, std::string folder)
    : store_(std::move(store)), principal_(std::move(principal)), folder_(std::move(folder)) {}

FolderArchive::~FolderArchive() {
  // One that is not whole is freed as if it were (archive_write_fail() would leak): its end goes nowhere.
  out_ = nullptr;
}

Status FolderArchive::list() {
  std::string cursor;
  do {
    MILLRACE_ASSIGN(Listing page, store_->list(principal_, folder_, Recursive::kYes, cursor, kPage));
    for (Entry& entry : page.entries) {
      if (entry.kind == EntryKind::kSymlink) continue;
      if (entries_.size() == kMostEntries)
        return fail(Code::kTooLarge, "'" + printable(folder_) + "' has more than " + std::to_string(kMostEntries) +
                                         " files and folders, too many for one archive; use `millrace download -r`.");
      content_bytes_ += entry.version.bytes;
      name_bytes_ += entry.path.size();
      entries_.push_back(std::move(entry));
    }
    cursor = page.next_cursor;
  } while (!cursor.empty());
  return {};
}

std::uint64_t FolderArchive::memory_bytes() const {
  return 2 * name_bytes_ + entries_.size() * kBytesPerEntry;
}

Status FolderArchive::check(int code) const {
  if (code >= ARCHIVE_WARN) return {};
  const char* why = archive_error_string(writer_.get());
  return fail(Code::kInternal, std::string("The archive cannot be written: ") + (why != nullptr ? why : "unknown"));
}

Status FolderArchive::begin_entry(const Entry& entry) {
  const bool is_folder = entry.kind == EntryKind::kFolder;
  const auto opened =
      is_folder ? Result<std::shared_ptr<const StoredFile>>(nullptr) : store_->open(principal_, entry.path);
  if (!opened && is_no_file_now(entry)) return {};
  if (!opened) return fail(opened.error());
  const Attributes& attributes = is_folder ? entry.version.attributes : (*opened)->version().attributes;
  // Below the folder's own name, as it would be copied.
  const std::string name = entry.path.substr(parent_path(folder_).empty() ? 0 : parent_path(folder_).size() + 1);
  const std::unique_ptr<archive_entry, void (*)(archive_entry*)> header(archive_entry_new(), archive_entry_free);
  archive_entry_copy_pathname(header.get(), name.c_str());
  archive_entry_set_filetype(header.get(), is_folder ? AE_IFDIR : AE_IFREG);
  archive_entry_set_perm(header.get(), attributes.mode);
  archive_entry_set_mtime(header.get(), attributes.mtime_ns / kNsPerSecond, attributes.mtime_ns % kNsPerSecond);
  archive_entry_set_size(header.get(), is_folder ? 0 : static_cast<la_int64_t>((*opened)->version().bytes));
  std::optional<NamesAreUtf8> marked;
  if (is_utf8(name)) marked.emplace();
  MILLRACE_TRY(check(archive_write_header(writer_.get(), header.get())));
  file_ = *opened;
  offset_ = 0;
  return {};
}

bool FolderArchive::is_no_file_now(const Entry& entry) const {
  const auto now = store_->stat(principal_, entry.path);
  return now ? now->kind != EntryKind::kFile : now.error().code == Code::kNotFound;
}

Result<bool> FolderArchive::next(std::size_t most, Buffer& out) {
  out_ = &out;
  if (!writer_) {
    writer_.reset(archive_write_new());
    // Stored as they are: who moves much is in a hurry, and the server has others to serve.
    MILLRACE_TRY(check(archive_write_set_format_zip(writer_.get())));
    MILLRACE_TRY(check(archive_write_zip_set_compression_store(writer_.get())));
    MILLRACE_TRY(check(archive_write_set_bytes_per_block(writer_.get(), 0)));
    MILLRACE_TRY(check(archive_write_open(writer_.get(), &out_, nullptr, append_to, nullptr)));
  }
  while (out.size() < most) {
    if (!file_) {
      if (next_entry_ == entries_.size()) {
        MILLRACE_TRY(check(archive_write_close(writer_.get())));
        return false;
      }
      MILLRACE_TRY(begin_entry(entries_[next_entry_++]));
      continue;
    }
    const std::uint64_t left = file_->version().bytes - offset_;
    if (left == 0) {
      file_.reset();
      continue;
    }
    block_.resize(std::min<std::uint64_t>(left, kReadBytes));
    MILLRACE_TRY(file_->read_at(offset_, block_));
    if (archive_write_data(writer_.get(), block_.data(), block_.size()) != static_cast<la_ssize_t>(block_.size()))
      return fail(check(ARCHIVE_FATAL).error());
    offset_ += block_.size();
  }
  return true;
}

}  // namespace millrace
