#include "sync/upload_jobs.h"

#include "delta/draft_root.h"
#include "sync/expected_version.h"
#include "sync/upload_errors.h"

namespace millrace {

Result<UploadBeginning> UploadJobs::begin() const {
  UploadBeginning found;
  MILLRACE_ASSIGN(found.current, store->lookup(principal, request.path));
  if (found.current && request.root && found.current->token.root == *request.root) {
    found.is_same = true;
    // Somebody else's, or an earlier attempt's whose answer was lost: it is there, and stays as it is.
    if (!expected_version(request, &*found.current)) return found;
    MILLRACE_ASSIGN(found.current, store->set_attributes(principal, request.path, *request.root, request.attributes));
    return found;
  }
  std::shared_ptr<const StoredFile> file;
  if (kind == UploadKind::kDelta && found.current) {
    MILLRACE_ASSIGN(file, store->open(principal, request.path));
    found.current = file->version();
  }
  MILLRACE_ASSIGN(found.expected, expected_version(request, found.current ? &*found.current : nullptr));
  if (kind == UploadKind::kDelta) {
    found.basis = store->upload_basis(principal, request.path, request.bytes, file);
    found.resumes = found.basis != file;
  }
  if (found.basis) {
    found.seed = store->signature_seed(principal);
    if (request.root) {
      MILLRACE_ASSIGN(found.tree, load_tree(*found.basis));
    }
  }
  if (!found.basis || request.root || found.basis->version().attributes != request.attributes) {
    MILLRACE_ASSIGN(found.draft, open_draft(found.expected, found.basis));
  }
  return found;
}

Result<BasisTree> UploadJobs::load_tree(const StoredFile& basis) const {
  MILLRACE_ASSIGN(const auto chunks, basis.chunks());
  return BasisTree{build_tree(*chunks, *hasher()), offsets_of(*chunks)};
}

Result<OpenDraft> UploadJobs::open_draft(const Expected& expected, std::shared_ptr<const StoredFile> basis) const {
  DraftRequest begin;
  begin.path = request.path;
  begin.expected = expected;
  begin.upload_id = request.upload_id;
  begin.attempt = request.attempt;
  begin.bytes = request.size_unknown ? 0 : request.bytes;
  begin.basis = basis;
  OpenDraft open;
  MILLRACE_ASSIGN(open.draft, store->begin(principal, begin));
  if (!basis) return open;
  MILLRACE_ASSIGN(const auto chunks, basis->chunks());
  open.basis.source = std::move(basis);
  open.basis.chunk_offsets = offsets_of(*chunks);
  return open;
}

void UploadJobs::prove(const std::shared_ptr<StoreDraft>& draft, const Digest& root, const PatchApplier& applier,
                       bool judge_cuts, const std::shared_ptr<UploadProof>& proof,
                       std::function<void()> finished) const {
  const auto built_root = root_of(*draft, *hasher());
  if (!built_root) {
    proof->version = fail(built_root.error());
    return finished();
  }
  proof->right = *built_root == root;
  if (proof->right && judge_cuts && applier.has_wrong_cut()) {
    proof->version = fail(wrong_cuts());
    return finished();
  }
  if (proof->right) {
    draft->commit(root, draft->size(), request.attributes, [proof, finished](Result<Version> version) {
      proof->version = std::move(version);
      finished();
    });
    return;
  }
  for (const std::uint64_t index : applier.built_chunks())
    append_le(proof->built, draft->chunk_at(index).value().digest.prefix());
  finished();
}

}  // namespace millrace
