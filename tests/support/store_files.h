// Puts whole files into a store, as an upload would.
#pragma once

#include <future>

#include "store/store.h"
#include "support/chunks.h"

namespace millrace::test {

/// Waits for the end of a commit.
inline Result<Version> commit(StoreDraft& draft, const Digest& root, std::uint64_t bytes,
                              const Attributes& attributes) {
  std::promise<Result<Version>> promise;
  draft.commit(root, bytes, attributes, [&promise](Result<Version> version) { promise.set_value(std::move(version)); });
  return promise.get_future().get();
}

inline Result<Version> put_file(Store& store, const std::string& path, const Buffer& content, Expected expected = {},
                                Attributes attributes = {1'000'000'000, 0640}) {
  DraftRequest request;
  request.path = path;
  request.expected = expected;
  MILLRACE_ASSIGN(const auto draft, store.begin({}, request));
  const ChunkList chunks = chunks_of(content);
  MILLRACE_TRY(draft->add(chunks, content));
  return commit(*draft, build_tree(chunks, *make_sha256()).root, content.size(), attributes);
}

}  // namespace millrace::test
