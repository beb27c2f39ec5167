// What the page's worker gives the module: functions that it calls, always from within one of the calls in module.cc.
// Offsets and sizes that may pass 4 GiB travel as doubles, which hold them exactly up to 2^53.
#pragma once

#include <cstdint>

#define MILLRACE_IMPORT(name) __attribute__((import_module("millrace"), import_name(#name)))

extern "C" {

/// Fills `into` with `length` bytes of that upload's file from `offset` on. 0: the file cannot be read any more.
MILLRACE_IMPORT(read)
int page_read(std::uint32_t upload, double offset, std::uint8_t* into, std::uint32_t length);

/// One zstd frame of `raw`, against `prefix`, into `coded`. Its length; 0: it does not get smaller than `room`, or
/// there is no compressor.
MILLRACE_IMPORT(compress)
std::uint32_t page_compress(const std::uint8_t* raw, std::uint32_t length, const std::uint8_t* prefix,
                            std::uint32_t prefix_length, int level, std::uint8_t* coded, std::uint32_t room);

MILLRACE_IMPORT(random)
void page_random(std::uint8_t* into, std::uint32_t length);

/// An upload moved: `done` of its content is dealt with, `wire` bytes of it have been handed out as output.
MILLRACE_IMPORT(progress)
void page_progress(std::uint32_t upload, double done, double wire);

/// An upload has ended, by `code` (see base/error.h) with a sentence, or well: 0. Nothing is called for it any more.
MILLRACE_IMPORT(ended)
void page_ended(std::uint32_t upload, int code, const char* sentence, std::uint32_t length, double wire);

/// The server takes no new uploads on this connection.
MILLRACE_IMPORT(leaving)
void page_leaving();

}  // extern "C"
