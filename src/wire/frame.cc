#include "wire/frame.h"

#include <algorithm>

#include "base/varint.h"

namespace millrace {

bool is_known_type(std::uint8_t type) {
  switch (static_cast<FrameType>(type)) {
    case FrameType::kData:
    case FrameType::kHello:
    case FrameType::kError:
    case FrameType::kWindow:
    case FrameType::kCancel:
    case FrameType::kGoAway:
    case FrameType::kPing:
    case FrameType::kPong:
    case FrameType::kAuthenticate:
    case FrameType::kAuthenticated:
    case FrameType::kUpload:
    case FrameType::kUploadDelta:
    case FrameType::kDownload:
    case FrameType::kList:
    case FrameType::kStat:
    case FrameType::kDelete:
    case FrameType::kMove:
    case FrameType::kVerify:
    case FrameType::kChanges:
    case FrameType::kListTrash:
    case FrameType::kRestore:
    case FrameType::kBasis:
    case FrameType::kDescend:
    case FrameType::kNodes:
    case FrameType::kSign:
    case FrameType::kSignatures:
    case FrameType::kPatch:
    case FrameType::kMismatch:
    case FrameType::kDone:
    case FrameType::kEntries:
      return true;
  }
  return false;
}

void append_frame_header(Buffer& to, const FrameHeader& header) {
  to.push_back(header.type);
  to.push_back(header.flags);
  append_varint(to, header.stream);
  append_varint(to, header.length);
}

Status FrameDecoder::feed(ByteView bytes, Sink& sink) {
  while (!bytes.empty()) {
    if (state_ == State::kHeader && held_.empty() && sink.is_done()) {
      append(rest_, bytes);
      return {};
    }
    if (state_ == State::kHeader) {
      held_.push_back(bytes[0]);
      bytes = bytes.subspan(1);
      // Complete when two varints have ended behind the two fixed bytes.
      std::size_t ended = 0;
      for (std::size_t i = 2; i < held_.size(); ++i) ended += (held_[i] & 0x80) == 0 ? 1 : 0;
      if (ended < 2) {
        if (held_.size() >= kMaxFrameHeader + 2) return fail(Code::kProtocol, "A frame's header is malformed.");
        continue;
      }
      Reader reader(ByteView(held_).subspan(2));
      MILLRACE_ASSIGN(const std::uint64_t stream, reader.varint_up_to(kMaxStreamId, "A frame's stream"));
      MILLRACE_ASSIGN(const std::uint64_t length, reader.varint_up_to(kMaxFramePayload, "A frame's length"));
      header_ = {held_[0], held_[1], static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(length)};
      held_.clear();
      remaining_ = static_cast<std::size_t>(length);
      state_ = header_.type == static_cast<std::uint8_t>(FrameType::kData) ? State::kData : State::kPayload;
      if (remaining_ > 0) continue;
      state_ = State::kHeader;
      MILLRACE_TRY(header_.type == static_cast<std::uint8_t>(FrameType::kData) ? sink.on_data(header_, {}, true)
                                                                               : sink.on_frame(header_, {}));
      continue;
    }
    const std::size_t count = std::min(remaining_, bytes.size());
    const ByteView part = bytes.first(count);
    bytes = bytes.subspan(count);
    remaining_ -= count;
    if (state_ == State::kData) {
      if (remaining_ == 0) state_ = State::kHeader;
      MILLRACE_TRY(sink.on_data(header_, part, remaining_ == 0));
      continue;
    }
    if (held_.empty() && remaining_ == 0) {
      state_ = State::kHeader;
      MILLRACE_TRY(sink.on_frame(header_, part));
      continue;
    }
    append(held_, part);
    if (remaining_ > 0) continue;
    state_ = State::kHeader;
    const Buffer payload = std::exchange(held_, {});
    MILLRACE_TRY(sink.on_frame(header_, payload));
  }
  return {};
}

}  // namespace millrace
