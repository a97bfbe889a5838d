#pragma once
// The command line of conductorctl.
#include <string>
#include <vector>

#include "tools/conductorctl/output.hpp"

namespace conductor::ctl {

/// Parses and runs; `args` without the program's name. Answers the exit code (CONTRACT part 6).
int run(std::vector<std::string> args, Io io);

}  // namespace conductor::ctl
