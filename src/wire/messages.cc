#include "wire/messages.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#include "wire/fields.h"

namespace millrace::wire {

namespace {

// Each message is described once, by a function that names its fields to a visitor; one visitor writes, the other
// reads.

constexpr std::size_t kMaxText = 64 * 1024;

Buffer coded(const Digest& digest) {
  return Buffer(digest.bytes.begin(), digest.bytes.end());
}

Buffer coded(const VersionToken& token) {
  Buffer out;
  append_le(out, token.epoch);
  append(out, token.root.bytes);
  append_varint(out, token.sequence);
  return out;
}

Buffer coded(const Expected& expected) {
  Buffer out{static_cast<Byte>(expected.kind)};
  if (expected.kind == Expected::Kind::kRoot) append(out, expected.root.bytes);
  return out;
}

Buffer coded(const UploadId& id) {
  return Buffer(id.begin(), id.end());
}

Status decode_value(ByteView value, Digest& into) {
  if (value.size() != into.bytes.size()) return fail(Code::kProtocol, "A digest has the wrong length.");
  std::copy(value.begin(), value.end(), into.bytes.begin());
  return {};
}

Status decode_value(ByteView value, VersionToken& into) {
  Reader reader(value);
  MILLRACE_ASSIGN(const ByteView epoch, reader.take(8));
  into.epoch = load_le<std::uint64_t>(epoch.data());
  MILLRACE_ASSIGN(const ByteView root, reader.take(32));
  MILLRACE_TRY(decode_value(root, into.root));
  MILLRACE_ASSIGN(into.sequence, reader.varint());
  if (!reader.done()) return fail(Code::kProtocol, "A version token has bytes left over.");
  return {};
}

Status decode_value(ByteView value, Expected& into) {
  Reader reader(value);
  MILLRACE_ASSIGN(const ByteView kind, reader.take(1));
  if (kind[0] > 2) return fail(Code::kProtocol, "An expectation is of an unknown kind.");
  into.kind = static_cast<Expected::Kind>(kind[0]);
  const std::size_t root_bytes = into.kind == Expected::Kind::kRoot ? into.root.bytes.size() : 0;
  if (reader.remaining() != root_bytes) return fail(Code::kProtocol, "An expectation has the wrong length.");
  if (root_bytes == 0) return {};
  MILLRACE_ASSIGN(const ByteView root, reader.take(root_bytes));
  return decode_value(root, into.root);
}

Status decode_value(ByteView value, UploadId& into) {
  if (value.size() != into.size()) return fail(Code::kProtocol, "An upload id has the wrong length.");
  std::copy(value.begin(), value.end(), into.begin());
  return {};
}

class Write {
 public:
  template <typename Integer>
  void number(std::uint32_t id, const Integer& value, Integer standard = 0) {
    writer_.number(id, static_cast<std::uint64_t>(value), static_cast<std::uint64_t>(standard));
  }
  void flag(std::uint32_t id, const bool& value) { writer_.number(id, value ? 1 : 0); }
  void signed_number(std::uint32_t id, const std::int64_t& value) { writer_.number(id, zigzag(value)); }
  void text(std::uint32_t id, const std::string& value) { writer_.text(id, value); }
  void texts(std::uint32_t id, const std::vector<std::string>& values) {
    for (const std::string& value : values) writer_.bytes(id, as_bytes(value));
  }
  template <typename Value>
  void value(std::uint32_t id, const Value& value) {
    writer_.bytes(id, coded(value));
  }
  template <typename Value>
  void optional(std::uint32_t id, const std::optional<Value>& value) {
    if (value) writer_.bytes(id, coded(*value));
  }
  void version(std::uint32_t id, const std::optional<Version>& version) {
    if (!version) return;
    writer_.bytes(id, coded(version->token));
    writer_.number(id + 1, version->bytes);
    writer_.number(id + 2, zigzag(version->attributes.mtime_ns));
    writer_.number(id + 3, version->attributes.mode, Attributes{}.mode);
  }
  template <typename Message>
  void nested(std::uint32_t id, const std::vector<Message>& messages);
  Buffer take() { return writer_.take(); }

