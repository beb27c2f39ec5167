// One message of each type with every field set, and one with none: what the round-trip tests and the golden fixtures
// share.
#pragma once

#include <string>

#include "wire/messages.h"

namespace millrace::test {

inline Digest sample_digest(Byte first) {
  Digest digest;
  for (std::size_t i = 0; i < digest.bytes.size(); ++i) digest.bytes[i] = static_cast<Byte>(first + i);
  return digest;
}

inline Version sample_version() {
  Version version;
  version.token = {0x1122334455667788, 42, sample_digest(0x40)};
  version.bytes = 1'000'000;
  version.attributes = {1'700'000'000'123'456'789, 0755};
  return version;
}

inline wire::UploadFields sample_upload() {
  wire::UploadFields fields;
  fields.path = "folder/file.bin";
  fields.bytes = 70'000;
  fields.root = sample_digest(0x80);
  fields.attributes = {-1, 0600};
  for (std::size_t i = 0; i < fields.upload_id.size(); ++i) fields.upload_id[i] = static_cast<Byte>(0xa0 + i);
  fields.attempt = 2;
  fields.expected = Expected{Expected::Kind::kRoot, sample_digest(0x20)};
  fields.size_unknown = true;
  fields.check_content = true;
  return fields;
}

/// Calls visit(name, stream, flags, full, defaults) for each type. Stream and flags are those that the multiplexer
/// gives it.
template <typename Visit>
void each_message(Visit visit) {
  using namespace wire;
  constexpr std::uint32_t kStream = 5;
  const auto on_connection = [&](const char* name, const auto& full, std::uint8_t flags = 0) {
    visit(name, 0u, flags, full, std::remove_cvref_t<decltype(full)>{});
  };
  const auto on_stream = [&](const char* name, const auto& full, std::uint8_t flags = kMustUnderstand) {
    visit(name, kStream, flags, full, std::remove_cvref_t<decltype(full)>{});
  };

  Hello hello;
  hello.min_version = 2;
  hello.max_version = 3;
  hello.features = 5;
  hello.tree_id = 9;
  hello.codecs = 3;
  hello.max_segment = 4u << 20;
  hello.stream_window = 1u << 20;
  hello.connection_window = 4u << 20;
  hello.max_streams = 64;
  hello.agent = "example/1.0";
  on_connection("HELLO", hello, kMustUnderstand);
  on_stream("ERROR", ErrorMessage{4, "E_CONFLICT", "Someone else was first.", sample_version().token}, kEndOfStream);
  on_stream("WINDOW", Window{65'536}, 0);
  on_stream("CANCEL", Cancel{}, 0);
  on_connection("GOAWAY", GoAway{30'000, 5'000, "restart"});
  on_connection("PING", Ping{300});
  on_connection("PONG", Pong{300});
  on_connection("AUTHENTICATE", Authenticate{"mr1_7_c2VjcmV0"}, kMustUnderstand);
  on_connection("AUTHENTICATED", Authenticated{"alice", 7, "reports", 1'800'000'000});

  Upload upload;
  static_cast<UploadFields&>(upload) = sample_upload();
  on_stream("UPLOAD", upload);
  UploadDelta upload_delta;
  static_cast<UploadFields&>(upload_delta) = sample_upload();
  on_stream("UPLOAD_DELTA", upload_delta);
  on_stream("DOWNLOAD", Download{"folder/file.bin", 70'000, sample_digest(0x80), 2, 9, true});
  on_stream("LIST", List{"folder", true, "folder/a", 500});
  on_stream("STAT", Stat{{"a", "folder/b\nc", ""}});
  on_stream("DELETE", Delete{"folder", true, Expected{Expected::Kind::kAny, {}}});
  on_stream("MOVE", Move{"from", "to", true});
  on_stream("VERIFY", Verify{"folder/file.bin"});
  on_stream("CHANGES", Changes{41, 100});

  on_stream("LIST_TRASH", ListTrash{"folder", "folder/a", 500});
  on_stream("RESTORE", Restore{"folder/file.bin", 1'795'000'000'123'456'789, "elsewhere", true});

  on_stream("BASIS", Basis{sample_version(), 0xfedcba9876543210, 1, 2, 16, 104});
  on_stream("DESCEND", Descend{1, 2, true});
  on_stream("NODES", Nodes{1, 37, 290});
  on_stream("SIGN", Sign{1, 1024, 70'000, 9});
  on_stream("SIGNATURES", Signatures{1, 1024, 31, 266});
  on_stream("PATCH", Patch{true});
  on_stream("MISMATCH", Mismatch{24});
  on_stream("DONE", Done{sample_version(), true}, kMustUnderstand | kEndOfStream);

  EntryMessage file;
  file.path = "folder/file.bin";
  file.version = sample_version();
  file.trashed_ns = 1'795'000'000'123'456'789;
  EntryMessage missing;
  missing.path = "missing";
  missing.kind = 255;
  missing.error = 3;
  missing.sentence = "There is no such file.";
  on_stream("ENTRIES", Entries{{file, missing}, "missing"}, kMustUnderstand | kEndOfStream);
}

}  // namespace millrace::test
