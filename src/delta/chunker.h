// Content-defined chunking in the manner of FastCDC (Xia et al., USENIX ATC 2016): a gear hash with two masks, the
// stricter one before the average size, the looser one after it, so that sizes gather around the average.
// The decision at a byte depends on the 32 bytes that end there and on nothing else: the hash is a 32-bit gear sum in
// which an older byte has been shifted out. So two versions fall into step again at the first cut that both contain.
#pragma once

#include <cstddef>
#include <vector>

#include "base/bytes.h"
#include "delta/chunk.h"

namespace millrace {

enum class Tail { kMoreFollows, kEndOfFile };

/// The length of the first chunk of `data`, which starts at a chunk's start. 0 if `data` ends before a cut is certain
/// and more follows; with Tail::kEndOfFile the rest is the last chunk. Give at least kMaxChunkBytes to be sure of
/// progress.
std::size_t first_chunk_length(ByteView data, Tail tail);

/// Appends the lengths of all complete chunks of `data` and returns how many bytes they cover.
std::size_t cut_chunks(ByteView data, Tail tail, std::vector<std::uint32_t>& lengths);

/// True when a chunk of this content may end here: the sizes are within their limits and the window at the end asks for
/// the cut (or the size is the maximum, or the file ends here). A holder checks claimed cuts with it instead of cutting
/// again.
bool is_valid_chunk(ByteView chunk, bool last_of_file);

}  // namespace millrace
