#pragma once
// What time it is, and whether that is sure. Pure: it is handed looks at the system's clocks, and what others say the time is.
//
// The system's wall clock is believed, in this order of certainty:
//   ntp       the kernel says that a time service disciplines it, or systemd-timesyncd has set it since the boot;
//   supabase  the server's clock agrees within two minutes; where it does not, the server's time is used instead, counted on by BootClock;
//   rtc       it is plausible, and the machine has a real-time clock;
//   system    it is plausible, and no file of a time before the last power-off could have set it;
//   modem     the network's time (NITZ) agrees within five minutes, or is used instead where the system's is not plausible.
// Plausible: not before this program was made, not more than five minutes before the newest time in the database, not more than 400 days
// after it. A move against BootClock while no daemon ran is one like any other, as long as the machine ran. More than a week after it, in
// the first ten minutes after a boot, it waits for somebody who knows better: a chip that is a month ahead would let the whole queue
// expire. A clock that moves by more than three minutes against BootClock while it runs has jumped: it is not sure until a time service,
// Supabase, the modem's network or a person (SIGHUP) confirms it, or it comes back. Nothing fires or expires while it is not sure.
#include <chrono>
#include <optional>
#include <string_view>

#include "daemon/core/clock.hpp"

namespace conductor {

/// No time before this is plausible: this program was made then.
inline constexpr WallTime program_made = std::chrono::sys_days{std::chrono::year{2026} / 11 / 1};

enum class TimeSource : std::uint8_t { none, system, modem, rtc, supabase, ntp };
std::string_view to_string(TimeSource source);

/// One look at the system's clocks.
struct SystemTime {
    Instant boot{};
    WallTime real{};
    bool synchronized = false;  ///< the kernel or systemd-timesyncd says so
};

/// What `status` shows.
struct ClockState {
    TimeSource source = TimeSource::none;
    bool sure = false;
    std::chrono::milliseconds offset{0};  ///< what is added to the system's wall clock
    std::string_view reason;              ///< why it is not sure: "implausible", "far-ahead", "from-file", "jumped"; else empty
};

class WallClock {
public:
    struct Traits {
        WallTime built{};        ///< no time before this is plausible
        bool rtc = true;         ///< the machine has a real-time clock
        bool from_file = false;  ///< without one: its time at boot may be that of the last power-off, read from a file
    };
    static constexpr std::chrono::milliseconds jump{3 * 60'000};
    explicit WallClock(Traits traits) : traits_{traits} {}

    /// The newest time that the database holds.
    void not_before(WallTime newest) { newest_ = newest; }
    /// Wall time minus BootClock when it was last sure, by the process before in this run of the machine. Before the first look.
    void trusted_before(std::chrono::milliseconds offset) { last_ = trusted_ = offset; }
    /// What somebody else says the time is at `at`; `source` is supabase or modem.
    void told(TimeSource source, Instant at, WallTime time);
    /// A person says that the system's clock is right.
    void confirm(const SystemTime& now);
    /// The time, or nothing while it is not sure. Also notices jumps: look at least once a minute.
    std::optional<WallTime> wall(const SystemTime& now);
    const ClockState& state() const { return state_; }

private:
    struct Reference {
        Instant at{};
        WallTime time{};
    };
    bool plausible(WallTime real) const;
    void notice_jump(const SystemTime& now);
    ClockState judge(const SystemTime& now) const;

    Traits traits_;
    std::optional<WallTime> newest_;
    std::optional<Reference> supabase_, modem_;
    std::optional<std::chrono::milliseconds> last_, trusted_;  ///< wall minus boot: at the last look, and when it was last sure
    bool jumped_ = false;                                      ///< away from what was sure
    bool set_ = false;                                         ///< moved while it was not sure: somebody or something set it
    ClockState state_;
};

/// The time for records that cannot wait for a sure clock: what arrives, what a person does. The last sure time, counted on by BootClock;
/// where there was none since the start, the newest time in the database instead. So it is never ahead of the truth by what is not known,
/// and keeps the order of what happened.
class RecordClock {
public:
    void sure(Instant at, WallTime wall) { base_ = {at, wall}, sure_ = true; }
    /// The newest time that the database holds, known at `at`.
    void not_before(Instant at, WallTime newest) {
        if (!sure_ && newest > time(at)) base_ = {at, newest};
    }
    WallTime time(Instant now) const { return base_.wall + std::chrono::duration_cast<std::chrono::milliseconds>(now - base_.at); }

private:
    struct Base {
        Instant at{};
        WallTime wall = program_made;
    };
    Base base_;
    bool sure_ = false;
};

}  // namespace conductor
