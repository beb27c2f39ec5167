// Puts whole files into a store, as an upload would.
#pragma once

#include "store/store.h"
#include "support/chunks.h"

namespace millrace::test {

inline Result<Version> put_file(Store& store, const std::string& path, const Buffer& content, Expected expected = {},
                                Attributes attributes = {1'000'000'000, 0640}) {
  DraftRequest request;
  request.path = path;
  request.expected = expected;
  MILLRACE_ASSIGN(const auto draft, store.begin({}, request));
  const ChunkList chunks = chunks_of(content);
  MILLRACE_TRY(draft->add(chunks, content));
  return draft->commit(build_tree(chunks, *make_sha256()).root, content.size(), attributes);
}

}  // namespace millrace::test
