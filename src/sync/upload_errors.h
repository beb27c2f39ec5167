// What both ways of receiving an upload say of one that is wrong.
#pragma once

#include <string>

#include "base/path.h"

namespace millrace {

inline Error wrong_cuts() {
  return {Code::kProtocol, "The client cuts files into chunks in a way of its own; use another."};
}

inline Error not_as_announced(const std::string& path) {
  return {Code::kIntegrity, "What arrived for '" + printable(path) +
                                "' is not what was announced; the old version is untouched; try again."};
}

}  // namespace millrace
