#pragma once
#include <string>

namespace conductor::app {

struct Options {
    std::string config = "/etc/conductor/conductor.toml";
    bool check = false;
};

/// Exit code: 0 ended as asked, 1 could not start or had to stop, 2 the configuration has problems.
int run(const Options& options);

}  // namespace conductor::app
