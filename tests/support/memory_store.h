// A store in memory: one account, no folders of its own (a folder is what files lie below). For tests that want a whole
// server without a disk. Everything is decided by what it is asked.
#pragma once

#include <map>
#include <utility>

#include "codec/sha256.h"
#include "delta/chunk_tree.h"
#include "delta/draft_root.h"
#include "store/store.h"
#include "support/chunks.h"
#include "support/memory_draft.h"

namespace millrace::test {

class MemoryFile final : public StoredFile {
 public:
  MemoryFile(Version version, Buffer bytes, ChunkList list)
      : content(std::move(bytes)),
        chunk_list(std::make_shared<const ChunkList>(std::move(list))),
        version_(std::move(version)),
        source_(content) {}
  const Version& version() const override { return version_; }
  Result<std::shared_ptr<const ChunkList>> chunks() const override { return chunk_list; }
  std::uint64_t size() const override { return source_.size(); }
  Status read_at(std::uint64_t offset, MutableBytes into) const override { return source_.read_at(offset, into); }

  const Buffer content;
  const std::shared_ptr<const ChunkList> chunk_list;

 private:
  Version version_;
  BufferSource source_;
};

class MemoryStore final : public Store {
 public:
  /// `most_bytes`: of one file; more does not fit (kQuota).
  explicit MemoryStore(std::uint64_t most_bytes) : most_bytes_(most_bytes) {}

  void put(const std::string& path, Buffer content, const Attributes& attributes = {}) {
    ChunkList chunks = chunks_of(content);
    const Digest root = build_tree(chunks, *make_sha256()).root;
    put(path, std::move(content), std::move(chunks), root, attributes);
  }

  Result<std::optional<Version>> lookup(const Principal&, const std::string& path) override {
    const auto found = files_.find(path);
    return found == files_.end() ? std::nullopt : std::optional(found->second->version());
  }
  Result<std::shared_ptr<const StoredFile>> open(const Principal&, const std::string& path) override {
    const auto found = files_.find(path);
    if (found == files_.end()) return missing();
    return found->second;
  }
  Result<Entry> stat(const Principal&, const std::string& path) override {
    const auto found = files_.find(path);
    if (found == files_.end()) return missing();
    return Entry{path, EntryKind::kFile, found->second->version()};
  }
  std::shared_ptr<const StoredFile> upload_basis(const Principal&, const std::string&, std::uint64_t,
                                                 std::shared_ptr<const StoredFile> stored) override {
    return stored;
  }
  Result<std::unique_ptr<StoreDraft>> begin(const Principal&, const DraftRequest& request) override {
    if (request.bytes > most_bytes_) return fail(Code::kQuota, "That is more than fits.");
    return std::make_unique<MemoryStoreDraft>(*this, request);
  }
  Result<Version> set_attributes(const Principal&, const std::string& path, const Digest& root,
                                 const Attributes& attributes) override {
    const auto found = files_.find(path);
    if (found == files_.end()) return missing();
    if (found->second->version().token.root != root) return conflict();
    return put(path, found->second->content, *found->second->chunk_list, root, attributes);
  }
  Result<Listing> list(const Principal&, const std::string& prefix, Recursive, const std::string& cursor,
                       std::size_t limit) override {
    Listing out;
    for (const auto& [path, file] : files_) {
      const bool below = prefix.empty() || path.starts_with(prefix + "/");
      if (!below || (!cursor.empty() && path <= cursor)) continue;
      if (out.entries.size() == limit) {
        out.next_cursor = out.entries.back().path;
        break;
      }
      out.entries.push_back({path, EntryKind::kFile, file->version()});
    }
    return out;
  }
  Status remove(const Principal&, const std::string& path, Recursive, const Expected& expected) override {
    const auto found = files_.find(path);
    if (found == files_.end()) return missing();
    if (!holds(path, expected)) return conflict();
    files_.erase(found);
    changes_.push_back({++sequence_, path, std::nullopt});
    return {};
  }
  Status move(const Principal&, const std::string& from, const std::string& to, Force force) override {
    const auto found = files_.find(from);
    if (found == files_.end()) return missing();
    if (force == Force::kNo && files_.contains(to)) return conflict();
    const auto file = found->second;
    files_.erase(found);
    changes_.push_back({++sequence_, from, std::nullopt});
    put(to, file->content, *file->chunk_list, file->version().token.root, file->version().attributes);
    return {};
  }
  Result<TrashListing> list_trash(const Principal&, const std::string&, const std::string&, std::size_t) override {
    return TrashListing{};
  }
  Result<Version> restore(const Principal&, const std::string&, std::int64_t, const std::string&, Force) override {
    return fail(Code::kNotFound, "Nothing is kept.");
  }
  Result<std::vector<Change>> changes(const Principal&, std::uint64_t since, std::size_t limit) override {
    std::vector<Change> out;
    for (const Change& change : changes_) {
      if (change.sequence > since && out.size() < limit) out.push_back(change);
    }
    return out;
  }
  Result<std::shared_ptr<const StoredFile>> find(const Principal&, const Digest& root) override {
    for (const auto& [path, file] : files_) {
      if (file->version().token.root == root) return file;
    }
    return missing();
  }
  Result<Version> verify(const Principal&, const std::string& path) override {
    const auto found = files_.find(path);
    if (found == files_.end()) return missing();
    return found->second->version();
  }
  Status flush() override { return {}; }
  std::uint64_t signature_seed(const Principal&) override { return 77; }

