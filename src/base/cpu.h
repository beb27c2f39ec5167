// Which code a program takes where there is a plain one and one for newer processors. Both give the same results.
#pragma once

namespace millrace {

enum class CpuPath : unsigned char {
  kAuto,   ///< the fastest that this processor has
  kPlain,  ///< what runs everywhere: for tests, and to rule a faulty path out
};

/// For the whole process; call before work begins. kAuto is the default.
void choose_cpu_path(CpuPath path);
CpuPath cpu_path();

/// This processor has AVX-512 (F, BW and VL) and the path is not kPlain.
bool use_avx512();

}  // namespace millrace
