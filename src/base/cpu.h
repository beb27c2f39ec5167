// Which code a program takes where there is a plain one and some for newer processors. All give the same results.
#pragma once

#include <string_view>

#include "base/error.h"

namespace millrace {

enum class CpuPath : unsigned char {
  kAuto,    ///< the fastest that this processor has
  kAvx512,  ///< 512-bit vectors
  kAvx2,    ///< 256-bit vectors
  kPlain,   ///< what runs everywhere: for tests, and to rule a faulty path out
};

/// For the whole process; call before work begins. kAuto is the default. OpenSSL, xxHash and zstd choose by themselves.
/// Errors: kUsage where the processor lacks what the path needs.
Status choose_cpu_path(CpuPath path);
/// "auto", "avx512", "avx2" or "plain". Errors: kUsage, for other names too.
Status choose_cpu_path(std::string_view name);

/// The processor has AVX-512 (F, BW and VL) and the path allows it.
bool use_avx512();
/// It has AVX2 and the path allows it.
bool use_avx2();

}  // namespace millrace
