#include "modem/driver/ladder.hpp"

#include <algorithm>

namespace conductor::driver {

using namespace std::chrono_literals;

namespace {

std::chrono::seconds doubled(std::chrono::seconds first, int times, std::chrono::seconds most) {
    std::chrono::seconds hold = first;
    for (int i = 0; i < times && hold < most; ++i) hold *= 2;
    return std::min(hold, most);
}

/// Mute and the boot loop are one trouble at two depths.
bool same_kind(Trouble a, Trouble b) {
    const auto silent = [](Trouble t) { return t == Trouble::mute || t == Trouble::boot_loop; };
    return a == b || (silent(a) && silent(b));
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
        case Rung::usb_reset: return "usb-reset";
        case Rung::power: return "power";
        case Rung::human: return "human";
    }
    return "";
}

std::vector<Rung> Ladder::rungs_of(Trouble what) const {
    std::vector<Rung> rungs;
    switch (what) {
        case Trouble::mute: rungs = {Rung::resync, Rung::reopen, Rung::radio, Rung::restart, Rung::usb_reset, Rung::power}; break;
        case Trouble::boot_loop:
            rungs = {Rung::power};
            if (!limits_.power) rungs = {Rung::resync, Rung::reopen, Rung::restart, Rung::usb_reset};
            break;
        case Trouble::unregistered: rungs = {Rung::reregister, Rung::radio, Rung::radio, Rung::restart}; break;
        case Trouble::denied: rungs = {Rung::reregister, Rung::radio}; break;
        case Trouble::no_sending: rungs = {Rung::radio, Rung::radio, Rung::restart, Rung::usb_reset, Rung::power}; break;
        // the last one again each hour: a SIM that a person took out costs no restarts
        case Trouble::sim_lost: rungs = {Rung::radio, Rung::radio, Rung::restart, Rung::power, Rung::radio}; break;
        case Trouble::hung: rungs = {Rung::usb_reset, Rung::usb_reset, Rung::power}; break;
        case Trouble::sim_unseen: rungs = {Rung::power}; break;
    }
    std::erase_if(rungs, [this](Rung r) {
        return (r == Rung::radio && !limits_.radio) || (r == Rung::restart && !limits_.restart) ||
               (r == Rung::usb_reset && !limits_.usb_reset) || (r == Rung::power && !limits_.power);
    });
    return rungs;
}

bool Ladder::may_reset(Instant now) {
    while (!recent_.empty() && now - recent_.front() >= 1h) recent_.pop_front();
    if (std::ssize(recent_) >= limits_.hard_resets_per_hour) return false;
    return recent_.empty() || now - recent_.back() >= doubled(limits_.hard_hold, std::max(resets_in_row_ - 1, 0), 3600s);
}

void Ladder::note_reset(Instant now) {
    recent_.push_back(now);
    ++resets_in_row_;
    ++hard_resets_;
}

void Ladder::start_over() {
    at_ = 0;
    calls_ = 0;
    resets_in_row_ = 0;
}

/// A position of its own: the modem is brought up between two rungs, and looks healthy. At the end the last rung again, as often as its
/// limits allow.
LadderStep Ladder::unable(Instant now) {
    const auto rungs = rungs_of(Trouble::no_sending);
    LadderStep step;
    step.hold = limits_.first_hold;
    step.human = sending_at_ >= rungs.size();
    if (!rungs.empty()) step.rung = rungs[std::min(sending_at_, rungs.size() - 1)];
    if (step.human && !is_hard(step.rung)) step.rung = Rung::none;
    if (is_hard(step.rung) && !may_reset(now)) {
        step.human = step.human || std::ssize(recent_) >= limits_.hard_resets_per_hour;
        step.rung = Rung::none;
    } else if (!step.human) {
        ++sending_at_;
    }
    if (is_hard(step.rung)) note_reset(now);
    sending_human_ = step.human;
    return step;
}

LadderStep Ladder::trouble(Trouble what, Instant now) {
    if (what == Trouble::no_sending) return unable(now);
    if ((healthy_ && now - healthy_since_ > 1min) || !same_kind(what, last_)) start_over();
    if (what == Trouble::boot_loop && last_ == Trouble::mute && limits_.power) at_ = 0;  // past the soft rungs
    healthy_ = false;
    last_ = what;
    const bool silent = what == Trouble::mute || what == Trouble::boot_loop || what == Trouble::hung;
    const int call = calls_++;
    LadderStep step;
    step.hold = silent ? doubled(limits_.first_hold, call, limits_.max_hold) : doubled(limits_.radio_hold, call, 3600s);
    const Rung look = silent ? Rung::reopen : Rung::none;  // instead of a rung that may not be taken now
    const auto rungs = rungs_of(what);
    if (rungs.empty()) {
        step.human = true;
        step.rung = look;
    } else {
        step.human = at_ >= rungs.size();
        step.rung = rungs[std::min(at_, rungs.size() - 1)];  // at the end the last one again, as often as its limits allow
        if (!is_hard(step.rung)) {
            if (step.human && silent) step.rung = look;
            ++at_;
        } else if (step.human && what == Trouble::sim_unseen) {
            step.rung = look;  // once for each time that the device comes
        } else if (may_reset(now)) {
            note_reset(now);
            ++at_;
        } else {
            step.human = step.human || std::ssize(recent_) >= limits_.hard_resets_per_hour;
            step.rung = look;
        }
    }
    rung_ = step.human ? Rung::human : step.rung;
    return step;
}

void Ladder::healthy(Instant now) {
    if (!healthy_) healthy_since_ = now;
    healthy_ = true;
    rung_ = Rung::none;
}

void Ladder::refused() {
    if (recent_.empty()) return;
    recent_.pop_back();
    if (resets_in_row_ > 0) --resets_in_row_;
    if (hard_resets_ > 0) --hard_resets_;
}

bool Ladder::new_incarnation(Instant now) {
    const bool ours = !recent_.empty() && now - recent_.back() < own_replug;
    if (ours) return false;
    start_over();
    sends();
    rung_ = Rung::none;
    healthy_ = false;
    return true;
}

}  // namespace conductor::driver