 private:
  FieldWriter writer_;
};

/// Reads one field at a time: of all that a description names, the one with the field's number takes its value.
class Read {
 public:
  explicit Read(const Field& field) : field_(field) {}

  template <typename Integer>
  void number(std::uint32_t id, Integer& value, Integer = 0) {
    if (!mine(id)) return;
    const auto read = field_.as_number(std::numeric_limits<Integer>::max());
    if (read) {
      value = static_cast<Integer>(*read);
    } else {
      status_ = fail(read.error());
    }
  }
  void flag(std::uint32_t id, bool& value) {
    std::uint8_t number = 0;
    if (!mine(id)) return;
    this->number(id, number);
    value = number != 0;
  }
  void signed_number(std::uint32_t id, std::int64_t& value) {
    std::uint64_t raw = 0;
    if (!mine(id)) return;
    number(id, raw);
    value = unzigzag(raw);
  }
  void text(std::uint32_t id, std::string& value) {
    if (!mine(id)) return;
    auto read = field_.as_string(kMaxText);
    if (read) {
      value = std::move(*read);
    } else {
      status_ = fail(read.error());
    }
  }
  void texts(std::uint32_t id, std::vector<std::string>& values) {
    if (!mine(id) || full(values.size())) return;
    values.emplace_back();
    text(id, values.back());
  }
  template <typename Value>
  void value(std::uint32_t id, Value& value) {
    if (mine(id)) status_ = decode_value(field_.value, value);
  }
  template <typename Value>
  void optional(std::uint32_t id, std::optional<Value>& value) {
    if (!mine(id)) return;
    value.emplace();
    status_ = decode_value(field_.value, *value);
  }
  void version(std::uint32_t id, std::optional<Version>& version) {
    if (field_.number < id || field_.number > id + 3) return;
    if (!version) version.emplace();
    value(id, version->token);
    number(id + 1, version->bytes);
    signed_number(id + 2, version->attributes.mtime_ns);
    number(id + 3, version->attributes.mode);
  }
  template <typename Message>
  void nested(std::uint32_t id, std::vector<Message>& messages);

  bool known() const { return known_; }
  Status status() const { return status_; }

