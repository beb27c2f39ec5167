// A hasher that counts the bytes that go through it.
#pragma once

#include <utility>

#include "base/digest.h"
#include "base/shared_tally.h"

namespace millrace {

class CountedHasher final : public Hasher {
 public:
  CountedHasher(std::unique_ptr<Hasher> inner, SharedTally& bytes) : inner_(std::move(inner)), bytes_(bytes) {}
  Digest hash(ByteView data) override {
    bytes_.add(data.size());
    return inner_->hash(data);
  }
  void hash_all(std::span<const ByteView> pieces, std::span<Digest> digests) override {
    std::uint64_t sum = 0;
    for (const ByteView piece : pieces) sum += piece.size();
    bytes_.add(sum);
    inner_->hash_all(pieces, digests);
  }

 private:
  std::unique_ptr<Hasher> inner_;
  SharedTally& bytes_;
};

/// What `factory` makes, counted; `bytes` must outlive all of it.
inline HasherFactory counted(HasherFactory factory, SharedTally& bytes) {
  return [factory = std::move(factory), &bytes] { return std::make_unique<CountedHasher>(factory(), bytes); };
}

}  // namespace millrace
