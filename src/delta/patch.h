// A patch makes the target out of the basis. It is a stream of parts, each covering the next piece of the target:
//
//   patch := varint prefix window, byte addressing, part*
//   part  := varint instruction bytes, varint raw bytes, varint (coded bytes << 1 | is zstd), instructions, coded
//   literals
//
// The instructions name whole chunks that the basis has (KEEP), all-zero chunks (ZEROS) and new chunks (CHUNK), which
// are made of COPY from anywhere in the basis, LITERAL and ZERO. All literals of a part are one segment, which decodes
// alone given a prefix of target bytes that the receiver knows already: up to 32 KiB on each side of each literal range
// and as much of the target before the part as fits. The last part holds END with the root. A part ends at a chunk's
// end, so both sides need memory for one part only.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/digest.h"
#include "base/error.h"
#include "delta/byte_range.h"
#include "delta/chunk.h"

namespace millrace {

inline constexpr std::uint64_t kMaxPartInstructionBytes = 4u << 20;
inline constexpr std::uint64_t kMaxPartRawBytes = 8u << 20;
inline constexpr std::uint64_t kNeighbourBytes = 32 * 1024;

/// The most chunks that a file may have: 4 TiB at the average size. A few bytes of a patch name any number of holes,
/// and what is built from it has a list of them.
inline constexpr std::uint64_t kMaxFileChunks = std::uint64_t{1} << 28;
/// Of these the most that may be all zero: 256 GiB.
inline constexpr std::uint64_t kMaxZeroChunks = std::uint64_t{1} << 22;
/// The longest file, made of the longest chunks only: 16 TiB.
inline constexpr std::uint64_t kMaxFileBytes = kMaxFileChunks * kMaxChunkBytes;

/// How COPY and KEEP name their place: by basis position, or not at all because it is the target's own position and the
/// receiver knows from its search where it has those bytes (downloads).
enum class Addressing : std::uint8_t { kBasis = 0, kTarget = 1 };

struct PatchOp {
  enum class Kind : std::uint8_t { kCopy = 0, kLiteral = 1, kZero = 2 };
  Kind kind = Kind::kLiteral;
  std::uint64_t length = 0;  ///< bytes
  std::uint64_t offset = 0;  ///< kCopy: in the basis (Addressing::kBasis) or in the target
};

struct PatchItem {
  enum class Kind : std::uint8_t { kKeep = 0, kChunk = 1, kZeros = 2, kEnd = 3 };
  Kind kind = Kind::kChunk;
  std::uint64_t first = 0;  ///< kKeep: chunk index, in the basis or (Addressing::kTarget) in the target
  std::uint64_t count = 1;  ///< kKeep, kZeros: chunks
  std::uint64_t bytes = 0;  ///< target bytes covered; on decoding a KEEP it is 0: the receiver knows it from its basis
  std::uint32_t op_begin = 0;  ///< kChunk: its range in PartPlan::ops
  std::uint32_t op_end = 0;
};

struct PartPlan {
  std::vector<PatchItem> items;
  std::vector<PatchOp> ops;
  std::uint64_t literal_bytes = 0;
  std::optional<Digest> root;  ///< the last part: END
};

/// Offsets are coded as differences to what would come next; both sides carry this along.
struct PatchCursor {
  Addressing addressing = Addressing::kBasis;
  std::uint64_t next_chunk = 0;
  std::uint64_t next_offset = 0;
  bool is_at_end = false;  ///< a chunk has come that only a file's last one can be
};

Buffer encode_instructions(const PartPlan& plan, PatchCursor& cursor);
/// Errors: kProtocol. Checks chunk sizes, that nothing follows a chunk which is too short for any but the last (KEEPs
/// apart, whose length the receiver knows), and that ops cover their chunk exactly; not whether the basis has what is
/// named.
Result<PartPlan> decode_instructions(ByteView instructions, std::uint64_t raw_bytes, PatchCursor& cursor);

Buffer encode_patch_header(std::uint64_t prefix_window, Addressing addressing);
Buffer encode_part_header(std::size_t instruction_bytes, std::uint64_t raw_bytes, std::size_t coded_bytes,
                          bool is_zstd);

/// A part as it came over the wire.
struct ReceivedPart {
  Buffer instructions;
  Buffer coded;
  std::uint64_t raw_bytes = 0;
  bool is_zstd = false;
};

/// Cuts the patch stream into parts; holds one part at most.
class PartAssembler {
 public:
  /// Memory is taken as bytes arrive, not as they are announced, but for `ahead` bytes beyond them.
  explicit PartAssembler(std::uint64_t ahead = 0) : ahead_(ahead) {}
  /// Takes bytes from the front of `bytes` until a part is complete or all are taken.
  Result<std::optional<ReceivedPart>> feed(ByteView& bytes);
  /// Where the next bytes will lie, as far as memory was taken for them: who has them written there and then feeds them
  /// from there spares a copy. Valid until the next feed().
  MutableBytes space();
  /// Takes memory for all of the part that is under way.
  void take_rest();
  bool header_known() const { return header_known_; }
  /// Of the part that is under way and not complete: how long it will be. 0 as long as that is not known.
  std::uint64_t part_bytes() const { return in_part_ ? instruction_bytes_ + coded_bytes_ : 0; }
  std::uint64_t prefix_window() const { return prefix_window_; }
  Addressing addressing() const { return addressing_; }

 private:
  bool parse_headers();
  void fill_instructions(ByteView& bytes);
  void fill_coded(ByteView& bytes);
  std::size_t grown(std::size_t size, std::size_t needed, std::uint64_t wanted) const;
  void take_memory(std::size_t bytes);
  std::uint64_t ahead_;
  Buffer head_;
  bool header_known_ = false;
  std::uint64_t prefix_window_ = 0;
  Addressing addressing_ = Addressing::kBasis;
  bool in_part_ = false;
  std::uint64_t instruction_bytes_ = 0;
  std::uint64_t coded_bytes_ = 0;
  std::size_t coded_filled_ = 0;  ///< of `part_.coded`, whose size is what memory was taken for
  ReceivedPart part_;
  std::optional<Error> error_;
};

/// The known target ranges that are the prefix of a part's segment, in the order in which they stand in the prefix.
/// Every PatchItem::bytes must be filled in. `start`: target offset of the part; `window`: prefix and literals
/// together.
std::vector<ByteRange> prefix_ranges(const PartPlan& plan, std::uint64_t start, std::uint64_t window);

}  // namespace millrace
