// The ladder's rungs, performed.
#include "modem/driver/modem_impl.hpp"

namespace conductor::driver {

using namespace std::chrono_literals;

aio::awaitable<void> Modem::Impl::recover(Trouble what) {
    const LadderStep step = ladder_.trouble(what, BootClock::now());
    log_.warning("recover", {{"rung", to_string(step.rung)}, {"hold_s", step.hold.count()}});
    if (what == Trouble::unregistered) {
        network_trouble_at_ = BootClock::now() + step.hold;
        co_return co_await perform(step.rung);
    }
    if (status_.state != ModemState::recovering) host_.incident("mute");
    set(ModemState::recovering, "mute",
        step.rung == Rung::human
            ? "The modem does not answer and no remedy helped; it is asked again every few seconds. Power it off and on."
            : "The modem does not answer; the recovery ladder is at work.");
    publish();
    if (step.rung == Rung::resync && session_) {
        const bool answers = co_await session_->resync(2);
        if (answers) co_return;
    }
    co_await perform(step.rung);
    co_await rest(step.hold);
}

aio::awaitable<void> Modem::Impl::perform(Rung rung) {
    switch (rung) {
        case Rung::none:
        case Rung::resync: co_return;
        case Rung::reregister: co_await tell("+COPS=0"); co_return;
        case Rung::radio:
            if (profile_->radio_off.empty()) co_return;
            co_await tell(std::string{profile_->radio_off});
            co_await tell("+CFUN=1");
            bring_up_wanted_ = true;
            co_return;
        case Rung::restart: co_await restart_modem(); co_return;
        case Rung::hard_reset:
            log_.error("hard-reset-wanted", {{"port", status_.port}});
            co_await close();
            co_return;
        case Rung::reopen:
        case Rung::human: co_await close(); co_return;
    }
}

/// The port goes with the restart, or stays (a UART): either way it is opened anew.
aio::awaitable<void> Modem::Impl::restart_modem() {
    reset_wanted_ = false;
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

}  // namespace conductor::driver
