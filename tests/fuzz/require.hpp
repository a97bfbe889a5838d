#pragma once
#include <cstdio>
#include <cstdlib>

/// An invariant of a fuzz target: a finding when it does not hold, in every build.
#define FUZZ_REQUIRE(condition)                                                  \
    do {                                                                         \
        if (!(condition)) {                                                      \
            std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            std::abort();                                                        \
        }                                                                        \
    } while (false)
