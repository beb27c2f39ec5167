#include "session/hello.h"

#include <algorithm>

namespace millrace {

wire::Hello hello_for(const MemoryBudget* budget) {
  wire::Hello hello;
  hello.connection_window = 4u << 20;
  if (budget == nullptr) return hello;
  hello.stream_window = std::clamp<std::uint64_t>(budget->limit() / 1024, 16u << 10, hello.stream_window);
  hello.connection_window = std::clamp<std::uint64_t>(budget->limit() / 64, 64u << 10, hello.connection_window);
  return hello;
}

}  // namespace millrace