 private:
  bool full(std::size_t count) {
    if (count < kMaxRepeated) return false;
    status_ = fail(Code::kTooLarge, "A field is repeated more than " + std::to_string(kMaxRepeated) + " times.");
    return true;
  }
  bool mine(std::uint32_t id) {
    known_ = known_ || field_.number == id;
    return field_.number == id;
  }
  const Field& field_;
  bool known_ = false;
  Status status_;
};

template <typename M, typename V>
requires std::is_same_v<std::remove_const_t<M>, Hello>
void describe(M& m, V& v) {
  v.number(1, m.min_version, Hello{}.min_version);
  v.number(2, m.max_version, Hello{}.max_version);
  v.number(3, m.features);
  v.number(4, m.tree_id, Hello{}.tree_id);
  v.number(5, m.codecs, Hello{}.codecs);
  v.number(6, m.max_segment, Hello{}.max_segment);
  v.number(7, m.stream_window, Hello{}.stream_window);
  v.number(8, m.connection_window, Hello{}.connection_window);
  v.number(9, m.max_streams, Hello{}.max_streams);
  v.text(10, m.agent);
}

template <typename M, typename V>
requires std::is_same_v<std::remove_const_t<M>, ErrorMessage>
void describe(M& m, V& v) {
  v.number(1, m.code, ErrorMessage{}.code);
  v.text(2, m.name);
  v.text(3, m.sentence);
  v.optional(4, m.current);
}

template <typename M, typename V>
requires std::is_same_v<std::remove_const_t<M>, Window>
void describe(M& m, V& v) {
  v.number(1, m.credit);
}

template <typename M, typename V>
requires std::is_same_v<std::remove_const_t<M>, Cancel>
void describe(M&, V&) {}

template <typename M, typename V>
requires std::is_same_v<std::remove_const_t<M>, GoAway>
void describe(M& m, V& v) {
  v.number(1, m.deadline_ms);
  v.number(2, m.retry_after_ms);
  v.text(3, m.reason);
}

template <typename M, typename V>
requires std::is_same_v<std::remove_const_t<M>, Ping>
void describe(M& m, V& v) {
  v.number(1, m.token);
}

template <typename M, typename V>
requires std::is_same_v<std::remove_const_t<M>, Pong>
void describe(M& m, V& v) {
  v.number(1, m.token);
}

template <typename M, typename V>
requires std::is_same_v<std::remove_const_t<M>, Authenticate>
void describe(M& m, V& v) {
  v.text(1, m.token);
}

template <typename M, typename V>
requires std::is_same_v<std::remove_const_t<M>, Authenticated>
void describe(M& m, V& v) {
  v.text(1, m.account);
  v.number(2, m.scope);
  v.text(3, m.prefix);
  v.number(4, m.expires_s);
}

template <typename M, typename V>
requires std::is_base_of_v<UploadFields, std::remove_const_t<M>>
void describe(M& m, V& v) {
  v.text(1, m.path);
  v.number(2, m.bytes);
  v.optional(3, m.root);
  v.signed_number(4, m.attributes.mtime_ns);
  v.number(5, m.attributes.mode, Attributes{}.mode);
  v.value(6, m.upload_id);
  v.number(7, m.attempt);
  v.optional(8, m.expected);
  v.flag(9, m.size_unknown);
  v.flag(10, m.check_content);
}

template <typename M, typename V>
requires std::is_same_v<std::remove_const_t<M>, Download>
void describe(M& m, V& v) {
  v.text(1, m.path);
  v.number(2, m.basis_bytes);
  v.optional(3, m.root);
  v.number(4, m.max_depth, Download{}.max_depth);
  v.number(5, m.level, Download{}.level);
  v.flag(6, m.whole_file);
}

template <typename M, typename V>
requires std::is_same_v<std::remove_const_t<M>, List>
void describe(M& m, V& v) {
  v.text(1, m.path);
  v.flag(2, m.recursive);
  v.text(3, m.cursor);
  v.number(4, m.limit, List{}.limit);
}

template <typename M, typename V>
requires std::is_same_v<std::remove_const_t<M>, Stat>
void describe(M& m, V& v) {
  v.texts(1, m.paths);
}

template <typename M, typename V>
requires std::is_same_v<std::remove_const_t<M>, Delete>
void describe(M& m, V& v) {
  v.text(1, m.path);
  v.flag(2, m.recursive);
  v.optional(3, m.expected);
}

template <typename M, typename V>
requires std::is_same_v<std::remove_const_t<M>, Move>
void describe(M& m, V& v) {
  v.text(1, m.from);
  v.text(2, m.to);
  v.flag(3, m.force);
}

template <typename M, typename V>
requires std::is_same_v<std::remove_const_t<M>, Verify>
void describe(M& m, V& v) {
  v.text(1, m.path);
}

template <typename M, typename V>
requires std::is_same_v<std::remove_const_t<M>, Changes>
void describe(M& m, V& v) {
  v.number(1, m.since);
  v.number(2, m.limit, Changes{}.limit);
}

template <typename M, typename V>
requires std::is_same_v<std::remove_const_t<M>, ListTrash>
void describe(M& m, V& v) {
  v.text(1, m.path);
  v.text(2, m.cursor);
  v.number(3, m.limit, ListTrash{}.limit);
}

template <typename M, typename V>
requires std::is_same_v<std::remove_const_t<M>, Restore>
void describe(M& m, V& v) {
  v.text(1, m.path);
  v.signed_number(2, m.trashed_ns);
  v.text(3, m.to);
  v.flag(4, m.force);
}

template <typename M, typename V>
requires std::is_same_v<std::remove_const_t<M>, Basis>
void describe(M& m, V& v) {
  v.version(1, m.version);
  v.number(5, m.seed);
  v.number(6, m.base_level);
  v.number(7, m.level);
  v.number(8, m.count);
  v.number(9, m.bulk_bytes);
}

template <typename M, typename V>
requires std::is_same_v<std::remove_const_t<M>, Descend>
void describe(M& m, V& v) {
  v.number(1, m.level);
  v.number(2, m.bulk_bytes);
  v.flag(3, m.start);
}

template <typename M, typename V>
requires std::is_same_v<std::remove_const_t<M>, Nodes>
void describe(M& m, V& v) {
  v.number(1, m.level);
  v.number(2, m.count);
  v.number(3, m.bulk_bytes);
}

template <typename M, typename V>
requires std::is_same_v<std::remove_const_t<M>, Sign>
void describe(M& m, V& v) {
  v.number(1, m.rung);
  v.number(2, m.block_bytes);
  v.number(3, m.pair_bytes);
  v.number(4, m.bulk_bytes);
}

template <typename M, typename V>
requires std::is_same_v<std::remove_const_t<M>, Signatures>
void describe(M& m, V& v) {
  v.number(1, m.rung);
  v.number(2, m.block_bytes);
  v.number(3, m.width);
  v.number(4, m.bulk_bytes);
}

template <typename M, typename V>
requires std::is_same_v<std::remove_const_t<M>, Patch>
void describe(M& m, V& v) {
  v.flag(1, m.repair);
}

template <typename M, typename V>
requires std::is_same_v<std::remove_const_t<M>, Mismatch>
void describe(M& m, V& v) {
  v.number(1, m.bulk_bytes);
}

template <typename M, typename V>
requires std::is_same_v<std::remove_const_t<M>, Done>
void describe(M& m, V& v) {
  v.version(1, m.version);
  v.flag(5, m.unchanged);
}

template <typename M, typename V>
requires std::is_same_v<std::remove_const_t<M>, EntryMessage>
void describe(M& m, V& v) {
  v.text(1, m.path);
  v.number(2, m.kind);
  v.value(3, m.version.token);
  v.number(4, m.version.bytes);
  v.signed_number(5, m.version.attributes.mtime_ns);
  v.number(6, m.version.attributes.mode, Attributes{}.mode);
  v.number(7, m.error);
  v.text(8, m.sentence);
  v.signed_number(9, m.trashed_ns);
}

template <typename M, typename V>
requires std::is_same_v<std::remove_const_t<M>, Entries>
void describe(M& m, V& v) {
  v.nested(1, m.entries);
  v.text(2, m.next_cursor);
}

template <typename Message>
Buffer encode_fields(const Message& message) {
  Write write;
  describe(message, write);
  return write.take();
}

template <typename Message>
Result<Message> decode_fields(ByteView payload, const char* name) {
  Message message;
  // A flag or number that has its standard value is not sent, so decoding starts from the same standard.
  MILLRACE_TRY(read_fields(payload, name, [&](const Field& field) -> Result<bool> {
    Read read(field);
    describe(message, read);
    MILLRACE_TRY(read.status());
    return read.known();
  }));
  return message;
}

template <typename Message>
void Write::nested(std::uint32_t id, const std::vector<Message>& messages) {
  for (const Message& message : messages) writer_.bytes(id, encode_fields(message));
}

template <typename Message>
void Read::nested(std::uint32_t id, std::vector<Message>& messages) {
  if (!mine(id) || full(messages.size())) return;
  auto message = decode_fields<Message>(field_.value, "a nested message");
  if (message) {
    messages.push_back(std::move(*message));
  } else {
    status_ = fail(message.error());
  }
}

}  // namespace

template <typename Message>
Buffer encode(const Message& message) {
  return encode_fields(message);
}

template Buffer encode(const Hello&);
template Buffer encode(const ErrorMessage&);
template Buffer encode(const Window&);
template Buffer encode(const Cancel&);
template Buffer encode(const GoAway&);
template Buffer encode(const Ping&);
template Buffer encode(const Pong&);
template Buffer encode(const Authenticate&);
template Buffer encode(const Authenticated&);
template Buffer encode(const Download&);
template Buffer encode(const List&);
template Buffer encode(const Stat&);
template Buffer encode(const Delete&);
template Buffer encode(const Move&);
template Buffer encode(const Verify&);
template Buffer encode(const Changes&);
template Buffer encode(const ListTrash&);
template Buffer encode(const Restore&);
template Buffer encode(const Basis&);
template Buffer encode(const Descend&);
template Buffer encode(const Nodes&);
template Buffer encode(const Sign&);
template Buffer encode(const Signatures&);
template Buffer encode(const Patch&);
template Buffer encode(const Mismatch&);
template Buffer encode(const Done&);
template Buffer encode(const Entries&);
template Buffer encode(const Upload&);
template Buffer encode(const UploadDelta&);

template <>
Result<Hello> decode<Hello>(ByteView payload) {
  return decode_fields<Hello>(payload, "HELLO");
}
template <>
Result<ErrorMessage> decode<ErrorMessage>(ByteView payload) {
  return decode_fields<ErrorMessage>(payload, "ERROR");
}
template <>
Result<Window> decode<Window>(ByteView payload) {
  return decode_fields<Window>(payload, "WINDOW");
}
template <>
Result<Cancel> decode<Cancel>(ByteView payload) {
  return decode_fields<Cancel>(payload, "CANCEL");
}
template <>
Result<GoAway> decode<GoAway>(ByteView payload) {
  return decode_fields<GoAway>(payload, "GOAWAY");
}
template <>
Result<Ping> decode<Ping>(ByteView payload) {
  return decode_fields<Ping>(payload, "PING");
}
template <>
Result<Pong> decode<Pong>(ByteView payload) {
  return decode_fields<Pong>(payload, "PONG");
}
template <>
Result<Authenticate> decode<Authenticate>(ByteView payload) {
  return decode_fields<Authenticate>(payload, "AUTHENTICATE");
}
template <>
Result<Authenticated> decode<Authenticated>(ByteView payload) {
  return decode_fields<Authenticated>(payload, "AUTHENTICATED");
}
template <>
Result<Download> decode<Download>(ByteView payload) {
  return decode_fields<Download>(payload, "DOWNLOAD");
}
template <>
Result<List> decode<List>(ByteView payload) {
  return decode_fields<List>(payload, "LIST");
}
template <>
Result<Stat> decode<Stat>(ByteView payload) {
  return decode_fields<Stat>(payload, "STAT");
}
template <>
Result<Delete> decode<Delete>(ByteView payload) {
  return decode_fields<Delete>(payload, "DELETE");
}
template <>
Result<Move> decode<Move>(ByteView payload) {
  return decode_fields<Move>(payload, "MOVE");
}
template <>
Result<Verify> decode<Verify>(ByteView payload) {
  return decode_fields<Verify>(payload, "VERIFY");
}
template <>
Result<Changes> decode<Changes>(ByteView payload) {
  return decode_fields<Changes>(payload, "CHANGES");
}
template <>
Result<ListTrash> decode<ListTrash>(ByteView payload) {
  return decode_fields<ListTrash>(payload, "LIST_TRASH");
}
template <>
Result<Restore> decode<Restore>(ByteView payload) {
  return decode_fields<Restore>(payload, "RESTORE");
}
template <>
Result<Basis> decode<Basis>(ByteView payload) {
  return decode_fields<Basis>(payload, "BASIS");
}
template <>
Result<Descend> decode<Descend>(ByteView payload) {
  return decode_fields<Descend>(payload, "DESCEND");
}
template <>
Result<Nodes> decode<Nodes>(ByteView payload) {
  return decode_fields<Nodes>(payload, "NODES");
}
template <>
Result<Sign> decode<Sign>(ByteView payload) {
  return decode_fields<Sign>(payload, "SIGN");
}
template <>
Result<Signatures> decode<Signatures>(ByteView payload) {
  return decode_fields<Signatures>(payload, "SIGNATURES");
}
template <>
Result<Patch> decode<Patch>(ByteView payload) {
  return decode_fields<Patch>(payload, "PATCH");
}
template <>
Result<Mismatch> decode<Mismatch>(ByteView payload) {
  return decode_fields<Mismatch>(payload, "MISMATCH");
}
template <>
Result<Done> decode<Done>(ByteView payload) {
  return decode_fields<Done>(payload, "DONE");
}
template <>
Result<Entries> decode<Entries>(ByteView payload) {
  return decode_fields<Entries>(payload, "ENTRIES");
}
template <>
Result<Upload> decode<Upload>(ByteView payload) {
  return decode_fields<Upload>(payload, "UPLOAD");
}
template <>
Result<UploadDelta> decode<UploadDelta>(ByteView payload) {
  return decode_fields<UploadDelta>(payload, "UPLOAD_DELTA");
}

}  // namespace millrace::wire
