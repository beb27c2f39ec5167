// What the server does for each request: frames, and the store with its catalogue.
#include "base/path.h"
#include "benchmarks.h"
#include "codec/sha256.h"
#include "monitor/loop_monitor.h"
#include "store/directory_store.h"
#include "support/bytes.h"
#include "support/store_files.h"
#include "wire/frame.h"

namespace millrace::perf {

namespace {

constexpr std::size_t kFrames = 1024;
constexpr std::size_t kDataBytes = 16u << 10;
constexpr std::size_t kMessageBytes = 64;
constexpr std::size_t kFiles = 500;
constexpr std::size_t kFileBytes = 4u << 10;
constexpr std::size_t kListing = 1000;
constexpr std::size_t kRecent = 200;

struct CountingSink : FrameDecoder::Sink {
  Status on_data(const FrameHeader&, ByteView part, bool last) override {
    bytes += part.size();
    frames += last ? 1 : 0;
    return {};
  }
  Status on_frame(const FrameHeader&, ByteView payload) override {
    bytes += payload.size();
    ++frames;
    return {};
  }
  std::size_t bytes = 0;
  std::size_t frames = 0;
};

void encode(FrameType type, ByteView payload, Buffer& stream) {
  stream.clear();
  for (std::size_t i = 0; i < kFrames; ++i) {
    append_frame_header(stream, {static_cast<std::uint8_t>(type), 0, static_cast<std::uint32_t>(2 * i + 1),
                                 static_cast<std::uint32_t>(payload.size())});
    append(stream, payload);
  }
}

std::string path_of(std::size_t number) {
  return "folder/" + std::to_string(number);
}

}  // namespace

Timings time_frames(const Stopwatch& watch) {
  Timings timings;
  for (const auto& [type, bytes, name] : {std::tuple(FrameType::kData, kDataBytes, "DATA of 16 KiB"),
                                          std::tuple(FrameType::kStat, kMessageBytes, "messages of 64 B")}) {
    const Buffer payload = test::random_bytes(bytes, 5);
    Buffer stream;
    encode(type, payload, stream);
    const Work round{kFrames, stream.size()};
    Buffer again;
    timings.push_back(watch.time(std::string("frames, encode ") + name, "frame", round, [&] {
      encode(type, payload, again);
      keep(again);
    }));
    timings.push_back(watch.time(std::string("frames, decode ") + name, "frame", round, [&] {
      FrameDecoder decoder;
      CountingSink sink;
      require(decoder.feed(stream, sink).has_value() && sink.frames == kFrames && sink.bytes == kFrames * bytes,
              "every frame decoded");
    }));
  }
  return timings;
}

Timings time_monitor(const Stopwatch& watch) {
  RecentTransfers recent(kRecent);
  LoopMonitor monitor(recent);
  std::uint64_t request = 0;
  Timings timings;
  timings.push_back(watch.time("monitor, a transfer from begin to end", "transfer", {kFiles, 0}, [&] {
    for (std::size_t i = 0; i < kFiles; ++i) {
      TransferView view;
      view.connection = 1;
      view.request = ++request;
      view.path = path_of(i);
      view.operation = Operation::kUpload;
      ActiveTransfer transfer(monitor, std::move(view), [](const Error&) {});
      transfer.view.literal_bytes += kFileBytes;
      transfer.end(std::nullopt);
      monitor.count_request(Operation::kUpload, std::nullopt, std::chrono::milliseconds(1));
    }
  }));
  const std::uint64_t counted = monitor.counts.requests[static_cast<std::size_t>(Operation::kUpload)][0].value();
  require(counted == request, "every request counted");
  return timings;
}

Timings time_store(const Stopwatch& watch, const std::filesystem::path& folder) {
  auto opened = open_directory_store(folder, {Durability::kNone, SeededRandom(6), make_sha256, nullptr});
  require(opened.has_value(), "a store");
  Store& store = **opened;
  const Buffer even = test::random_bytes(kFileBytes, 7);
  const Buffer odd = test::random_bytes(kFileBytes, 8);
  bool flip = false;
  Timings timings;
  timings.push_back(watch.time("store, replace a file of 4 KiB", "commit", {kFiles, 0}, [&] {
    flip = !flip;
    for (std::size_t i = 0; i < kFiles; ++i)
      require(test::put_file(store, path_of(i), flip ? even : odd).has_value(), "a commit");
  }));
  timings.push_back(watch.time("store, look a version up", "lookup", {kFiles, 0}, [&] {
    for (std::size_t i = 0; i < kFiles; ++i) {
      const auto version = store.lookup({}, path_of(i));
      require(version.has_value() && version->has_value(), "a version");
    }
  }));
  timings.push_back(watch.time("store, list a folder", "entry", {kFiles, 0}, [&] {
    const auto listing = store.list({}, "folder", Recursive::kNo, "", kListing);
    require(listing.has_value() && listing->entries.size() == kFiles, "a whole listing");
  }));
  timings.push_back(watch.time("catalogue, changes since the beginning", "change", {kFiles, 0}, [&] {
    const auto changes = store.changes({}, 0, kListing);
    require(changes.has_value() && changes->size() == kFiles, "every change");
  }));
  return timings;
}

}  // namespace millrace::perf
