#pragma once
// What the services of one daemon tell each other.
#include <functional>
#include <vector>

#include "daemon/service/context.hpp"
#include "daemon/service/ledger.hpp"
#include "modem/driver/modem.hpp"

namespace conductor::service {

/// Counts since the start, for /metrics and `status`.
struct Tally {
    std::uint64_t submitted = 0, accepted = 0, refused = 0, ambiguous = 0, not_sent = 0;
    std::uint64_t inbound = 0, inbound_duplicates = 0, inbound_undecodable = 0, reports = 0;
    std::uint64_t ended[10] = {};  ///< by MessageStatus
    std::optional<WallTime> last_accepted, last_inbound;
};

class ModemService;

struct Shared {
    explicit Shared(aio::Executor ex) : sync_wake{ex} {}
    std::vector<ModemService*> modems;
    aio::Event sync_wake;  ///< the outbox got something, or somebody asked to sync
    bool stopping = false;
    bool paused = false;  ///< the whole queue
    Tally tally;
    driver::Finder* finder = nullptr;  ///< who is where; set before the modems are made
    std::function<void(ModemIndex, int descriptor)> keep_descriptor = [](ModemIndex, int) {};  ///< systemd's FD store; -1 removes

    driver::Opener open_port;  ///< how modems open their ports; empty: port::open_port

    /// Something became sendable: wakes one idle modem that may take it (lane 0: any).
    void wake_one(std::uint64_t lane = 0);
    void wake_all();
    void note(const std::vector<Changed>& changed);
};

}  // namespace conductor::service
