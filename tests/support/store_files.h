// Puts whole files into a store, as an upload would.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <future>

#include "store/store.h"
#include "support/chunks.h"

namespace millrace::test {

/// How many files lie in a data folder's staging.
inline std::size_t staged_files(const std::filesystem::path& data) {
  const std::filesystem::recursive_directory_iterator all(data / "staging");
  return static_cast<std::size_t>(
      std::count_if(begin(all), end(all), [](const auto& entry) { return entry.is_regular_file(); }));
}

/// What stands under a path in a data folder.
inline Buffer stored_file(const std::filesystem::path& data, const std::string& path) {
  std::ifstream in(data / "files" / path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  Buffer out;
  append(out, as_bytes(text));
  return out;
}

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
