// What the page's client is given from outside: a file to read, a compressor and randomness, all of them the worker's.
#pragma once

#include <memory>

#include "codec/portable_sha256.h"
#include "delta/segment_codec.h"
#include "delta/source.h"

namespace millrace {

/// The file of that upload. Reading fails with kSourceChanged once the browser cannot read it any more, which is what
/// happens when it was changed.
std::shared_ptr<const Source> make_page_file(std::uint32_t upload, std::uint64_t bytes);

/// Compresses only: a page uploads. Without a compressor in the page all literals go as they are.
std::unique_ptr<SegmentCodec> make_page_codec();

std::uint64_t page_random_number();

}  // namespace millrace
