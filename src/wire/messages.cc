#include "wire/messages.h"

#include <type_traits>

#include "wire/field_visitors.h"

namespace millrace::wire {

namespace {

// Each message is described once, by a function that names its fields to a visitor; one visitor writes, the other
// reads.

template <typename M, typename Message>
concept Is = std::is_same_v<std::remove_const_t<M>, Message>;

template <Is<Hello> M, typename V>
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

template <Is<ErrorMessage> M, typename V>
void describe(M& m, V& v) {
  v.number(1, m.code, ErrorMessage{}.code);
  v.text(2, m.name);
  v.text(3, m.sentence);
  v.optional(4, m.current);
}

template <Is<Window> M, typename V>
void describe(M& m, V& v) {
  v.number(1, m.credit);
}

template <Is<Cancel> M, typename V>
void describe(M&, V&) {}

template <Is<GoAway> M, typename V>
void describe(M& m, V& v) {
  v.number(1, m.deadline_ms);
  v.number(2, m.retry_after_ms);
  v.text(3, m.reason);
}

template <Is<Ping> M, typename V>
void describe(M& m, V& v) {
  v.number(1, m.token);
}

template <Is<Pong> M, typename V>
void describe(M& m, V& v) {
  v.number(1, m.token);
}

template <Is<Authenticate> M, typename V>
void describe(M& m, V& v) {
  v.text(1, m.token);
}

template <Is<Authenticated> M, typename V>
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

template <Is<Download> M, typename V>
void describe(M& m, V& v) {
  v.text(1, m.path);
  v.number(2, m.basis_bytes);
  v.optional(3, m.root);
  v.number(4, m.max_depth, Download{}.max_depth);
  v.number(5, m.level, Download{}.level);
  v.flag(6, m.whole_file);
}

template <Is<List> M, typename V>
void describe(M& m, V& v) {
  v.text(1, m.path);
  v.flag(2, m.recursive);
  v.text(3, m.cursor);
  v.number(4, m.limit, List{}.limit);
}

template <Is<Stat> M, typename V>
void describe(M& m, V& v) {
  v.texts(1, m.paths);
}

template <Is<Delete> M, typename V>
void describe(M& m, V& v) {
  v.text(1, m.path);
  v.flag(2, m.recursive);
  v.optional(3, m.expected);
}

template <Is<Move> M, typename V>
void describe(M& m, V& v) {
  v.text(1, m.from);
  v.text(2, m.to);
  v.flag(3, m.force);
}

template <Is<Verify> M, typename V>
void describe(M& m, V& v) {
  v.text(1, m.path);
}

template <Is<Changes> M, typename V>
void describe(M& m, V& v) {
  v.number(1, m.since);
  v.number(2, m.limit, Changes{}.limit);
}

template <Is<ListTrash> M, typename V>
void describe(M& m, V& v) {
  v.text(1, m.path);
  v.text(2, m.cursor);
  v.number(3, m.limit, ListTrash{}.limit);
}

template <Is<Restore> M, typename V>
void describe(M& m, V& v) {
  v.text(1, m.path);
  v.signed_number(2, m.trashed_ns);
  v.text(3, m.to);
  v.flag(4, m.force);
}

template <Is<Basis> M, typename V>
void describe(M& m, V& v) {
  v.version(1, m.version);
  v.number(5, m.seed);
  v.number(6, m.base_level);
  v.number(7, m.level);
  v.number(8, m.count);
  v.number(9, m.bulk_bytes);
}

template <Is<Descend> M, typename V>
void describe(M& m, V& v) {
  v.number(1, m.level);
  v.number(2, m.bulk_bytes);
  v.flag(3, m.start);
}

template <Is<Nodes> M, typename V>
void describe(M& m, V& v) {
  v.number(1, m.level);
  v.number(2, m.count);
  v.number(3, m.bulk_bytes);
}

template <Is<Sign> M, typename V>
void describe(M& m, V& v) {
  v.number(1, m.rung);
  v.number(2, m.block_bytes);
  v.number(3, m.pair_bytes);
  v.number(4, m.bulk_bytes);
}

template <Is<Signatures> M, typename V>
void describe(M& m, V& v) {
  v.number(1, m.rung);
  v.number(2, m.block_bytes);
  v.number(3, m.width);
  v.number(4, m.bulk_bytes);
}

template <Is<Patch> M, typename V>
void describe(M& m, V& v) {
  v.flag(1, m.repair);
}

template <Is<Mismatch> M, typename V>
void describe(M& m, V& v) {
  v.number(1, m.bulk_bytes);
}

template <Is<Done> M, typename V>
void describe(M& m, V& v) {
  v.version(1, m.version);
  v.flag(5, m.unchanged);
}

template <Is<EntryMessage> M, typename V>
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

template <Is<Entries> M, typename V>
void describe(M& m, V& v) {
  v.nested(1, m.entries);
  v.text(2, m.next_cursor);
}

}  // namespace

template <typename Message>
Buffer encode(const Message& message) {
  Write write;
  describe(message, write);
  return write.take();
}

template <typename Message>
Result<Message> decode(ByteView payload) {
  Message message;
  // A flag or number that has its standard value is not sent, so decoding starts from the same standard.
  MILLRACE_TRY(read_fields(payload, Message::kName, [&](const Field& field) -> Result<bool> {
    Read read(field);
    describe(message, read);
    MILLRACE_TRY(read.status());
    return read.known();
  }));
  return message;
}

template <typename Message>
void Write::nested(std::uint32_t id, const std::vector<Message>& messages) {
  for (const Message& message : messages) writer_.bytes(id, encode(message));
}

template <typename Message>
void Read::nested(std::uint32_t id, std::vector<Message>& messages) {
  if (!mine(id) || full(messages.size())) return;
  auto message = decode<Message>(field_.value);
  if (message) {
    messages.push_back(std::move(*message));
  } else {
    status_ = fail(message.error());
  }
}

#define MILLRACE_MESSAGE(Message)         \
  template Buffer encode(const Message&); \
  template Result<Message> decode(ByteView)
MILLRACE_MESSAGE(Hello);
MILLRACE_MESSAGE(ErrorMessage);
MILLRACE_MESSAGE(Window);
MILLRACE_MESSAGE(Cancel);
MILLRACE_MESSAGE(GoAway);
MILLRACE_MESSAGE(Ping);
MILLRACE_MESSAGE(Pong);
MILLRACE_MESSAGE(Authenticate);
MILLRACE_MESSAGE(Authenticated);
MILLRACE_MESSAGE(Download);
MILLRACE_MESSAGE(List);
MILLRACE_MESSAGE(Stat);
MILLRACE_MESSAGE(Delete);
MILLRACE_MESSAGE(Move);
MILLRACE_MESSAGE(Verify);
MILLRACE_MESSAGE(Changes);
MILLRACE_MESSAGE(ListTrash);
MILLRACE_MESSAGE(Restore);
MILLRACE_MESSAGE(Basis);
MILLRACE_MESSAGE(Descend);
MILLRACE_MESSAGE(Nodes);
MILLRACE_MESSAGE(Sign);
MILLRACE_MESSAGE(Signatures);
MILLRACE_MESSAGE(Patch);
MILLRACE_MESSAGE(Mismatch);
MILLRACE_MESSAGE(Done);
MILLRACE_MESSAGE(Entries);
MILLRACE_MESSAGE(Upload);
MILLRACE_MESSAGE(UploadDelta);
#undef MILLRACE_MESSAGE

}  // namespace millrace::wire
