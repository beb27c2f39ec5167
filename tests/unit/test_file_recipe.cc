// load/file_recipe: files that exist only as numbers.
#include "load/file_recipe.h"

#include <catch2/catch.hpp>

#include "base/random.h"
#include "load/checking_draft.h"

using namespace millrace;

namespace {

constexpr std::uint64_t kBytes = 50'000;

Buffer content(const FileRecipe& recipe) {
  Buffer bytes(recipe.bytes());
  REQUIRE(recipe.source()->size() == recipe.bytes());
  REQUIRE(recipe.source()->read_at(0, bytes));
  return bytes;
}

std::size_t differing(const Buffer& a, const Buffer& b) {
  REQUIRE(a.size() == b.size());
  std::size_t count = 0;
  for (std::size_t i = 0; i < a.size(); ++i) count += a[i] != b[i] ? 1 : 0;
  return count;
}

}  // namespace

SCENARIO("a recipe gives the same bytes always, and other clients, seeds and versions others") {
  const FileRecipe recipe(1, 2, kBytes);
  REQUIRE(content(recipe) == content(FileRecipe(1, 2, kBytes)));
  REQUIRE(differing(content(recipe), content(FileRecipe(1, 3, kBytes))) > kBytes * 9 / 10);
  REQUIRE(differing(content(recipe), content(FileRecipe(2, 2, kBytes))) > kBytes * 9 / 10);
  REQUIRE(differing(content(recipe), content(recipe.fresh())) > kBytes * 9 / 10);
  REQUIRE(content(recipe.fresh()) == content(FileRecipe(1, 2, kBytes).fresh()));
}

SCENARIO("any range reads as it does in the whole") {
  for (const EditKind kind : {EditKind::kOverwrite, EditKind::kInsert, EditKind::kAppend, EditKind::kShuffle}) {
    FileRecipe recipe(1, 2, kBytes);
    for (int i = 0; i < 5; ++i) recipe = recipe.edited({kind, 3, 100});
    const Buffer whole = content(recipe);
    SeededRandom random(3);
    for (int i = 0; i < 200; ++i) {
      const std::uint64_t offset = random.below(whole.size() + 1);
      Buffer part(random.below(std::min<std::uint64_t>(whole.size() - offset, 3000) + 1));
      REQUIRE(recipe.source()->read_at(offset, part));
      REQUIRE(std::equal(part.begin(), part.end(), whole.begin() + static_cast<std::ptrdiff_t>(offset)));
    }
    Buffer beyond(1);
    REQUIRE(recipe.source()->read_at(whole.size(), beyond).error().code == Code::kSourceChanged);
  }
}

SCENARIO("two overwritten ranges change that many bytes, in the thousandth version too") {
  FileRecipe recipe(1, 2, kBytes);
  for (int i = 0; i < 1000; ++i) {
    const FileRecipe next = recipe.edited({EditKind::kOverwrite, 2, 256});
    if (i % 97 == 0) {
      const std::size_t changed = differing(content(recipe), content(next));
      REQUIRE(changed > 200);
      REQUIRE(changed <= 512);
    }
    recipe = next;
  }
}

SCENARIO("inserted and appended ranges make a file longer") {
  const FileRecipe recipe(1, 2, kBytes);
  REQUIRE(recipe.edited({EditKind::kInsert, 2, 256}).bytes() == kBytes + 512);
  const FileRecipe longer = recipe.edited({EditKind::kAppend, 2, 256});
  REQUIRE(longer.bytes() == kBytes + 512);
  Buffer begin = content(longer);
  begin.resize(kBytes);
  REQUIRE(begin == content(recipe));
  FileRecipe inserted = recipe;
  for (int i = 0; i < 500; ++i) inserted = inserted.edited({EditKind::kInsert, 2, 256});
  REQUIRE(inserted.bytes() < kBytes + 100 * 256);
}

SCENARIO("a shuffled file has the same bytes in another order") {
  const FileRecipe recipe(1, 2, kBytes);
  Buffer before = content(recipe);
  Buffer after = content(recipe.edited({EditKind::kShuffle, 8, 1}));
  REQUIRE(differing(before, after) > kBytes * 9 / 10);
  std::sort(before.begin(), before.end());
  std::sort(after.begin(), after.end());
  REQUIRE(before == after);
}

SCENARIO("a download that is not what was uploaded is found out") {
  const FileRecipe recipe(1, 2, 1000);
  const Buffer right = content(recipe);
  const Chunk chunk{{}, 0, 1000};
  const auto draft = make_checking_draft(recipe.source(), nullptr);
  REQUIRE(draft->add(std::span(&chunk, 1), right));
  REQUIRE(draft->commit({}));
  Buffer wrong = right;
  wrong[500] ^= 1;
  const auto other = make_checking_draft(recipe.source(), nullptr);
  REQUIRE(other->add(std::span(&chunk, 1), wrong).error().code == Code::kIntegrity);
  REQUIRE(other->commit({}).error().code == Code::kIntegrity);  // too short
}
