// What is on the wire and on disk for ever: the examples of docs/PROTOCOL.md are what the encoder gives, byte for byte,
// and chunk boundaries, roots and rolling hashes are those of tests/golden/values.txt. A changed byte here is a changed
// protocol. With MILLRACE_WRITE_GOLDEN=1 in the environment both files are written anew; look at the difference before
// you keep it.
#include <catch2/catch.hpp>

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "base/varint.h"
#include "codec/sha256.h"
#include "delta/chunk_tree.h"
#include "delta/chunker.h"
#include "delta/rolling_hash.h"
#include "support/bytes.h"
#include "wire/messages.h"

using namespace millrace;

namespace {

const std::string kSource = MILLRACE_SOURCE;

bool writing() {
  return std::getenv("MILLRACE_WRITE_GOLDEN") != nullptr;
}

std::string hex(ByteView bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const Byte byte : bytes) {
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  REQUIRE(in);
  return {std::istreambuf_iterator<char>(in), {}};
}

Digest digest_of(Byte first) {
  Digest digest;
  for (std::size_t i = 0; i < digest.bytes.size(); ++i) digest.bytes[i] = static_cast<Byte>(first + i);
  return digest;
}

Version example_version() {
  return {{0x0102030405060708, 300, digest_of(0x40)}, 1'000'000, {1'700'000'000'000'000'000, 0600}};
}

using Examples = std::vector<std::pair<std::string, Buffer>>;

/// A whole frame; decoding it and encoding again must give the same bytes.
template <typename Message>
void add(Examples& examples, const std::string& name, std::uint32_t stream, const Message& message) {
  const Buffer payload = wire::encode(message);
  const auto decoded = wire::decode<Message>(payload);
  REQUIRE(decoded);
  CHECK(wire::encode(*decoded) == payload);
  Buffer frame;
  append_frame_header(frame, {static_cast<std::uint8_t>(Message::kType), kMustUnderstand, stream,
                              static_cast<std::uint32_t>(payload.size())});
  append(frame, payload);
  examples.emplace_back(name, frame);
  // A field that nobody knows is skipped, unless it must be understood; a cut payload is an error, never a crash.
  Buffer longer = payload;
  append_varint(longer, 500 << 1);
  append_varint(longer, 2);
  append(longer, as_bytes("xy"));
  CHECK(wire::decode<Message>(longer));
  Buffer forbidden = payload;
  append_varint(forbidden, 500 << 1 | 1);
  append_varint(forbidden, 0);
  const auto refused = wire::decode<Message>(forbidden);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().sentence.find("500") != std::string::npos);
  for (std::size_t length = 0; length < payload.size(); ++length)
    (void)wire::decode<Message>(ByteView(payload).first(length));
}

template <typename Message>
Message upload_fields() {
  Message message;
  message.path = "reports/2026.csv";
  message.bytes = 1'000'000;
  message.root = digest_of(0x80);
  message.attributes = {-1, 0600};
  message.upload_id = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  message.attempt = 2;
  message.expected = Expected{Expected::Kind::kRoot, digest_of(0x40)};
  message.check_content = true;
  return message;
}

