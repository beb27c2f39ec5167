// Parsed once for all tests that run in one process.
#include <catch2/catch.hpp>
