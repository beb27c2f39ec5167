#include "sync/target_scan.h"

#include <catch2/catch.hpp>

#include <deque>

#include "support/bytes.h"
#include "support/chunks.h"

using namespace millrace;

namespace {

constexpr std::size_t kBlock = TargetScan::kBlockBytes;

/// Runs the jobs that wait in an order of its own.
class Jobs final : public StreamPort {
 public:
  explicit Jobs(std::uint64_t seed) : random_(seed) {}
  void run(JobKind, std::function<void()> work, std::function<void()> done) override {
    waiting_.push_back([work = std::move(work), done = std::move(done)] {
      work();
      done();
    });
    most = std::max(most, waiting_.size());
  }
  bool run_one() {
    if (waiting_.empty()) return false;
    const auto which = static_cast<std::ptrdiff_t>(random_() % waiting_.size());
    const auto job = std::move(waiting_[static_cast<std::size_t>(which)]);
    waiting_.erase(waiting_.begin() + which);
    ++count;
    job();
    return true;
  }
  std::size_t most = 0;   ///< jobs that waited together
  std::size_t count = 0;  ///< jobs that were run

  void send_frame(FrameType, std::uint8_t, Buffer) override {}
  void send_data(SharedBytes) override {}
  std::uint64_t unsent_bytes() const override { return 0; }
  void release_credit(std::uint64_t) override {}
  void set_window(std::uint64_t) override {}
  void run_deferred(JobKind, std::function<void(std::function<void()>)>, std::function<void()>) override {}
  void finish() override {}
  void fail(Error) override {}
  Link link() const override { return {}; }
  const wire::Hello& peer() const override { return hello_; }

 private:
  SeededRandom random_;
  std::deque<std::function<void()>> waiting_;
  wire::Hello hello_;
};

/// What a scan delivers, compared with what cutting and hashing the whole gives. The jobs that it took.
std::size_t scan(const Buffer& content, Contents contents, std::uint64_t order) {
  Jobs jobs(order);
  Toolbox toolbox;
  toolbox.hasher = make_sha256;
  ChunkList chunks;
  Buffer delivered;
  bool last = false;
  TargetScan scan(
      jobs, std::make_shared<BufferSource>(content), toolbox,
      [&](ScannedBlock& block) {
        CHECK_FALSE(last);
        CHECK_FALSE(block.chunks.empty());
        CHECK(block.offset == scan.position() - block.length);
        std::uint64_t at = block.offset;
        for (std::size_t i = 0; i < block.chunks.size(); ++i) {
          CHECK(block.zero[i] == all_zero(ByteView(content).subspan(at, block.chunks[i].length)));
          at += block.chunks[i].length;
          chunks.push_back(block.chunks[i]);
        }
        append(delivered, block.content.view);
        last = block.last;
        // Now and then the receiver is full for a while.
        if (contents == Contents::kKept && block.offset % 3 == 0) {
          scan.pause();
          jobs.run(
              Lane::kCpu, [] {}, [&scan] { scan.resume(); });
        }
      },
      [](const Error& error) { FAIL(error.sentence); });
  scan.start(contents);
  while (jobs.run_one()) {
  }
  CHECK(scan.finished());
  CHECK(last);
  const ChunkList wanted = test::chunks_of(content);
  REQUIRE(chunks.size() == wanted.size());
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    CHECK(chunks[i].length == wanted[i].length);
    CHECK(chunks[i].digest == wanted[i].digest);
  }
  CHECK(delivered == (contents == Contents::kKept ? content : Buffer{}));
  return jobs.count;
}

}  // namespace

TEST_CASE("a file that is scanned block by block has the chunks of the whole") {
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{5000}, kBlock - 1, kBlock, kBlock + 1, kBlock + 65536,
                                  kBlock + 65537, 2 * kBlock + 65536, 9 * kBlock + 12345}) {
    INFO(bytes << " bytes");
    const Buffer content = test::random_bytes(bytes, bytes);
    for (const Contents contents : {Contents::kKept, Contents::kDropped}) scan(content, contents, bytes);
  }
}

TEST_CASE("blocks of random bytes fall into step before they begin, but for few") {
  CHECK(scan(test::random_bytes(24 * kBlock, 5), Contents::kDropped, 1) <= 26);
}

TEST_CASE("where nothing says where a chunk ends, a block waits for the one before") {
  Buffer content = test::random_bytes(6 * kBlock, 9);
  SECTION("zeros, off the blocks' grid") {
    std::fill_n(content.begin() + kBlock / 2 + 77, 4 * kBlock, Byte{0});
  }
  SECTION("zeros only") {
    std::fill(content.begin(), content.end(), Byte{0});
  }
  SECTION("a period that falls into step elsewhere in each block") {
    for (std::size_t at = 70'001; at < content.size(); ++at) content[at] = content[at - 70'001];
  }
  SECTION("one byte") {
    std::fill(content.begin(), content.end(), Byte{0x5a});
  }
  for (const Contents contents : {Contents::kKept, Contents::kDropped}) {
    for (std::uint64_t order = 1; order <= 3; ++order) CHECK(scan(content, contents, order) <= 2 * 6 + 6);
  }
}

TEST_CASE("a file that became shorter ends the scan with its error, once") {
  class Shorter final : public Source {
   public:
    std::uint64_t size() const override { return 5 * kBlock; }
    Status read_at(std::uint64_t offset, MutableBytes into) const override {
      if (offset + into.size() > 3 * kBlock) return millrace::fail(Code::kSourceChanged, "It is shorter.");
      std::fill(into.begin(), into.end(), Byte{7});
      return {};
    }
  };
  Jobs jobs(3);
  Toolbox toolbox;
  toolbox.hasher = make_sha256;
  int errors = 0;
  TargetScan scan(
      jobs, std::make_shared<Shorter>(), toolbox, [](ScannedBlock&) {},
      [&errors](const Error& error) { errors += error.code == Code::kSourceChanged ? 1 : 0; });
  scan.start(Contents::kDropped);
  CHECK(jobs.most == TargetScan::kBlocks);
  while (jobs.run_one()) {
  }
  CHECK(errors == 1);
  CHECK_FALSE(scan.finished());
}