Examples all_examples() {
  Examples out;
  wire::Hello hello;
  hello.max_version = 2;
  hello.features = 5;
  hello.max_segment = 8u << 20;
  hello.stream_window = 1u << 20;
  hello.connection_window = 4u << 20;
  hello.max_streams = 64;
  hello.agent = "millrace/0.1.0";
  add(out, "HELLO", 0, hello);
  add(out, "HELLO, all defaults", 0, wire::Hello{});
  wire::ErrorMessage error;
  error.code = 4;
  error.name = "E_CONFLICT";
  error.sentence = "It changed.";
  error.current = example_version().token;
  add(out, "ERROR", 3, error);
  add(out, "WINDOW", 0, wire::Window{65'536});
  add(out, "CANCEL", 3, wire::Cancel{});
  add(out, "GOAWAY", 0, wire::GoAway{5000, 1000, "restart"});
  add(out, "PING", 0, wire::Ping{77});
  add(out, "PONG", 0, wire::Pong{77});
  add(out, "AUTHENTICATE", 0, wire::Authenticate{"mr1_0123456789abcdef_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"});
  add(out, "AUTHENTICATED", 0, wire::Authenticated{"alice", 3, "reports", 1'800'000'000});
  add(out, "UPLOAD", 1, upload_fields<wire::Upload>());
  add(out, "UPLOAD_DELTA", 1, upload_fields<wire::UploadDelta>());
  wire::Download download;
  download.path = "reports/2026.csv";
  download.basis_bytes = 900'000;
  download.root = digest_of(0x80);
  download.max_depth = 3;
  download.level = 9;
  download.whole_file = true;
  add(out, "DOWNLOAD", 1, download);
  add(out, "LIST", 1, wire::List{"reports", true, "reports/a", 100});
  add(out, "STAT", 1, wire::Stat{{"a", "b/c"}});
  add(out, "DELETE", 1, wire::Delete{"old", true, Expected{Expected::Kind::kNone, {}}});
  add(out, "MOVE", 1, wire::Move{"a", "b", true});
  add(out, "VERIFY", 1, wire::Verify{"a"});
  add(out, "CHANGES", 1, wire::Changes{300, 50});
  add(out, "LIST_TRASH", 1, wire::ListTrash{"reports", "reports/a", 100});
  add(out, "RESTORE", 1, wire::Restore{"reports/2026.csv", 1'795'000'000'123'456'789, "elsewhere", true});
  wire::Basis basis;
  basis.version = example_version();
  basis.seed = 0x1122334455667788;
  basis.base_level = 1;
  basis.level = 2;
  basis.count = 60;
  basis.bulk_bytes = 270;
  add(out, "BASIS", 1, basis);
  add(out, "BASIS, none", 1, wire::Basis{});
  add(out, "BASIS, what an upload left", 1, wire::Basis{Version{{}, 25'000'000, {}}, 0xfedcba9876543210});
  add(out, "DESCEND", 1, wire::Descend{1, 8, false});
  add(out, "DESCEND, start", 1, wire::Descend{0, 0, true});
  add(out, "NODES", 1, wire::Nodes{1, 120, 700});
  add(out, "SIGN", 1, wire::Sign{2, 512, 1'000'000, 12});
  add(out, "SIGNATURES", 1, wire::Signatures{2, 512, 30, 400});
  add(out, "PATCH", 1, wire::Patch{false});
  add(out, "PATCH, repair", 1, wire::Patch{true});
  add(out, "MISMATCH", 1, wire::Mismatch{64});
  wire::Done done;
  done.version = example_version();
  done.unchanged = true;
  add(out, "DONE", 1, done);
  wire::EntryMessage entry;
  entry.path = "reports/2026.csv";
  entry.version = example_version();
  wire::EntryMessage missing;
  missing.path = "nowhere";
  missing.error = 3;
  missing.sentence = "There is no such file.";
  add(out, "ENTRIES", 1, wire::Entries{{entry, missing}, "reports/2026.csv"});
  wire::EntryMessage trashed = entry;
  trashed.version.token = {};
  trashed.trashed_ns = 1'795'000'000'123'456'789;
  add(out, "ENTRIES, of the trash", 1, wire::Entries{{trashed}, ""});
  Buffer data;
  append_frame_header(data, {static_cast<std::uint8_t>(FrameType::kData), kEndOfStream, 200, 3});
  append(data, as_bytes("abc"));
  out.emplace_back("DATA", data);
  return out;
}

std::string values() {
  std::ostringstream out;
  const auto hasher = make_sha256();
  const auto describe = [&](const std::string& name, const Buffer& data) {
    std::vector<std::uint32_t> lengths;
    cut_chunks(data, Tail::kEndOfFile, lengths);
    ChunkTreeBuilder builder;
    ByteView rest(data);
    Buffer all;
    for (const std::uint32_t length : lengths) {
      builder.add(length, hasher->hash(rest.first(length)), *hasher);
      rest = rest.subspan(length);
      append_le(all, length);
    }
    out << name << ": " << lengths.size() << " chunks, lengths " << to_hex(hasher->hash(all)) << ", root "
        << to_hex(builder.finish(*hasher).root) << "\n";
  };
  for (const std::size_t size : {0u, 1u, 4096u, 65'536u, 1u << 20, 5u << 20})
    describe("random " + std::to_string(size), test::random_bytes(size, 42));
  describe("zeros 1048576", Buffer(1u << 20, Byte{0}));
  for (const std::uint32_t block : {64u, 512u, 2048u}) {
    const RollingHash hash(7, block);
    out << "rolling hash, seed 7, " << block
        << " bytes, 61 bits: " << RollingHash::cut(hash.value(test::random_bytes(block, 42)), 61) << "\n";
  }
  return out.str();
}

}  // namespace

TEST_CASE("the examples of the protocol's specification are what the encoder gives") {
  const std::string path = kSource + "/docs/PROTOCOL.md";
  std::string document = read_file(path);
  const std::string begin = "```examples\n";
  const std::size_t from = document.find(begin);
  REQUIRE(from != std::string::npos);
  const std::size_t to = document.find("```", from + begin.size());
  REQUIRE(to != std::string::npos);
  std::string expected;
  for (const auto& [name, bytes] : all_examples()) expected += name + ": " + hex(bytes) + "\n";
  if (writing()) {
    document.replace(from + begin.size(), to - from - begin.size(), expected);
    std::ofstream(path, std::ios::binary) << document;
    return;
  }
  CHECK(document.substr(from + begin.size(), to - from - begin.size()) == expected);
}

TEST_CASE("chunk boundaries, roots and rolling hashes stay what they are") {
  const std::string path = kSource + "/tests/golden/values.txt";
  if (writing()) {
    std::ofstream(path, std::ios::binary) << values();
    return;
  }
  CHECK(read_file(path) == values());
}
