#pragma once
// Command line and configuration file.
#include <nlohmann/json.hpp>
#include <string>

#include "tools/modemsim/core/fleet.hpp"

namespace conductor::modemsim {

struct Options {
    std::string dir, log, control, ask;
    bool keep_output = false;
    FleetOptions fleet;
    nlohmann::json config = nlohmann::json::object();  ///< what Fleet::configure() takes
};

/// Reads the arguments and --config. Returns -1 to go on, else the exit code; what there is to say is already printed.
int read_options(int argc, char** argv, Options& options);

}  // namespace conductor::modemsim
