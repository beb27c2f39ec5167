// What a client is sent that is not served.
#pragma once

#include "base/bytes.h"
#include "base/error.h"

namespace millrace {

/// HELLO and an ERROR about the connection, as frames.
Buffer last_words(const Error& error);

}  // namespace millrace
