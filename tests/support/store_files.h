// Puts whole files into a store, as an upload would.
#pragma once

#include "codec/sha256.h"
#include "delta/chunk_tree.h"
#include "delta/chunker.h"
#include "store/store.h"

namespace millrace::test {

inline Result<Version> put_file(Store& store, const std::string& path, const Buffer& content, Expected expected = {},
                                Attributes attributes = {1'000'000'000, 0640}) {
  DraftRequest request;
  request.path = path;
  request.expected = expected;
  MILLRACE_ASSIGN(const auto draft, store.begin({}, request));
  std::vector<std::uint32_t> lengths;
  cut_chunks(content, Tail::kEndOfFile, lengths);
  const auto hasher = make_sha256();
  ChunkList chunks;
  ByteView rest(content);
  for (const std::uint32_t length : lengths) {
    chunks.push_back({hasher->hash(rest.first(length)), 0, length});
    rest = rest.subspan(length);
  }
  MILLRACE_TRY(draft->add(chunks, content));
  return draft->commit(build_tree(chunks, *hasher).root, content.size(), attributes);
}

}  // namespace millrace::test
