#include "modem/driver/ladder.hpp"

#include <algorithm>
#include <span>

namespace conductor::driver {

using namespace std::chrono_literals;

namespace {

constexpr Rung mute_rungs[] = {Rung::resync, Rung::reopen, Rung::reopen, Rung::restart, Rung::hard_reset, Rung::human};
constexpr Rung network_rungs[] = {Rung::reregister, Rung::radio, Rung::radio, Rung::restart, Rung::human};

std::span<const Rung> rungs_of(Trouble what) {
    switch (what) {
        case Trouble::mute: return mute_rungs;
        case Trouble::unregistered: return network_rungs;
    }
    return mute_rungs;
}

std::chrono::seconds doubled(std::chrono::seconds first, int times, std::chrono::seconds most) {
    std::chrono::seconds hold = first;
    for (int i = 0; i < times && hold < most; ++i) hold *= 2;
    return std::min(hold, most);
}

}  // namespace

std::string_view to_string(Rung rung) {
    switch (rung) {
        case Rung::none: return "";
        case Rung::resync: return "resync";
        case Rung::reopen: return "reopen";
        case Rung::reregister: return "reregister";
        case Rung::radio: return "radio";
        case Rung::restart: return "restart";
        case Rung::hard_reset: return "hard-reset";
        case Rung::human: return "human";
    }
    return "";
}

bool Ladder::may_restart(Instant now) {
    while (!recent_.empty() && now - recent_.front() >= 1h) recent_.pop_front();
    if (std::ssize(recent_) >= limits_.restarts_per_hour) return false;
    recent_.push_back(now);
    ++restarts_;
    return true;
}

LadderStep Ladder::trouble(Trouble what, Instant now) {
    if ((healthy_ && now - healthy_since_ > 1min) || what != last_) failures_ = 0;
    healthy_ = false;
    last_ = what;
    const auto rungs = rungs_of(what);
    const int at = failures_++;
    Rung rung = rungs[std::min(static_cast<std::size_t>(at), rungs.size() - 1)];
    if (rung == Rung::restart && !limits_.restart_is_safe) rung = what == Trouble::mute ? Rung::reopen : Rung::radio;
    if ((rung == Rung::restart || rung == Rung::hard_reset) && !may_restart(now)) rung = Rung::human;
    rung_ = rung;
    const auto hold = what == Trouble::mute ? doubled(limits_.first_hold, at, limits_.max_hold) : doubled(limits_.radio_hold, at, 3600s);
    return {rung, hold};
}

void Ladder::healthy(Instant now) {
    if (!healthy_) healthy_since_ = now;
    healthy_ = true;
    rung_ = Rung::none;
}

void Ladder::new_incarnation() {
    failures_ = 0;
    rung_ = Rung::none;
    healthy_ = false;
}

}  // namespace conductor::driver
