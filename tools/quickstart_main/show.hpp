#pragma once
// What the quickstart does, once everything is built.
#include <string>
#include <vector>

namespace conductor::quickstart {

struct Options {
    bool serve = false;               ///< stay up after the demonstration
    bool keep = false;                ///< leave the folder with its database and logs
    std::vector<std::string> modems;  ///< real ones: device paths, or port specifications
};

/// Two simulated modems, twenty messages, three replies, a table. 0 when all of it was as it should be, else 1.
int demonstrate(const Options& options);

/// One message through real modems to a recipient who is asked for. 0 when the network took it.
int send_for_real(const Options& options);

/// True once SIGINT or SIGTERM came.
bool interrupted();
/// From now on these signals only set interrupted(), so that children and folders are cleaned up.
void watch_signals();

}  // namespace conductor::quickstart
