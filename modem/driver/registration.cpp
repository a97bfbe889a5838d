// Registration: watched by URCs and polls, helped along only while nothing of it works, explained to people.
#include <algorithm>

#include "modem/at/registration.hpp"
#include "modem/driver/modem_impl.hpp"

namespace conductor::driver {

using namespace std::chrono_literals;

namespace {
constexpr int open_endings_for_advice = 3;

std::string joined(std::span<const std::string_view> words) {
    std::string out;
    for (const std::string_view word : words) out += (out.empty() ? "AT" : ", then AT") + std::string{word};
    return out;
}
}  // namespace

/// The radio may be off: left so by a remedy that was cut short, or by a power-saving host. Nothing registers then, and some modems refuse
/// SMS commands with CME 51 to 55.
aio::awaitable<End> Modem::Impl::set_up_registration() {
    network_.forget();
    if (const End end = co_await read_radio_switch(); end != End::ok) co_return end;
    const auto function = co_await ask("+CFUN?");
    if (!function) co_return end_of(function.error());
    const auto level = at::parse_numbers(*function);
    if (!level.empty() && (level[0] == 0 || level[0] == 4)) {
        log_.notice("radio-on", {{"was", level[0]}});
        if (const auto done = co_await tell("+CFUN=1"); !done) co_return end_of(done.error());
    }
    domains_ = {"+CREG", "+CEREG", "+CGREG", "+C5GREG"};
    const std::vector<std::string> all = domains_;
    tells_.clear();
    for (const std::string& domain : all)
        if (const auto done = co_await tell(domain + "=1"); !done) co_return end_of(done.error());
    const bool before = registered();
    for (const std::string& domain : all) {  // each once: what one refuses is news even where another serves
        const bool answered = co_await read_domain(domain);
        if (!answered) co_return condition() == End::ok ? End::mute : condition();
    }
    // silence, or OK without a word: nothing can be said either
    if (std::ranges::none_of(all, [&](const std::string& domain) { return network_.heard(domain); })) network_.untold(BootClock::now());
    note_registration(before);
    co_await read_operator();
    co_return condition();
}

/// False when the modem is mute or gone. A domain that it does not know is not asked again; one that it once told of has no news, when it
/// says nothing.
aio::awaitable<bool> Modem::Impl::read_domain(std::string domain) {
    const auto reply = co_await query(domain + "?");
    if (!reply) co_return false;
    if (swallows(domain + "?") && network_.heard(domain)) co_return true;
    if (!reply->ok()) {
        std::erase(domains_, domain);
        network_.unknown(domain);
        if (domains_.empty()) network_.untold(BootClock::now());
        co_return true;
    }
    std::optional<int> stat;
    if (!reply->lines.empty()) stat = at::registration_stat(reply->lines.back());
    if (stat) network_.told(domain, *stat, BootClock::now());
    const auto numbers = reply->lines.empty() ? std::vector<int>{} : at::parse_numbers(Lines{reply->lines.back()});
    const int told = numbers.size() >= 2 ? numbers.front() : 0;  // <n>: it tells by itself
    if (std::exchange(tells_[domain], told) > 0 && numbers.size() >= 2 && told == 0) {
        log_.warning("settings-lost", {{"setting", domain}});  // it restarted and did not say so
        bring_up_wanted_ = true;
    }
    co_return true;
}

/// The first domain with service is enough; it is asked first the next time.
aio::awaitable<void> Modem::Impl::read_registration() {
    const bool before = registered();
    const std::vector<std::string> domains = domains_;
    for (const std::string& domain : domains) {
        const bool answered = co_await read_domain(domain);
        if (!answered) co_return;
        if (!network_.usable_by(domain)) continue;  // what another domain said a while ago is no news
        const auto at = std::ranges::find(domains_, domain);
        if (at != domains_.end()) std::rotate(domains_.begin(), at, at + 1);
        break;
    }
    note_registration(before);
}

void Modem::Impl::note_registration(bool before) {
    status_.registration = network_.stat();
    if (registered()) reject_cause_asked_ = false;
    if (before != registered()) log_.info("registration", {{"stat", status_.registration}});
}

aio::awaitable<void> Modem::Impl::read_operator() {
    const auto signal = co_await ask("+CSQ");
    if (!signal) co_return;
    status_.rssi_dbm = at::parse_csq(*signal);
    if (!registered()) co_return;
    const auto lines = co_await ask("+COPS?");
    if (lines) status_.operator_name = at::parse_cops(*lines).value_or("");
}

/// Row 18: software and hardware switch of some sticks. The first is switched on by the profile's commands; the second is a person's.
aio::awaitable<End> Modem::Impl::read_radio_switch() {
    radio_switched_off_ = false;
    if (profile_->radio_switch.empty()) co_return End::ok;
    const auto lines = co_await ask(std::string{profile_->radio_switch});
    if (!lines) co_return end_of(lines.error());
    const auto state = at::parse_numbers(*lines);
    radio_switched_off_ = state.size() >= 2 && state[1] == 0;
    co_return condition();
}

/// Why the network refused: +CREG=3 adds the cause to the answer; AT+CEER has words on some modems. The URC mode is set back.
aio::awaitable<void> Modem::Impl::read_reject_cause() {
    reject_cause_asked_ = true;
    std::optional<int> cause;
    const std::vector<std::string> domains = domains_;
    for (const std::string& domain : domains) {
        const auto set = co_await tell(domain + "=3");
        if (!set) co_return;
        if (!*set) continue;
        const auto lines = co_await ask(domain + "?");
        if (!lines) co_return;
        if (!cause) cause = at::parse_reject_cause(*lines);
        const auto back = co_await tell(domain + "=1");
        if (!back) co_return;
        if (cause) break;
    }
    const auto words = co_await ask("+CEER");
    if (!words) co_return;
    network_.rejected(cause, at::parse_ceer(*words));
    log_.warning("registration-denied", {{"cause", cause.value_or(0)}, {"text", network_.sentence()}});
}

/// After each poll. A modem that works in any domain is left alone.
aio::awaitable<End> Modem::Impl::watch_network() {
    if (registered()) {
        ladder_.healthy(last_poll_);
        network_trouble_at_ = {};
    } else {
        ladder_.answers(last_poll_);
    }
    if (!registered() && network_.stat() == 3 && !reject_cause_asked_) co_await read_reject_cause();
    const Instant now = BootClock::now();
    const auto trouble = network_.trouble(now);
    if (trouble && now >= network_trouble_at_) co_await recover(*trouble);
    publish();
    co_return condition();
}

std::vector<Advice> Modem::Impl::advise(Instant now) const {
    std::vector<Advice> out;
    if (const auto power = power_.verdict(now)) out.push_back({"power-supply", *power});
    if (radio_switched_off_)
        out.push_back(
            {"radio-switch", "The modem's hardware radio switch is off: it cannot register. Slide the switch, or wire W_DISABLE high."});
    if (network_.plan_without_sms())
        out.push_back(
            {"plan-without-sms",
             "Packet service works, but the network refuses the voice and SMS domain (+CREG: 3): the plan may have no SMS. Ask the "
             "operator; what is sent meanwhile may be refused."});
    if (open_endings_ >= open_endings_for_advice && registered()) {
        const auto commands = profile_->bearer.empty() ? std::string{"AT+CGSMS=3, then AT+CGSMS=1"} : joined(profile_->bearer);
        out.push_back({"bearer", "Registered, but the network did not answer the last " + std::to_string(open_endings_) +
                                     " submissions: SMS over LTE may not work with this operator. A person may try, one at a time with "
                                     "`conductorctl modem at`: " +
                                     commands + "."});
    }
    const bool refuses_memories =
        !stores_.empty() && std::ranges::all_of(stores_, [&](const std::string& memory) { return memory_refusals_.contains(memory); });
    if (refuses_memories)
        out.push_back({"memories-refused",
                       "The modem answers, but refuses to show any memory for messages: what it receives waits there. It is asked again "
                       "each minute. If that lasts, restart it (conductorctl modem reset), or re-seat or replace the SIM."});
    if (!reset_refused_.empty())
        out.push_back({"reset-helper", "The modem needs its power cycled, and nothing here could do that (" + reset_refused_ +
                                           "): enable conductor-reset@" + std::to_string(settings_.index) +
                                           ".path, or set reset.command."});
    if (ladder_.rung() == Rung::human)
        out.push_back({"human", "Every remedy was tried. Unplug the modem, check cable and supply, and plug it in again."});
    return out;
}

}  // namespace conductor::driver
