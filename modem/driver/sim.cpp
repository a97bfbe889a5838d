// The SIM: its lock, its identity, and whether it is the one that this modem may use.
#include <algorithm>

#include "modem/driver/finder.hpp"
#include "modem/driver/modem_impl.hpp"

namespace conductor::driver {

using namespace std::chrono_literals;

namespace {
constexpr const char* refused_pin =
    "The SIM refused the configured PIN, and no other is entered while a try is missing: enter the right one by hand "
    "(conductorctl modem at, AT+CPIN=), and correct pin_file.";
constexpr const char* sim_changed =
    "The SIM was swapped; accept it (conductorctl modem accept-sim; if it has another PIN, write that into pin_file and reload first) or "
    "put "
    "the old one back.";
}  // namespace

End Modem::Impl::block(std::string reason, std::string text) {
    set(ModemState::blocked, std::move(reason), std::move(text));
    return End::blocked;
}

aio::awaitable<Result<std::string>> Modem::Impl::read_iccid() {
    const AskLines by = [this](std::string line) { return ask(std::move(line)); };
    co_return co_await ask_iccid(*profile_, by);
}

aio::awaitable<Result<std::string>> Modem::Impl::read_iccid_by(Instant until) {
    for (auto pause = 300ms;; pause = std::min<std::chrono::milliseconds>(pause * 2, 2s)) {
        auto iccid = co_await read_iccid();
        if (!iccid || !iccid->empty() || BootClock::now() + pause > until) co_return iccid;
        co_await session_->drain(pause, pause);
    }
}

aio::awaitable<Result<std::optional<int>>> Modem::Impl::pin_tries() {
    for (const std::string_view line : profile_->pin_tries) {
        const auto lines = co_await ask(std::string{line});
        if (!lines) co_return lines.error();
        if (const auto tries = at::parse_pin_tries(*lines)) co_return tries;
    }
    co_return std::optional<int>{};
}

/// +CPIN?, again while the SIM starts, at most until `until`.
aio::awaitable<Result<at::Reply>> Modem::Impl::read_pin_state(Instant until) {
    for (auto pause = 300ms;; pause = std::min<std::chrono::milliseconds>(pause * 2, 2s)) {
        const auto reply = co_await patient("+CPIN?", until);
        const bool starts = reply && reply->ok() && at::parse_cpin(reply->lines) == "NOT READY";
        if (!starts || BootClock::now() + pause > until) co_return reply;
        co_await session_->drain(pause, pause);
    }
}

namespace {

/// What an answer to +CPIN? says of a SIM that is not there to be used: the reason word, empty when it is there.
std::string_view missing(const at::Reply& reply) {
    const auto code = reply.final.code;
    const std::string state = reply.ok() ? at::parse_cpin(reply.lines).value_or("") : "";
    if (code == 10 || code == 310 || state == "NOT INSERTED") return "sim-absent";
    if (code == 13 || code == 313) return "sim-failure";
    if (code == 14 || code == 314 || code == 515 || state == "NOT READY") return "sim-busy";
    return {};
}

}  // namespace

/// Which remedy a SIM that is not seen wants: one that was here before, or that fails, may come back by itself (FIELD 3.4, 3.5).
std::optional<Trouble> Modem::Impl::sim_trouble() const {
    if (status_.reason == "sim-failure" || status_.reason == "sim-busy") return Trouble::sim_lost;
    if (status_.reason != "sim-absent") return std::nullopt;
    if (profile_->sim_needs_power) return Trouble::sim_unseen;
    const bool was_here =
        !status_.identity.iccid.empty() || (!settings_.last.iccid.empty() && same_imei(settings_.last.imei, status_.identity.imei));
    return was_here ? std::optional{Trouble::sim_lost} : std::nullopt;
}

aio::awaitable<End> Modem::Impl::unlock() {
    bool entered = false;  // the PIN is sent once in a bring-up
    for (int round = 0; round < 3; ++round) {
        const auto reply = co_await read_pin_state(BootClock::now() + profile_->sms_ready);
        if (!reply) co_return end_of(reply.error());
        const auto code = reply->final.code;
        const std::string_view why = missing(*reply);
        if (why == "sim-busy" && ++sim_starts_ < 3) co_return End::again;
        sim_starts_ = 0;
        if (why == "sim-absent") co_return block("sim-absent", "The modem sees no SIM; put one in, or re-seat it.");
        if (why == "sim-failure") co_return block("sim-failure", "The SIM does not answer; re-seat or replace it.");
        if (why == "sim-busy") co_return block("sim-busy", "The SIM does not get ready; it is switched off and on.");
        if (!reply->ok() && (code == 12 || code == 316)) co_return block("puk-needed", "The SIM asks for its PUK; a person must enter it.");
        if (!reply->ok()) co_return End::ok;  // no such command: what needs the SIM will tell
        const std::string state = at::parse_cpin(reply->lines).value_or("READY");
        if (state == "READY") co_return End::ok;
        if (entered) break;
        const End end = co_await enter_pin(state);
        if (end != End::ok) co_return end;
        entered = true;
    }
    co_await host_.note_pin(status_.identity, *settings_.pin, PinNews::refused);
    co_return block("pin-needed", "The SIM still asks for its PIN after it was entered.");
}

/// A SIM whose ICCID is not told may be the one that refused in this modem, whatever that one's was.
bool Modem::Impl::pin_was_refused(const Identity& who) const {
    return std::ranges::any_of(pin_refused_, [&](const Identity& before) {
        const bool told = !who.iccid.empty() && !before.iccid.empty();
        return told ? same_iccid(who.iccid, before.iccid) : who.imei == before.imei;
    });
}

/// At most one try per PIN and SIM, never with fewer than two tries left, after a failure only with all of them, and not to a SIM that this
/// modem may not use: the Host remembers across restarts.
aio::awaitable<End> Modem::Impl::enter_pin(std::string state) {
    if (state.find("PUK") != std::string::npos) co_return block("puk-needed", "The SIM asks for its PUK; a person must enter it.");
    if (state != "SIM PIN") co_return block("locked", "The modem asks for a code that is not the SIM's PIN (" + state + ").");
    if (!settings_.pin && !settings_.pin_problem.empty())
        co_return block("pin-needed", "The SIM asks for its PIN, but " + settings_.pin_problem + ": mend it and reload the service.");
    if (!settings_.pin) co_return block("pin-needed", "The SIM asks for its PIN; name it in pin_file of this modem.");
    const auto iccid = co_await read_iccid_by(BootClock::now() + profile_->sms_ready);
    if (!iccid) co_return end_of(iccid.error());
    if (!iccid->empty()) status_.identity.iccid = *iccid;
    Identity who = status_.identity;
    who.iccid = *iccid;  // not the one of an earlier bring-up
    const bool other = !settings_.iccid.empty() && !iccid->empty() && !same_iccid(settings_.iccid, *iccid);
    if (other) co_return misplaced("wrong-sim");
    const bool known = co_await host_.knows_sim(who.iccid);
    if (!known) co_return block("sim-changed", sim_changed);
    if (pin_was_refused(who)) co_return block("pin-refused", refused_pin);
    const auto tries = co_await pin_tries();
    if (!tries) co_return end_of(tries.error());
    if (*tries && **tries < 2) co_return block("pin-last-try", "One try is left for the PIN; a person must enter it.");
    const bool allowed = co_await host_.may_enter_pin(who, *settings_.pin, *tries);
    if (!allowed)
        co_return block("pin-refused",
                        *tries ? "A PIN failed on this SIM before; enter the right one by hand (conductorctl modem at), and correct "
                                 "pin_file."
                               : "A PIN failed on this SIM before, and the modem does not tell the tries left; a person must "
                                 "enter it.");
    const auto reply = co_await session_->run("+CPIN=\"" + *settings_.pin + "\"");
    if (!reply) co_return end_of(reply.error());
    if (!reply->ok()) {
        pin_refused_.push_back(who);
        co_await host_.note_pin(who, *settings_.pin, PinNews::refused);
        log_.error("pin-refused", {{"result", at::word(reply->final)}});
        co_return block("pin-refused", refused_pin);
    }
    log_.notice("pin-entered");
    co_await host_.note_pin(who, *settings_.pin, PinNews::answered);
    if (profile_->after_pin.count() > 0) co_await session_->drain(profile_->after_pin, profile_->after_pin);  // row 69
    co_return End::ok;
}

aio::awaitable<End> Modem::Impl::check_sim() {
    const std::string before = !status_.identity.iccid.empty() ? status_.identity.iccid : settings_.iccid;
    auto iccid = co_await read_iccid_by(before.empty() ? Instant{} : BootClock::now() + profile_->sms_ready);
    if (!iccid) co_return end_of(iccid.error());
    const auto imsi = co_await patient("+CIMI", BootClock::now() + 5s);
    if (!imsi) co_return end_of(imsi.error());
    const auto own = co_await ask("+CNUM");
    if (!own) co_return end_of(own.error());
    Identity& who = status_.identity;
    const std::string imsi_digits = imsi->ok() ? at::parse_long_number(imsi->lines, 14).value_or("") : "";
    const bool unread = (iccid->empty() && !before.empty()) || (imsi_digits.empty() && !settings_.imsi.empty());
    unread_ = unread ? unread_ + 1 : 0;
    if (unread && unread_ <= 3) co_return End::again;
    const bool named = !settings_.iccid.empty() || !settings_.imsi.empty();
    if (unread && named)
        co_return block("sim-unread", "The SIM does not tell what the configuration knows it by; it is asked again each minute.");
    if (!same_iccid(*iccid, who.iccid)) who.iccid = *iccid;  // with or without its check digit: one form of it
    who.imsi = imsi_digits;
    who.own_number = at::parse_cnum(*own);
    const bool other_iccid = !settings_.iccid.empty() && !same_iccid(settings_.iccid, who.iccid);
    const bool other_imsi = !settings_.imsi.empty() && settings_.imsi != who.imsi;
    if (other_iccid || other_imsi) co_return misplaced("wrong-sim");
    if (finder_) finder_->learnt(settings_.index, who);
    const bool accepted = co_await host_.accepts_sim(who);
    if (!accepted) co_return block("sim-changed", sim_changed);
    if (settings_.pin) co_await host_.note_pin(who, *settings_.pin, PinNews::open);
    co_return End::ok;
}

/// Still there and unlocked, and still the same SIM, as far as the modem tells.
aio::awaitable<Result<bool>> Modem::Impl::sim_holds() {
    const auto reply = co_await read_pin_state(Instant{});
    if (!reply) co_return reply.error();
    const bool unusable = !reply->ok() && at::is_sim_unusable(kind_of(reply->final), reply->final.code);
    if (unusable || !missing(*reply).empty()) co_return false;
    if (reply->ok() && at::parse_cpin(reply->lines).value_or("READY") != "READY") co_return false;
    const auto iccid = co_await read_iccid();
    if (!iccid) co_return iccid.error();
    co_return iccid->empty() || same_iccid(*iccid, status_.identity.iccid);
}

}  // namespace conductor::driver
