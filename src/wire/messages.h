// Messages: the payloads of all frames but DATA. A payload is a sequence of fields {key, length, value}: key is a
// varint (number << 1 | must understand), length a varint. Unknown fields without the must-understand bit are skipped,
// with it they are an error that names them. Absent fields have their default. Numbers are varints, signed ones
// zigzag-coded, digests and ids raw bytes.
//
// What is bulky (bit maps, digests, signatures, patches) is not in the message: it says `bulk_bytes`, and that many
// bytes of the stream's DATA belong to it. So it obeys flow control, and no message exceeds kMaxFramePayload.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/error.h"
#include "store/store.h"
#include "wire/frame.h"

namespace millrace::wire {

inline constexpr std::uint32_t kProtocolVersion = 1;
inline constexpr std::uint64_t kZstd = 1;  ///< bit of Hello::codecs
inline constexpr std::size_t kMaxRepeated =
    4096;  ///< times that one field may stand in a message: bounds what a frame decodes to

/// Both sides send it first. A client need not wait for the server's.
struct Hello {
  static constexpr FrameType kType = FrameType::kHello;
  static constexpr const char* kName = "HELLO";
  std::uint32_t min_version = kProtocolVersion;  // 1
  std::uint32_t max_version = kProtocolVersion;  // 2
  std::uint64_t features = 0;                    // 3: bit set, none defined yet
  std::uint32_t tree_id = 1;                     // 4: chunker, gear table, fan-out and hash
  std::uint64_t codecs = kZstd;                  // 5: bit set of what this side decodes; raw always is
  std::uint64_t max_segment = 16u << 20;         // 6: bytes of a segment, prefix included, that this side decodes
  std::uint64_t stream_window = 256u << 10;      // 7: initial credit of every stream towards this side
  std::uint64_t connection_window = 1u << 20;    // 8: and of the connection
  std::uint32_t max_streams = 1024;              // 9: streams open at once that this side accepts
  std::string agent;                             // 10: for logs
  bool operator==(const Hello&) const = default;
};

struct ErrorMessage {
  static constexpr FrameType kType = FrameType::kError;
  static constexpr const char* kName = "ERROR";
  std::uint32_t code = 1;               // 1: Code
  std::string name;                     // 2: its stable name
  std::string sentence;                 // 3
  std::optional<VersionToken> current;  // 4: with kConflict: what is there now
  bool operator==(const ErrorMessage&) const = default;
};

struct Window {
  static constexpr FrameType kType = FrameType::kWindow;
  static constexpr const char* kName = "WINDOW";
  std::uint64_t credit = 0;  // 1: bytes more; stream 0 is the connection
  bool operator==(const Window&) const = default;
};

struct Cancel {
  static constexpr FrameType kType = FrameType::kCancel;
  static constexpr const char* kName = "CANCEL";
  bool operator==(const Cancel&) const = default;
};

struct GoAway {
  static constexpr FrameType kType = FrameType::kGoAway;
  static constexpr const char* kName = "GOAWAY";
  std::uint64_t deadline_ms = 0;     // 1
  std::uint64_t retry_after_ms = 0;  // 2
  std::string reason;                // 3
  bool operator==(const GoAway&) const = default;
};

struct Ping {
  static constexpr FrameType kType = FrameType::kPing;
  static constexpr const char* kName = "PING";
  std::uint64_t token = 0;  // 1
  bool operator==(const Ping&) const = default;
};

struct Pong {
  static constexpr FrameType kType = FrameType::kPong;
  static constexpr const char* kName = "PONG";
  std::uint64_t token = 0;  // 1
  bool operator==(const Pong&) const = default;
};

/// The client, behind HELLO at most once and before its first request: who it is. Requests may follow in the same
/// flight.
struct Authenticate {
  static constexpr FrameType kType = FrameType::kAuthenticate;
  static constexpr const char* kName = "AUTHENTICATE";
  std::string token;  // 1: as the server's operator handed it out
  bool operator==(const Authenticate&) const = default;
};

/// The server's answer; a token that does not count gets ERROR on the connection instead.
struct Authenticated {
  static constexpr FrameType kType = FrameType::kAuthenticated;
  static constexpr const char* kName = "AUTHENTICATED";
  std::string account;          // 1
  std::uint64_t scope = 0;      // 2: bit set: 1 read, 2 write, 4 delete, 8 monitor
  std::string prefix;           // 3: the folder that the token is confined to, empty: all of the account
  std::uint64_t expires_s = 0;  // 4: since 1970, 0: never
  bool operator==(const Authenticated&) const = default;
};

/// The fields of UPLOAD (a patch against nothing follows at once as DATA) and UPLOAD_DELTA (BASIS is awaited).
struct UploadFields {
  std::string path;            // 1
  std::uint64_t bytes = 0;     // 2: size of the target; a hint where kSizeUnknown
  std::optional<Digest> root;  // 3: of the target, where known already
  Attributes attributes;       // 4 mtime_ns, 5 mode
  UploadId upload_id{};        // 6
  std::uint64_t attempt = 0;   // 7
  /// 8: absent: what BASIS (or, for UPLOAD, the moment of the request) finds there.
  std::optional<Expected> expected;  // 8: kind byte, root
  bool size_unknown = false;         // 9: a pipe: `bytes` says nothing
  bool check_content = false;        // 10: the holder hashes its basis again before it trusts its catalogue
  bool operator==(const UploadFields&) const = default;
};
struct Upload : UploadFields {
  static constexpr FrameType kType = FrameType::kUpload;
  static constexpr const char* kName = "UPLOAD";
  bool operator==(const Upload&) const = default;
};
struct UploadDelta : UploadFields {
  static constexpr FrameType kType = FrameType::kUploadDelta;
  static constexpr const char* kName = "UPLOAD_DELTA";
  bool operator==(const UploadDelta&) const = default;
};

struct Download {
  static constexpr FrameType kType = FrameType::kDownload;
  static constexpr const char* kName = "DOWNLOAD";
  std::string path;               // 1
  std::uint64_t basis_bytes = 0;  // 2: size of the searcher's basis; 0: it has none, a patch is sent at once
  std::optional<Digest> root;     // 3: of the searcher's basis, where known already
  std::uint64_t max_depth = 255;  // 4: rungs the searcher is willing to do
  std::uint64_t level = 3;        // 5: zstd level asked for; the server may use less
  bool whole_file = false;        // 6
  bool operator==(const Download&) const = default;
};

struct List {
  static constexpr FrameType kType = FrameType::kList;
  static constexpr const char* kName = "LIST";
  std::string path;            // 1
  bool recursive = false;      // 2
  std::string cursor;          // 3
  std::uint64_t limit = 1000;  // 4
  bool operator==(const List&) const = default;
};

struct Stat {
  static constexpr FrameType kType = FrameType::kStat;
  static constexpr const char* kName = "STAT";
  std::vector<std::string> paths;  // 1, repeated
  bool operator==(const Stat&) const = default;
};

struct Delete {
  static constexpr FrameType kType = FrameType::kDelete;
  static constexpr const char* kName = "DELETE";
  std::string path;                  // 1
  bool recursive = false;            // 2
  std::optional<Expected> expected;  // 3
  bool operator==(const Delete&) const = default;
};

struct Move {
  static constexpr FrameType kType = FrameType::kMove;
  static constexpr const char* kName = "MOVE";
  std::string from;    // 1
  std::string to;      // 2
  bool force = false;  // 3
  bool operator==(const Move&) const = default;
};

struct Verify {
  static constexpr FrameType kType = FrameType::kVerify;
  static constexpr const char* kName = "VERIFY";
  std::string path;  // 1
  bool operator==(const Verify&) const = default;
};

struct Changes {
  static constexpr FrameType kType = FrameType::kChanges;
  static constexpr const char* kName = "CHANGES";
  std::uint64_t since = 0;     // 1
  std::uint64_t limit = 1000;  // 2
  bool operator==(const Changes&) const = default;
};

/// What was replaced or deleted, at `path` or below it. Answered by ENTRIES with `trashed_ns`.
struct ListTrash {
  static constexpr FrameType kType = FrameType::kListTrash;
  static constexpr const char* kName = "LIST_TRASH";
  std::string path;            // 1
  std::string cursor;          // 2
  std::uint64_t limit = 1000;  // 3
  bool operator==(const ListTrash&) const = default;
};

/// Answered by DONE.
struct Restore {
  static constexpr FrameType kType = FrameType::kRestore;
  static constexpr const char* kName = "RESTORE";
  std::string path;             // 1
  std::int64_t trashed_ns = 0;  // 2: which version; 0: the last that went
  std::string to;               // 3: where to; empty: to `path`
  bool force = false;           // 4: replace what is there
  bool operator==(const Restore&) const = default;
};

/// The holder's answer to UPLOAD_DELTA and DOWNLOAD: which version it holds, and, where `bulk_bytes` is not 0, its
/// first tree nodes.
struct Basis {
  static constexpr FrameType kType = FrameType::kBasis;
  static constexpr const char* kName = "BASIS";
  std::optional<Version> version;  // 1 token, 2 bytes, 3 mtime_ns, 4 mode; absent: none
  std::uint64_t seed = 0;          // 5: of the rolling hash
  std::uint64_t base_level = 0;    // 6: lowest level that the holder keeps
  std::uint64_t level = 0;         // 7: of the nodes in the bulk
  std::uint64_t count = 0;         // 8: nodes of that level
  std::uint64_t bulk_bytes = 0;    // 9
  bool operator==(const Basis&) const = default;
};

/// The searcher: a bit for each distinct node of the level that it was sent (1: lacking); asks for the lacking ones'
/// children. An empty one asks for the first nodes.
struct Descend {
  static constexpr FrameType kType = FrameType::kDescend;
  static constexpr const char* kName = "DESCEND";
  std::uint64_t level = 0;       // 1: of the nodes that are asked for
  std::uint64_t bulk_bytes = 0;  // 2
  bool start = false;            // 3: no bits: the first nodes, please
  bool operator==(const Descend&) const = default;
};

struct Nodes {
  static constexpr FrameType kType = FrameType::kNodes;
  static constexpr const char* kName = "NODES";
  std::uint64_t level = 0;       // 1
  std::uint64_t count = 0;       // 2
  std::uint64_t bulk_bytes = 0;  // 3
  bool operator==(const Nodes&) const = default;
};

/// The searcher: what it found of the last answer, and which rung it wants next.
struct Sign {
  static constexpr FrameType kType = FrameType::kSign;
  static constexpr const char* kName = "SIGN";
  std::uint64_t rung = 0;         // 1: 1, 2, ...; 0: no more, send the patch (downloads only)
  std::uint64_t block_bytes = 0;  // 2: 0: the holder chooses
  std::uint64_t pair_bytes = 0;   // 3: what the width of the hash follows from; see docs/PROTOCOL.md
  std::uint64_t bulk_bytes = 0;   // 4
  bool operator==(const Sign&) const = default;
};

struct Signatures {
  static constexpr FrameType kType = FrameType::kSignatures;
  static constexpr const char* kName = "SIGNATURES";
  std::uint64_t rung = 0;         // 1
  std::uint64_t block_bytes = 0;  // 2
  std::uint64_t width = 0;        // 3: bits of one hash
  std::uint64_t bulk_bytes = 0;   // 4
  bool operator==(const Signatures&) const = default;
};

/// The patch follows as DATA and ends itself. In answer to MISMATCH it holds the differing chunks only.
struct Patch {
  static constexpr FrameType kType = FrameType::kPatch;
  static constexpr const char* kName = "PATCH";
  bool repair = false;  // 1
  bool operator==(const Patch&) const = default;
};

/// The receiver: the root is wrong. The first 8 bytes of the digest of each chunk that it built (not kept, not zeros)
/// follow as bulk, and a repair is awaited. Without bulk: begin again, a patch against nothing is awaited.
struct Mismatch {
  static constexpr FrameType kType = FrameType::kMismatch;
  static constexpr const char* kName = "MISMATCH";
  std::uint64_t bulk_bytes = 0;  // 1
  bool operator==(const Mismatch&) const = default;
};

/// The request is done.
struct Done {
  static constexpr FrameType kType = FrameType::kDone;
  static constexpr const char* kName = "DONE";
  std::optional<Version> version;  // 1 token, 2 bytes, 3 mtime_ns, 4 mode
  bool unchanged = false;          // 5: nothing had to be written
  bool operator==(const Done&) const = default;
};

/// Answers STAT (one for each path found, in order), LIST, LIST_TRASH and CHANGES.
struct EntryMessage {
  static constexpr const char* kName = "an entry of ENTRIES";
  std::string path;             // 1
  std::uint32_t kind = 0;       // 2: EntryKind; 255: a tombstone
  Version version;              // 3 token, 4 bytes, 5 mtime_ns, 6 mode
  std::uint32_t error = 0;      // 7: Code, in answers to STAT: why there is nothing else
  std::string sentence;         // 8
  std::int64_t trashed_ns = 0;  // 9: when it was replaced or deleted, in answers to LIST_TRASH
  bool operator==(const EntryMessage&) const = default;
};
struct Entries {
  static constexpr FrameType kType = FrameType::kEntries;
  static constexpr const char* kName = "ENTRIES";
  std::vector<EntryMessage> entries;  // 1, repeated: nested fields
  std::string next_cursor;            // 2: go on from here; empty: this was the end
  bool operator==(const Entries&) const = default;
};

/// The payload of a message. Every message type above that has a kType has these two.
/// decode's errors: kProtocol (cut short, unknown must-understand field, wrong length), kTooLarge.
template <typename Message>
Buffer encode(const Message& message);
template <typename Message>
Result<Message> decode(ByteView payload);

}  // namespace millrace::wire