  const std::map<std::string, std::shared_ptr<const MemoryFile>>& files() const { return files_; }
  /// What drafts were asked to copy ahead, in bytes; there is always more of it.
  const std::vector<std::uint64_t>& copied_ahead() const { return copied_ahead_; }

 private:
  class MemoryStoreDraft final : public StoreDraft {
   public:
    MemoryStoreDraft(MemoryStore& store, DraftRequest request)
        : store_(store),
          request_(std::move(request)),
          basis_(std::dynamic_pointer_cast<const MemoryFile>(request_.basis)),
          draft_(basis_ ? basis_->content : no_content_, basis_ ? *basis_->chunk_list : no_chunks_) {}
    Result<bool> copy_ahead(std::uint64_t bytes) override {
      store_.copied_ahead_.push_back(bytes);
      return true;
    }
    Status keep(std::uint64_t first, std::uint64_t count) override { return fits(draft_.keep(first, count)); }
    Status add(std::span<const Chunk> chunks, ByteView content) override { return fits(draft_.add(chunks, content)); }
    Status add_zeros(const Chunk& chunk, std::uint64_t count) override {
      if (count > (store_.most_bytes_ - draft_.size()) / chunk.length)
        return fail(Code::kQuota, "That is more than fits.");
      return draft_.add_zeros(chunk, count);
    }
    Status replace(std::uint64_t index, const Chunk& chunk, ByteView content) override {
      return draft_.replace(index, chunk, content);
    }
    Status read_at(std::uint64_t offset, MutableBytes into) const override { return draft_.read_at(offset, into); }
    std::uint64_t size() const override { return draft_.size(); }
    std::uint64_t chunk_count() const override { return draft_.chunk_count(); }
    Result<Chunk> chunk_at(std::uint64_t index) const override { return draft_.chunk_at(index); }
    void commit(const Digest& root, std::uint64_t bytes, const Attributes& attributes, Committed done) override {
      const auto built = root_of(draft_, *make_sha256());
      if (!built || *built != root || bytes != draft_.size())
        return done(fail(Code::kIntegrity, "What was built is not what was announced."));
      if (!store_.holds(request_.path, request_.expected)) return done(conflict());
      ChunkList chunks;
      for (std::uint64_t i = 0; i < draft_.chunk_count(); ++i) chunks.push_back(draft_.chunk_at(i).value());
      done(store_.put(request_.path, draft_.content, std::move(chunks), root, attributes));
    }
    void discard() override {}

   private:
    Status fits(Status done) const {
      if (done && draft_.size() > store_.most_bytes_) return fail(Code::kQuota, "That is more than fits.");
      return done;
    }
    MemoryStore& store_;
    DraftRequest request_;
    const Buffer no_content_;
    const ChunkList no_chunks_;
    std::shared_ptr<const MemoryFile> basis_;
    MemoryDraft draft_;
  };

  static tl::unexpected<Error> missing() { return fail(Code::kNotFound, "There is no such file."); }
  static tl::unexpected<Error> conflict() { return fail(Code::kConflict, "Something else is there."); }
  bool holds(const std::string& path, const Expected& expected) const {
    const auto found = files_.find(path);
    if (expected.kind == Expected::Kind::kNone) return found == files_.end();
    if (expected.kind == Expected::Kind::kRoot)
      return found != files_.end() && found->second->version().token.root == expected.root;
    return true;
  }
  Version put(const std::string& path, Buffer content, ChunkList chunks, const Digest& root,
              const Attributes& attributes) {
    const Version version{{1, ++sequence_, root}, content.size(), attributes};
    files_[path] = std::make_shared<const MemoryFile>(version, std::move(content), std::move(chunks));
    changes_.push_back({sequence_, path, version});
    return version;
  }

  const std::uint64_t most_bytes_;
  std::uint64_t sequence_ = 0;
  std::map<std::string, std::shared_ptr<const MemoryFile>> files_;
  std::vector<Change> changes_;
  std::vector<std::uint64_t> copied_ahead_;
};

}  // namespace millrace::test
