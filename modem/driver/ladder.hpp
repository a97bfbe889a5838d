#pragma once
// The recovery ladder as a pure state machine. One ladder belongs to one modem; its rung belongs to one incarnation of the device, and
// its count of restarts to the clock, so that a device that comes and goes cannot be restarted without end.
#include <chrono>
#include <cstdint>
#include <deque>
#include <string_view>

#include "daemon/core/clock.hpp"

namespace conductor::driver {

enum class Trouble : std::uint8_t {
    mute,          ///< port open, no answer
    unregistered,  ///< answers, but no network for minutes
};

enum class Rung : std::uint8_t {
    none,
    resync,      ///< ESC, AT
    reopen,      ///< close and open the port
    reregister,  ///< AT+COPS=0
    radio,       ///< radio off and on
    restart,     ///< the modem restarts itself (AT+CFUN=1,1 or the vendor's command)
    hard_reset,  ///< its power or its USB port: somebody with the right to do so is asked
    human,       ///< nothing left but to look again now and then
};
std::string_view to_string(Rung rung);

struct LadderLimits {
    int restarts_per_hour = 3;             ///< of restart and hard_reset together
    std::chrono::seconds first_hold{2};    ///< before the next rung; doubles to max_hold
    std::chrono::seconds max_hold{20};     ///< mute: a modem is back within this of the end of its fault
    std::chrono::seconds radio_hold{300};  ///< unregistered: first pause between rungs, doubles to an hour
    bool restart_is_safe = true;
};

struct LadderStep {
    Rung rung = Rung::none;
    std::chrono::seconds hold{0};  ///< wait this long after the rung before trouble counts again
};

class Ladder {
public:
    explicit Ladder(LadderLimits limits = {}) : limits_{limits} {}
    void limits(const LadderLimits& limits) { limits_ = limits; }
    /// The rung to perform now. Errors of our own open() are no trouble: they never come here.
    LadderStep trouble(Trouble what, Instant now);
    /// It works again. The rung is kept for a minute: what fails again at once goes on where it stopped.
    void healthy(Instant now);
    /// The device was unplugged or is another one: rung 0, the hour's count stays.
    void new_incarnation();
    Rung rung() const { return rung_; }
    std::uint64_t restarts() const { return restarts_; }

private:
    bool may_restart(Instant now);
    LadderLimits limits_;
    Rung rung_ = Rung::none;
    Trouble last_ = Trouble::mute;
    int failures_ = 0;
    Instant healthy_since_{};
    bool healthy_ = false;
    std::deque<Instant> recent_;
    std::uint64_t restarts_ = 0;
};

}  // namespace conductor::driver
