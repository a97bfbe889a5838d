#pragma once
// The recovery ladder as a pure state machine. A rung belongs to one incarnation of the device; the count of hard resets belongs to the
// clock, so that a device that comes and goes cannot be reset without end. Errors of our own open() never come here.
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <vector>

#include "daemon/core/clock.hpp"

namespace conductor::driver {

enum class Trouble : std::uint8_t {
    mute,          ///< port open, no answer
    boot_loop,     ///< ^BOOT lines and nothing else for a minute (FIELD row 16), or restart upon restart: only power helps
    unregistered,  ///< answers, but no network for minutes
    denied,        ///< the network refuses the SIM: a plan or SIM matter, so it is asked again rarely
    no_sending,    ///< answers, but takes no message: errors of its own, or no prompt, again and again
    sim_lost,      ///< a SIM that was here, or fails: what takes its power away and gives it back may help
    hung,          ///< cannot be opened: the device keeps the kernel waiting (FIELD row 15)
    sim_unseen,    ///< a SIM put in after power-on is not seen (FIELD row 17): only power helps
};

enum class Rung : std::uint8_t {
    none,
    resync,      ///< ESC, AT
    reopen,      ///< close and open the port
    reregister,  ///< AT+COPS=0
    radio,       ///< radio off and on: CFUN=4 or 0, then 1
    restart,     ///< the modem restarts itself (AT+CFUN=1,1 or the vendor's command)
    usb_reset,   ///< USBDEVFS_RESET
    power,       ///< USB deauthorised, port power, or the configured command, by the privileged unit
    human,       ///< everything was tried: a person is needed, and it is looked at now and then
};
std::string_view to_string(Rung rung);
/// Takes the device away from its users for seconds: these are counted and spaced.
constexpr bool is_hard(Rung rung) {
    return rung == Rung::restart || rung == Rung::usb_reset || rung == Rung::power;
}

struct LadderLimits {
    int hard_resets_per_hour = 3;
    std::chrono::seconds first_hold{2};    ///< before the next rung; doubles to max_hold
    std::chrono::seconds max_hold{20};     ///< a modem is looked at again within this of the end of its fault
    std::chrono::seconds hard_hold{60};    ///< least distance of two hard resets; doubles with each in a row, to an hour
    std::chrono::seconds radio_hold{300};  ///< unregistered: first pause between rungs, doubles to an hour
    /// What this modem and this machine can do. The others are left out.
    bool radio = true, restart = true, usb_reset = false, power = false;
};

struct LadderStep {
    Rung rung = Rung::none;        ///< to perform now
    std::chrono::seconds hold{0};  ///< wait this long after the rung before trouble counts again
    bool human = false;            ///< every rung was tried
    bool operator==(const LadderStep&) const = default;
};

class Ladder {
public:
    /// A device that comes back within this of a hard reset of ours is the same incarnation.
    static constexpr std::chrono::seconds own_replug{60};

    explicit Ladder(LadderLimits limits = {}) : limits_{limits} {}
    void limits(const LadderLimits& limits) { limits_ = limits; }
    LadderStep trouble(Trouble what, Instant now);
    /// The hard reset of the last step could not be made: it does not count.
    void refused();
    /// It works again. The rung is kept for a minute: what fails again at once goes on where it stopped.
    void healthy(Instant now);
    /// It answers, whatever else is wrong: a silence is over.
    void answers(Instant now) {
        if (last_ == Trouble::mute || last_ == Trouble::boot_loop) healthy(now);
    }
    /// The device was unplugged, or is another one: rung 0. The hour's count stays, and so does the rung when our own reset took the device
    /// away: false then.
    bool new_incarnation(Instant now);
    /// The modem, or the network through it, answered a submission: no_sending is over. A bring-up alone does not say so.
    void sends() {
        sending_at_ = 0;
        sending_human_ = false;
    }
    Rung rung() const { return sending_human_ ? Rung::human : rung_; }
    std::uint64_t hard_resets() const { return hard_resets_; }

private:
    std::vector<Rung> rungs_of(Trouble what) const;
    bool may_reset(Instant now);
    void note_reset(Instant now);
    void start_over();
    LadderStep unable(Instant now);
    LadderLimits limits_;
    Rung rung_ = Rung::none;
    Trouble last_ = Trouble::mute;
    std::size_t at_ = 0;          ///< the next rung
    std::size_t sending_at_ = 0;  ///< the next rung of no_sending
    bool sending_human_ = false;
    int calls_ = 0;  ///< of trouble() in a row
    int resets_in_row_ = 0;
    Instant healthy_since_{};
    bool healthy_ = false;
    std::deque<Instant> recent_;  ///< hard resets of the last hour
    std::uint64_t hard_resets_ = 0;
};

}  // namespace conductor::driver
