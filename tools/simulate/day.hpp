#pragma once
// One virtual day of a gateway with many modems, each of which gets every kind of fault once, while messages go out and come in.
#include "tools/simulate/world.hpp"

namespace conductor::simulate {

struct DayOptions {
    std::uint64_t seed = 1;
    int modems = 8;
    bool print = false;
};

struct FaultRow {
    std::string fault;
    int modem = 0;
    WallTime ended{};
    std::optional<std::chrono::milliseconds> recovery;  ///< from the end of the fault to ready; empty: never
    std::chrono::milliseconds limit{0};
};

struct Day {
    std::vector<FaultRow> faults;
    int outbound = 0, delivered = 0, unknown = 0;  ///< unknown: it says so, and was not sent again
    int lost = 0, doubled = 0;                     ///< outbound: said to be out and is not; more than one copy
    int inbound = 0, inbound_lost = 0, inbound_doubled = 0;
    int least_pin_tries = 3;
    std::uint64_t restarts = 0;                  ///< of modems, by the gateway
    std::uint64_t most_restarts_in_an_hour = 0;  ///< of one modem
    std::vector<std::string> broken;             ///< anything else
    std::deque<std::string> trace;
    std::uint64_t handlers = 0;
    /// The faults with how long recovery took, worst and median, as a table.
    std::string table() const;
    /// What does not hold of: back within the limit, no storm of restarts, no PIN tried down to the last two, nothing lost or doubled.
    std::vector<std::string> findings() const;
};

Day run_day(const DayOptions& options);

}  // namespace conductor::simulate
