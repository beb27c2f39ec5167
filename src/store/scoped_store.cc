#include "store/scoped_store.h"

#include <algorithm>

#include "base/path.h"

namespace millrace {

namespace {

enum class Need : std::uint8_t { kRead, kWrite, kDelete };

bool is_within(const Scope& scope, const std::string& path) {
  return scope.prefix.empty() || path == scope.prefix || path.starts_with(scope.prefix + "/");
}

Status check(const Principal& principal, Need need, const std::string& path) {
  const Scope& scope = principal.scope;
  const bool has = need == Need::kRead ? scope.read : need == Need::kWrite ? scope.write : scope.remove;
  const char* const name = need == Need::kRead ? "read" : need == Need::kWrite ? "write" : "delete";
  if (!has)
    return fail(Code::kNotAllowed, std::string("This token may not ") + name + "; ask for one with that scope.");
  if (is_within(scope, path)) return {};
  return fail(Code::kNotAllowed, "'" + printable(path) + "' is outside of '" + printable(scope.prefix) +
                                     "', which this token is confined to.");
}

class ScopedStore final : public Store {
 public:
  explicit ScopedStore(std::shared_ptr<Store> inner) : inner_(std::move(inner)) {}

  Result<std::optional<Version>> lookup(const Principal& who, const std::string& path) override {
    if (is_blind_writer(who)) {
      MILLRACE_TRY(check(who, Need::kWrite, path));
      return std::nullopt;
    }
    MILLRACE_TRY(check(who, Need::kRead, path));
    return inner_->lookup(who, path);
  }
  Result<std::shared_ptr<const StoredFile>> open(const Principal& who, const std::string& path) override {
    MILLRACE_TRY(check(who, Need::kRead, path));
    return inner_->open(who, path);
  }
  Result<Entry> stat(const Principal& who, const std::string& path) override {
    MILLRACE_TRY(check(who, Need::kRead, path));
    return inner_->stat(who, path);
  }
  std::shared_ptr<const StoredFile> upload_basis(const Principal& who, const std::string& path, std::uint64_t bytes,
                                                 std::shared_ptr<const StoredFile> stored) override {
    if (!check(who, Need::kRead, path)) return nullptr;
    return inner_->upload_basis(who, path, bytes, std::move(stored));
  }
  Result<std::unique_ptr<StoreDraft>> begin(const Principal& who, const DraftRequest& request) override {
    MILLRACE_TRY(check(who, Need::kWrite, request.path));
    return inner_->begin(who, request);
  }
  Result<Version> set_attributes(const Principal& who, const std::string& path, const Digest& root,
                                 const Attributes& attributes) override {
    MILLRACE_TRY(check(who, Need::kWrite, path));
    return inner_->set_attributes(who, path, root, attributes);
  }
  Result<Listing> list(const Principal& who, const std::string& prefix, Recursive recursive, const std::string& cursor,
                       std::size_t limit) override {
    MILLRACE_TRY(check(who, Need::kRead, prefix));
    return inner_->list(who, prefix, recursive, cursor, limit);
  }
  Status remove(const Principal& who, const std::string& path, Recursive recursive, const Expected& expected) override {
    MILLRACE_TRY(check(who, Need::kDelete, path));
    return inner_->remove(who, path, recursive, expected);
  }
  Status move(const Principal& who, const std::string& from, const std::string& to, Force force) override {
    MILLRACE_TRY(check(who, Need::kDelete, from));
    MILLRACE_TRY(check(who, Need::kWrite, to));
    return inner_->move(who, from, to, force);
  }
  Result<TrashListing> list_trash(const Principal& who, const std::string& path, const std::string& cursor,
                                  std::size_t limit) override {
    MILLRACE_TRY(check(who, Need::kRead, path));
    return inner_->list_trash(who, path, cursor, limit);
  }
  Result<Version> restore(const Principal& who, const std::string& path, std::int64_t trashed_ns, const std::string& to,
                          Force force) override {
    MILLRACE_TRY(check(who, Need::kRead, path));
    MILLRACE_TRY(check(who, Need::kWrite, path));
    MILLRACE_TRY(check(who, Need::kWrite, to));
    return inner_->restore(who, path, trashed_ns, to, force);
  }
  Result<std::vector<Change>> changes(const Principal& who, std::uint64_t since, std::size_t limit) override {
    MILLRACE_TRY(check(who, Need::kRead, who.scope.prefix));
    std::vector<Change> kept;
    for (;;) {
      MILLRACE_ASSIGN(auto found, inner_->changes(who, since, limit));
      const bool is_last = found.size() < limit;
      if (!found.empty()) since = found.back().sequence;
      for (Change& change : found) {
        if (is_within(who.scope, change.path) && kept.size() < limit) kept.push_back(std::move(change));
      }
      // An empty answer would say that there is nothing more.
      if (is_last || !kept.empty()) return kept;
    }
  }
  Result<std::shared_ptr<const StoredFile>> find(const Principal& who, const Digest& root) override {
    MILLRACE_TRY(check(who, Need::kRead, who.scope.prefix));
    if (!who.scope.prefix.empty()) return fail(Code::kNotFound, "No file with that content is stored.");
    return inner_->find(who, root);
  }
  Result<Version> verify(const Principal& who, const std::string& path) override {
    MILLRACE_TRY(check(who, Need::kRead, path));
    return inner_->verify(who, path);
  }
  Status flush() override { return inner_->flush(); }
  std::uint64_t signature_seed(const Principal& who) override { return inner_->signature_seed(who); }

 private:
  static bool is_blind_writer(const Principal& who) { return who.scope.write && !who.scope.read; }

  std::shared_ptr<Store> inner_;
};

}  // namespace

std::shared_ptr<Store> make_scoped_store(std::shared_ptr<Store> inner) {
  return std::make_shared<ScopedStore>(std::move(inner));
}

}  // namespace millrace
