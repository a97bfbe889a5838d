// The ladder's rungs, performed.
#include "modem/driver/modem_impl.hpp"

namespace conductor::driver {

using namespace std::chrono_literals;

LadderLimits Modem::Impl::ladder_limits() const {
    LadderLimits limits;
    limits.radio = !profile_->radio_off.empty();
    limits.restart = profile_->restart_is_safe;
    limits.usb_reset = host_.can_reset(HardReset::usb, status_.usb) && !refused_lately(HardReset::usb);
    limits.power = host_.can_reset(HardReset::power, status_.usb) && !refused_lately(HardReset::power);
    return limits;
}

/// No helper, no right: the other rungs are climbed meanwhile, and this one is tried again in an hour.
bool Modem::Impl::refused_lately(HardReset how) const {
    const auto found = resets_refused_.find(how);
    return found != resets_refused_.end() && BootClock::now() - found->second < 1h;
}

/// Which silence it is: ^BOOT again and again without an answer for a minute is a firmware that only power brings back (FIELD row 16).
Trouble Modem::Impl::silence() const {
    const bool boots = inbox_->boot_line_at > inbox_->answered_at && BootClock::now() - inbox_->boot_line_at < 60s;
    return boots && BootClock::now() - inbox_->answered_at >= 60s ? Trouble::boot_loop : Trouble::mute;
}

/// Restarts that it told of, each before it was set up.
bool Modem::Impl::boots_again_and_again() {
    constexpr std::size_t often = 5;
    constexpr auto within = 3min;
    while (!boots_.empty() && BootClock::now() - boots_.front() > within) boots_.pop_front();
    return boots_.size() >= often;
}

void Modem::Impl::note_restart() {
    const Instant now = BootClock::now();
    power_.restarted(now, session_ ? session_->ctrl_z_at() : ctrl_z_at_);
    log_.warning("modem-restarted", {{"last_hour", power_.restarts(now)}});
}

void Modem::Impl::note_ending(const SubmitOutcome& outcome) {
    if (outcome.ending == Ending::accepted) open_endings_ = 0;
    const bool unanswered = outcome.reason == "timeout" || outcome.cms == 332 || outcome.cms == 500;
    if (outcome.ending == Ending::ambiguous && unanswered) ++open_endings_;
}

aio::awaitable<void> Modem::Impl::recover(Trouble what) {
    ladder_.limits(ladder_limits());
    const LadderStep step = ladder_.trouble(what, BootClock::now());
    log_.warning("recover", {{"rung", to_string(step.rung)}, {"hold_s", step.hold.count()}, {"human", step.human}});
    if (what == Trouble::no_sending) {
        host_.incident("no-sending");
        set(ModemState::recovering, "no-sending",
            step.human ? "The modem answers, but takes no message, and no remedy helped; it is tried on. Power it off and on."
                       : "The modem answers, but takes no message; the recovery ladder is at work.");
        co_return co_await climb(step.rung);
    }
    if (what != Trouble::mute && what != Trouble::boot_loop) {
        network_trouble_at_ = BootClock::now() + step.hold;
        co_return co_await climb(step.rung);
    }
    const bool boots = boots_again_and_again();
    boots_.clear();  // the next rung is for restarts after this one
    if (status_.state != ModemState::recovering) host_.incident(boots ? "boot-loop" : "mute");
    if (boots)
        set(ModemState::recovering, "boot-loop",
            step.human ? "The modem restarts again and again and no remedy helped. Look at its supply and its firmware."
                       : "The modem restarts again and again before it is set up; the recovery ladder is at work.");
    else
        set(ModemState::recovering, "mute",
            step.human ? "The modem does not answer and no remedy helped; it is asked again every few seconds. Power it off and on."
                       : "The modem does not answer; the recovery ladder is at work.");
    publish();
    if (step.rung == Rung::resync && session_) {
        const bool answers = co_await session_->resync(2);
        if (answers) co_return;
    }
    co_await climb(step.rung);
    co_await hold(step.hold);
}

/// A rung of the ladder, which counts what was done.
aio::awaitable<void> Modem::Impl::climb(Rung rung) {
    reset_failed_ = false;
    co_await perform(rung);
    if (!reset_failed_) co_return;
    ladder_.refused();
    publish();
}

aio::awaitable<void> Modem::Impl::perform(Rung rung) {
    switch (rung) {
        case Rung::none:
        case Rung::resync:
        case Rung::human: co_return;
        case Rung::reopen: co_await close(); co_return;
        case Rung::reregister: {
            const auto lines = co_await ask("+COPS?");
            if (!lines) co_return;
            const auto mode = at::parse_numbers(*lines);
            if (!mode.empty() && mode[0] == 1) co_return;  // a person chose the operator
            co_await session_->run("+COPS=0");             // not twice: that would begin its search anew
            co_return;
        }
        case Rung::radio: co_await switch_radio(); co_return;
        case Rung::restart: co_await restart_modem(); co_return;
        case Rung::usb_reset: co_await reset_device(HardReset::usb); co_return;
        case Rung::power: co_await reset_device(HardReset::power); co_return;
    }
}

/// What comes back as a CD-ROM from a restart (rows 11, 72) is reset in the next best way.
Rung Modem::Impl::reset_rung() const {
    if (profile_->restart_is_safe) return Rung::restart;
    if (host_.can_reset(HardReset::usb, status_.usb)) return Rung::usb_reset;
    return profile_->radio_off.empty() ? Rung::reopen : Rung::radio;
}

aio::awaitable<void> Modem::Impl::reset_for_a_person() {
    reset_wanted_ = false;
    const Rung rung = reset_rung();
    log_.notice("reset-asked", {{"by", to_string(rung)}});
    host_.noted("modem-reset", "a person asked for it; done by " + std::string{to_string(rung)});
    co_await perform(rung);
}

/// Mute or not: what hears without answering obeys too.
aio::awaitable<void> Modem::Impl::switch_radio() {
    if (!session_ || profile_->radio_off.empty()) co_return;
    const std::string off{profile_->radio_off}, on = "+CFUN=1";
    for (const std::string* line : {&off, &on}) {
        at::Command command = at::command(*line);
        command.timeout = 8s;
        command.blind = true;
        const auto reply = co_await session_->run(std::move(command));
        if (!reply && session_->lost()) co_return;
        co_await session_->drain(500ms, 1s);
    }
    bring_up_wanted_ = true;
}

/// The port goes with the restart, or stays (a UART): either way it is opened anew.
aio::awaitable<void> Modem::Impl::restart_modem() {
    reset_wanted_ = false;
    power_.expect(BootClock::now());
    if (session_ && !session_->lost()) {
        log_.warning("restart-modem", {{"command", profile_->restart}});
        set(ModemState::recovering, "restarting", "The modem restarts; it is back within a minute.");
        at::Command restart = at::command(std::string{profile_->restart});
        restart.blind = true;
        co_await session_->run(std::move(restart));  // mute or not: the port is closed next
    }
    co_await close();
    co_await rest(2s);
}

/// Closed first: a port that is held open would come back under another number.
aio::awaitable<void> Modem::Impl::reset_device(HardReset how) {
    power_.expect(BootClock::now());
    log_.warning("hard-reset", {{"how", how == HardReset::usb ? "usb" : "power"}, {"usb", status_.usb}, {"port", status_.port}});
    co_await close();
    const auto done = co_await host_.hard_reset(how, status_.usb);
    if (how == HardReset::power) reset_refused_ = done ? "" : done.error().text();
    reset_failed_ = !done;
    if (done) {
        resets_refused_.erase(how);
        co_return;
    }
    resets_refused_[how] = BootClock::now();
    log_.error("hard-reset-failed", {{"why", done.error().text()}});
}

}  // namespace conductor::driver
