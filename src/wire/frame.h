// Frames: {type, flags, stream, length, payload}, the only thing that travels. Type and flags are one byte each, stream
// and length varints. DATA boundaries mean nothing, so a decoder hands DATA on as it arrives and holds whole only the
// other types, whose payload is a message of tagged fields.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "base/bytes.h"
#include "base/error.h"

namespace millrace {

inline constexpr std::size_t kMaxFramePayload = 256 * 1024;
inline constexpr std::size_t kMaxFrameHeader = 1 + 1 + 5 + 3;
inline constexpr std::uint32_t kMaxStreamId = 0x7fffffff;

/// Numbers are on the wire. Below 16: the connection's own. An unknown type with kMustUnderstand is a named error,
/// without it skipped.
enum class FrameType : std::uint8_t {
  kData = 0,
  kHello = 1,
  kError = 2,
  kWindow = 3,
  kCancel = 4,
  kGoAway = 5,
  kPing = 6,
  kPong = 7,
  kAuthenticate = 8,
  kAuthenticated = 9,
  kUpload = 16,
  kUploadDelta = 17,
  kDownload = 18,
  kList = 19,
  kStat = 20,
  kDelete = 21,
  kMove = 22,
  kVerify = 23,
  kChanges = 24,
  kListTrash = 25,
  kRestore = 26,
  kBasis = 32,
  kDescend = 33,
  kNodes = 34,
  kSign = 35,
  kSignatures = 36,
  kPatch = 37,
  kMismatch = 38,
  kDone = 48,
  kEntries = 49,
};

/// False: to be skipped, or refused where kMustUnderstand is set.
bool is_known_type(std::uint8_t type);
/// 16 to 31: what begins a stream.
inline bool is_request_type(std::uint8_t type) {
  return type >= 16 && type < 32;
}

inline constexpr std::uint8_t kMustUnderstand = 1;  ///< flag: who does not know the type must answer with an error
inline constexpr std::uint8_t kEndOfStream = 2;     ///< flag: the sender's last frame on this stream

struct FrameHeader {
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
  std::uint32_t stream = 0;
  std::uint32_t length = 0;
};

void append_frame_header(Buffer& to, const FrameHeader& header);

/// Cuts a byte stream into frames. Holds at most one payload that is not DATA.
class FrameDecoder {
 public:
  class Sink {
   public:
    virtual ~Sink() = default;
    /// A part of a DATA frame's payload, as it arrived; the view is valid during the call only. `last` ends the frame:
    /// only then do its flags count. Empty DATA frames give one call.
    virtual Status on_data(const FrameHeader& header, ByteView part, bool last) = 0;
    /// A whole frame of any other type; the view is valid during the call only.
    virtual Status on_frame(const FrameHeader& header, ByteView payload) = 0;
    /// Asked after each whole frame that is not DATA: true leaves what follows undecoded.
    virtual bool is_done() const { return false; }
  };

  /// Decodes all of `bytes`. Errors: kTooLarge (a payload over its limit), kProtocol, or the sink's; the decoder is
  /// then spent.
  Status feed(ByteView bytes, Sink& sink);
  /// Bytes behind a frame after which the sink was done for now (see Sink::is_done): feed them later. Given once.
  Buffer take_rest() { return std::exchange(rest_, {}); }
  /// Of a frame that is not complete.
  std::size_t held_bytes() const { return held_.size() + rest_.size(); }
  /// The last header was that of a DATA frame; of its payload so much is to come, then the next header.
  bool is_at_data() const { return header_.type == static_cast<std::uint8_t>(FrameType::kData) && held_.empty(); }
  std::size_t data_to_come() const { return remaining_; }
  std::uint32_t data_stream() const { return header_.stream; }
  bool in_frame() const { return state_ != State::kHeader || !held_.empty(); }

 private:
  enum class State { kHeader, kPayload, kData };
  State state_ = State::kHeader;
  Buffer held_;
  Buffer rest_;
  FrameHeader header_;
  std::size_t remaining_ = 0;
};

}  // namespace millrace
