// The module that the file pages load: the engine and the client, compiled as one file, and the calls that the worker
// makes. One connection at a time; src/web/files/upload/engine.ts is the other side. The layers stand in their order.
#include "base/cpu.cc"
#include "base/digest.cc"
#include "base/error.cc"
#include "base/memory_budget.cc"
#include "base/path.cc"
#include "base/varint.cc"

#include "delta/chunk_tree.cc"
#include "delta/chunker.cc"
#include "delta/gear.cc"
#include "delta/gear_avx2.cc"
#include "delta/hashed_chunks.cc"
#include "delta/ladder_searcher.cc"
#include "delta/literal_sample.cc"
#include "delta/part_encoder.cc"
#include "delta/patch.cc"
#include "delta/patch_writer.cc"
#include "delta/rolling_hash.cc"
#include "delta/tree_exchange.cc"

#include "wire/frame.cc"
#include "wire/messages.cc"

#include "sync/ladder_client.cc"
#include "sync/mux.cc"
#include "sync/mux_impl.cc"
#include "sync/mux_stream.cc"
#include "sync/patch_sender.cc"
#include "sync/prepared_target.cc"
#include "sync/target_scan.cc"
#include "sync/upload_client.cc"

#include "codec/portable_sha256.cc"

#include "web/engine/page_client.cc"
#include "web/engine/page_tools.cc"

static_assert(sizeof(std::size_t) == 4, "what does not fit into it must be kept in 64 bits by name");

#define MILLRACE_EXPORT(name) __attribute__((export_name(name)))

using millrace::Byte;
using millrace::ByteView;

static std::unique_ptr<millrace::PageClient> client;
static millrace::Buffer input;
static ByteView output;

extern "C" {

/// A new connection; what was open on the one before must have been closed.
MILLRACE_EXPORT("open") void module_open() {
  client = std::make_unique<millrace::PageClient>();
}

/// The connection is gone: all uploads end within.
MILLRACE_EXPORT("close") void module_close() {
  const auto last = std::move(client);
}

/// Where the worker puts what input() or upload() is about.
MILLRACE_EXPORT("room") Byte* module_room(std::uint32_t bytes) {
  input.resize(bytes);
  return input.data();
}

/// What lies in the room came from the server. 0: the connection is broken.
MILLRACE_EXPORT("input") int module_input() {
  return client && client->on_bytes(input) ? 1 : 0;
}

/// How many bytes are to be sent now; they lie at output_at() until the next call.
MILLRACE_EXPORT("output") std::uint32_t module_output() {
  output = client ? client->next_output() : ByteView();
  return static_cast<std::uint32_t>(output.size());
}

MILLRACE_EXPORT("output_at") const Byte* module_output_at() {
  return output.data();
}

/// The path lies in the room.
MILLRACE_EXPORT("upload") void module_upload(std::uint32_t id, double bytes, double mtime_ms, int replace) {
  using millrace::Expected;
  const Expected expected{replace != 0 ? Expected::Kind::kAny : Expected::Kind::kNone, {}};
  client->upload({id, std::string(millrace::as_text(input)), static_cast<std::uint64_t>(bytes),
                  static_cast<std::int64_t>(mtime_ms), expected});
}

MILLRACE_EXPORT("cancel") void module_cancel(std::uint32_t id) {
  if (client) client->cancel(id);
}

MILLRACE_EXPORT("pause") void module_pause(std::uint32_t id) {
  if (client) client->pause(id);
}

/// Does one job; 0: there was none.
MILLRACE_EXPORT("turn") int module_turn() {
  return client && client->turn() ? 1 : 0;
}

MILLRACE_EXPORT("link") void module_link(double rtt_seconds, double bytes_per_second) {
  if (client) client->set_link({rtt_seconds, bytes_per_second});
}

/// For measuring: the time is the page's. Hashes `rounds` times 1 MiB, as chunks of a file are.
MILLRACE_EXPORT("measure_hashing") void module_measure_hashing(std::uint32_t rounds) {
  static const millrace::Buffer content(1u << 20, Byte{7});
  const std::vector<ByteView> pieces(64, ByteView(content).first(content.size() / 64));
  std::vector<millrace::Digest> digests(pieces.size());
  const auto hasher = millrace::make_portable_sha256();
  for (; rounds > 0; --rounds) hasher->hash_all(pieces, digests);
}

}  // extern "C"
