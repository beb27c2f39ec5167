// `millraced ping`: does the server answer?
#pragma once

#include <string>

#include "server/serve_options.h"

namespace millrace {

/// Connects to `url`, or where it is empty to the address that `options` has the server listen on, and waits for HELLO.
/// Whose key the server shows is not looked at: nothing is told to it. 0: it answered. 1: it did not, and the reason is
/// on standard error. 2: the address makes no sense.
int ping(const ServeOptions& options, const std::string& url);

}  // namespace millrace
