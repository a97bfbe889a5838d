// The SIM: its lock, its identity, and whether it is the one that this modem may use.
#include "modem/driver/finder.hpp"
#include "modem/driver/modem_impl.hpp"

namespace conductor::driver {

using namespace std::chrono_literals;
using at::AtErrc;

End Modem::Impl::block(std::string reason, std::string text) {
    set(ModemState::blocked, std::move(reason), std::move(text));
    return End::blocked;
}

aio::awaitable<Result<std::string>> Modem::Impl::read_iccid() {
    for (const std::string_view line : profile_->iccid) {
        const auto lines = co_await ask(std::string{line});
        if (!lines) co_return lines.error();
        if (auto number = at::parse_iccid(*lines)) co_return *number;
    }
    // EF-ICCID itself (TS 102.221 §13.2); row 48.
    const auto lines = co_await ask("+CRSM=176,12258,0,0,10");
    if (!lines) co_return lines.error();
    co_return at::parse_crsm_iccid(*lines).value_or("");
}

aio::awaitable<Result<std::optional<int>>> Modem::Impl::pin_tries() {
    for (const std::string_view line : profile_->pin_tries) {
        const auto lines = co_await ask(std::string{line});
        if (!lines) co_return lines.error();
        if (const auto tries = at::parse_pin_tries(*lines)) co_return tries;
    }
    co_return std::optional<int>{};
}

aio::awaitable<End> Modem::Impl::unlock() {
    std::string entered;  ///< the SIM's key, once the PIN was sent: it is sent once in a bring-up
    for (int round = 0; round < 3; ++round) {
        auto reply = co_await patient("+CPIN?", BootClock::now() + profile_->sms_ready);
        const Lines lines = reply ? reply->lines : Lines{};
        if (!reply) co_return end_of(reply.error());
        const auto code = reply->final.code;
        if (!reply->ok() && (code == 10 || code == 310)) co_return block("sim-absent", "The modem sees no SIM; put one in, or re-seat it.");
        if (!reply->ok() && (code == 13 || code == 313)) co_return block("sim-failure", "The SIM does not answer; re-seat or replace it.");
        if (!reply->ok() && (code == 12 || code == 316)) co_return block("puk-needed", "The SIM asks for its PUK; a person must enter it.");
        if (!reply->ok()) co_return End::ok;  // no such command: what needs the SIM will tell
        const std::string state = at::parse_cpin(lines).value_or("READY");
        if (state == "READY") {
            if (!entered.empty()) co_await host_.pin_accepted(entered, *settings_.pin);
            co_return End::ok;
        }
        if (!entered.empty()) break;
        const End end = co_await enter_pin(state, entered);
        if (end != End::ok) co_return end;
    }
    co_return block("pin-needed", "The SIM still asks for its PIN after it was entered.");
}

/// At most one try per PIN and SIM, never with fewer than two tries left, never after a failure: the Host remembers across restarts.
aio::awaitable<End> Modem::Impl::enter_pin(std::string state, std::string& entered) {
    if (state.find("PUK") != std::string::npos) co_return block("puk-needed", "The SIM asks for its PUK; a person must enter it.");
    if (state != "SIM PIN") co_return block("locked", "The modem asks for a code that is not the SIM's PIN (" + state + ").");
    if (!settings_.pin) co_return block("pin-needed", "The SIM asks for its PIN; name it in pin_file of this modem.");
    auto iccid = co_await read_iccid();
    if (!iccid) co_return end_of(iccid.error());
    const std::string key = iccid->empty() ? "imei:" + status_.identity.imei : *iccid;
    if (pin_refused_iccid_ == key) co_return block("pin-refused", "The SIM refused the configured PIN; correct pin_file.");
    const auto tries = co_await pin_tries();
    if (!tries) co_return end_of(tries.error());
    if (*tries && **tries < 2) co_return block("pin-last-try", "One try is left for the PIN; a person must enter it.");
    const bool allowed = co_await host_.may_enter_pin(key, *settings_.pin, *tries);
    if (!allowed)
        co_return block("pin-refused", *tries
                                           ? "This PIN failed on this SIM before; correct pin_file or enter it by hand."
                                           : "A PIN failed on this SIM before, and the modem does not tell the tries left; a person must "
                                             "enter it.");
    const auto reply = co_await session_->run("+CPIN=\"" + *settings_.pin + "\"");
    if (!reply) co_return end_of(reply.error());
    if (!reply->ok()) {
        pin_refused_iccid_ = key;
        log_.error("pin-refused", {{"result", at::word(reply->final)}});
        co_return block("pin-refused", "The SIM refused the configured PIN; correct pin_file. It is not tried again.");
    }
    log_.notice("pin-entered");
    entered = key;
    if (profile_->after_pin.count() > 0) co_await session_->drain(profile_->after_pin, profile_->after_pin);  // row 69
    co_return End::ok;
}

aio::awaitable<End> Modem::Impl::check_sim() {
    auto iccid = co_await read_iccid();
    if (!iccid) co_return end_of(iccid.error());
    const auto imsi = co_await patient("+CIMI", BootClock::now() + 5s);
    if (!imsi) co_return end_of(imsi.error());
    const auto own = co_await ask("+CNUM");
    if (!own) co_return end_of(own.error());
    Identity& who = status_.identity;
    who.iccid = *iccid;
    who.imsi = imsi->ok() ? at::parse_long_number(imsi->lines, 14).value_or("") : "";
    who.own_number = at::parse_cnum(*own);
    const bool other_iccid = !settings_.iccid.empty() && settings_.iccid != who.iccid;
    const bool other_imsi = !settings_.imsi.empty() && settings_.imsi != who.imsi;
    if (other_iccid || other_imsi) co_return misplaced("wrong-sim");
    if (finder_) finder_->learnt(settings_.index, who);
    const bool accepted = co_await host_.accepts_sim(who);
    if (!accepted)
        co_return block("sim-changed", "The SIM was swapped; accept it (conductorctl modem accept-sim) or put the old one back.");
    co_return End::ok;
}

/// Still unlocked, and still the same SIM.
aio::awaitable<Result<bool>> Modem::Impl::sim_holds() {
    const auto state = co_await session_->run("+CPIN?");
    if (!state) co_return state.error();
    if (!state->ok() && at::is_sim_unusable(kind_of(state->final), state->final.code)) co_return false;
    if (const auto text = at::parse_cpin(state->lines); state->ok() && text && *text != "READY") co_return false;
    const auto iccid = co_await read_iccid();
    if (!iccid) co_return iccid.error();
    co_return iccid->empty() || *iccid == status_.identity.iccid;
}

}  // namespace conductor::driver
