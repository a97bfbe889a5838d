#pragma once
// What the services of one daemon tell each other.
#include <cstdlib>
#include <functional>
#include <vector>

#include "daemon/core/wall_clock.hpp"
#include "daemon/service/context.hpp"
#include "daemon/service/ledger.hpp"
#include "daemon/service/turns.hpp"
#include "daemon/store/tables.hpp"
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

/// What the journal says of all SIMs: read once for the modems that come up together.
struct Journaled {
    store::PartsOfSims parts;
    std::chrono::milliseconds reach{};
    int most = 0;
    Instant at{};
};

/// "boot-id offset": wall time minus BootClock when it was last sure.
inline constexpr const char* clock_setting = "clock";

struct Shared {
    explicit Shared(aio::Executor ex) : sync_wake{ex}, go_wake{ex}, turns{ex} {}
    std::vector<ModemService*> modems;
    aio::Event sync_wake;   ///< the outbox got something, or somebody asked to sync
    aio::Event go_wake;     ///< claimed rows wait for the go of Supabase, or a modem took one that had it
    bool go_asked = false;  ///< it is being asked for: a message that may go comes in a moment
    /// A modem that is quicker than Supabase keeps its result that long for the go that is being asked for: the two share a commit.
    std::chrono::milliseconds go_grace{50};
    Turns turns;  ///< of the modems at the queue
    bool stopping = false;
    bool paused = false;     ///< the whole queue
    std::uint64_t news = 0;  ///< grows with all that may have made something sendable
    /// What the process before left open is settled. Until then nothing is taken, sent or deleted from a modem.
    bool recovered = false;
    std::shared_ptr<HandOver> hand_over = std::make_shared<HandOver>();
    std::shared_ptr<Granted> granted = std::make_shared<Granted>();
    Tally tally;
    std::shared_ptr<const Journaled> journaled;
    driver::Finder* finder = nullptr;  ///< who is where; set before the modems are made
    std::function<void(ModemIndex, int descriptor)> keep_descriptor = [](ModemIndex, int) {};  ///< systemd's FD store; -1 removes

    driver::Opener open_port;  ///< how modems open their ports; empty: port::open_port
    /// What the clock makes of it when Supabase or a modem says what time it is; and how sure the clock is, for `status`.
    std::function<void(TimeSource, Instant at, WallTime)> told_time = [](TimeSource, Instant, WallTime) {};
    std::function<ClockState()> clock_state = [] { return ClockState{.source = TimeSource::system, .sure = true}; };
    /// A modem's coroutine threw, which it never should: what it submitted last is open. Only a new process settles that, so this one ends,
    /// and systemd starts the next; the journal and the FD store carry over.
    std::function<void()> end_process = [] { std::abort(); };
    /// This database may not know all that was sent under its name: its unsent rows are held, and it begins an instance of its own.
    /// With an empty reason nothing is held.
    std::function<aio::awaitable<Result<void>>(std::string why)> begin_instance;
    std::string boot_id;  ///< of this run of the machine; empty: its clock is not compared over restarts
    /// A newer box has this identity.
    bool fenced = false;
    /// Runs blocking work on a thread of its own, one after the other; empty: such work is left out (simulation).
    std::function<void(std::function<void()>)> in_background;

    /// Something became sendable: wakes one idle modem that may take it (lane 0: any). `with_room`: not one whose SIM has too little room
    /// for the message that goes first.
    void wake_one(std::uint64_t lane = 0, bool with_room = false);
    /// The modems but `modem` that could take a message now.
    std::vector<LiveSim> live_but(ModemIndex modem, WallTime now);
    void wake_all();
    /// Wakes all where one of these waits again: the modem that had it may not be able to take it.
    void wake_for(const std::vector<Changed>& changed);
    void note(const std::vector<Changed>& changed);
};

}  // namespace conductor::service
