// The settings that SMS depends on: what the modem had, what it was told, and what it has now. What the first submission needs is read
// before it, the rest when nothing waits.
#include <algorithm>

#include "modem/driver/modem_impl.hpp"

namespace conductor::driver {

namespace {

constexpr std::size_t longest_value = 120;
constexpr std::string_view before_first_submission[] = {"CSMS", "CNMI", "CPMS"}, report_only[] = {"CSCS", "CSMP", "CGSMS"},
                           audited[] = {"CMGF", "CSMS", "CNMI", "CPMS", "CSCA", "CSCS", "CSMP", "CGSMS"};

/// What stands behind "+CMGF:", without quotes; empty for the test form that some modems answer a read with (T15).
std::string value_of(const std::vector<std::string>& lines) {
    if (lines.empty()) return {};
    std::string text{at::trim(std::string_view{lines[0]}.substr(std::min(lines[0].find(':') + 1, lines[0].size())))};
    if (text.starts_with("(")) return {};
    std::erase(text, '"');
    if (text.size() > longest_value) text.resize(longest_value);
    return text;
}

std::string before_comma(const std::string& value) {
    return std::string{at::trim(std::string_view{value}.substr(0, value.find(',')))};
}

/// The first figures of two lists are the same: "2,1,0,1" and "2,1,0,1,0".
bool same_list(std::string_view a, std::string_view b) {
    return a.substr(0, std::min(a.size(), b.size())) == b.substr(0, std::min(a.size(), b.size()));
}

/// The memory of the third list of +CPMS: SM,3,20,ME,0,23,ME,0,23; of the last one where there are fewer.
std::string receive_memory(const std::vector<std::string>& lines) {
    const auto use = at::parse_cpms(lines);
    return use.empty() ? std::string{} : use.back().memory;
}

/// Whether a found value is the wanted one, by the setting's own idea of equality.
bool holds(const ModemStatus::Setting& s, const std::string& value) {
    if (s.wanted.empty() || value.empty()) return true;
    if (s.name == "CNMI") return same_list(value, s.wanted);
    if (s.name == "CSMS") return before_comma(value) == s.wanted;
    return value == s.wanted;
}

}  // namespace

aio::awaitable<Result<std::string>> Modem::Impl::read_setting(std::string name) {
    const auto lines = co_await ask("+" + name + "?");
    if (!lines) co_return lines.error();
    if (name == "CPMS") co_return receive_memory(*lines);
    if (name == "CSCA") co_return at::parse_csca(*lines).value_or("");
    co_return value_of(*lines);
}

/// PDU mode first: SMS commands answer ERROR for a while after the start (T55), so this one is patient. Nothing is written that is so
/// already: a daemon that starts again finds its modem as it left it.
aio::awaitable<End> Modem::Impl::set_up_mode() {
    found_.clear();
    audit_wanted_ = true;
    auto mode = co_await read_setting("CMGF");
    if (!mode) co_return end_of(mode.error());
    found_["CMGF"] = std::move(*mode);
    if (found_["CMGF"] != "0") {
        const auto done = co_await patient("+CMGF=0", BootClock::now() + profile_->sms_ready);
        if (!done) co_return end_of(done.error());
        if (!done->ok()) log_.warning("no-pdu-mode", {{"result", at::word(done->final)}});
        End end = End::ok;
        if (done->ok()) unset_rounds_ = 0;
        if (!done->ok()) end = co_await without_pdu_mode();
        if (end != End::ok) co_return end;
    }
    if (found_["CMGF"] == "0") unset_rounds_ = 0;
    for (const std::string_view name : before_first_submission) {
        auto value = co_await read_setting(std::string{name});
        if (!value) co_return end_of(value.error());
        found_[std::string{name}] = std::move(*value);
    }
    co_return End::ok;
}

/// AT+CMGF=0 was refused. In text mode AT+CMGS takes the length for a number and the PDU's octets for a text, so nothing may be sent; a
/// modem that has no such setting at all knows PDUs alone.
aio::awaitable<End> Modem::Impl::without_pdu_mode() {
    constexpr int patience = 3;  // bring-ups, each with a wait of its own
    auto mode = co_await read_setting("CMGF");
    if (!mode) co_return end_of(mode.error());
    if (*mode == "0") {
        unset_rounds_ = 0;
        co_return End::ok;
    }
    if (++unset_rounds_ < patience) co_return End::again;
    if (mode->empty()) co_return End::ok;
    co_return block("no-pdu-mode",
                    "The modem stays in text mode (AT+CMGF=0 is refused), so nothing can be sent or read; power it off and on.");
}

/// Some modems apply the first memory alone until they were given another one (row 71).
aio::awaitable<Result<void>> Modem::Impl::verify_receive_store() {
    const std::string& found = found_["CPMS"];
    if (receive_store_.empty() || found == receive_store_) co_return Result<void>{};
    for (int round = 0; round < 2; ++round) {
        const auto now = co_await read_setting("CPMS");
        if (!now) co_return now.error();
        if (now->empty() || *now == receive_store_) co_return Result<void>{};
        log_.warning("receive-store-not-applied", {{"wanted", receive_store_}, {"found", *now}});
        std::vector<std::string> turn{*now, receive_store_};
        for (const std::string& memory : stores_)
            if (memory != receive_store_ && memory != "SR") turn.insert(turn.begin() + 1, memory);
        for (const std::string& m : turn) {
            const auto done = co_await tell("+CPMS=\"" + m + "\",\"" + m + "\",\"" + m + "\"");
            if (!done) co_return done.error();
        }
        selected_.clear();
    }
    co_return Result<void>{};
}

/// The centre is read at each bring-up, set where it is configured, and put back where the modem lost it (rows 62, 84).
aio::awaitable<End> Modem::Impl::set_up_centre() {
    auto number = co_await read_setting("CSCA");
    if (!number) co_return end_of(number.error());
    if (!found_.contains("CSCA")) found_["CSCA"] = *number;
    status_.smsc = *number;
    const auto known = centres_.find(status_.identity.iccid);
    std::string wanted = settings_.smsc;
    if (wanted.empty() && known != centres_.end()) wanted = known->second;
    if (!wanted.empty() && status_.smsc != wanted && (!settings_.smsc.empty() || status_.smsc.empty())) {
        const auto done = co_await tell("+CSCA=\"" + wanted + "\"," + (wanted.starts_with("+") ? "145" : "129"));
        if (!done) co_return end_of(done.error());
        log_.notice("smsc-set", {{"accepted", *done}});
        number = co_await read_setting("CSCA");
        if (!number) co_return end_of(number.error());
        status_.smsc = *number;
    }
    if (!status_.smsc.empty()) centres_[status_.identity.iccid] = status_.smsc;
    co_return End::ok;
}

/// When nothing waits: the settings that only a report needs, and what became of the others. AT+CSMP and AT+CGSMS are read alone: the one
/// clears the centre on some modems (T17), the other is a technician's choice of bearer.
aio::awaitable<Result<void>> Modem::Impl::audit_settings() {
    for (const std::string_view name : report_only) {
        auto value = co_await read_setting(std::string{name});
        if (!value) co_return value.error();
        found_[std::string{name}] = std::move(*value);
    }
    const std::string alphabet = at::upper(found_["CSCS"]);
    if (alphabet == "UCS2" || alphabet == "HEX") {  // USSD codes would go out as hex, and row 56
        const auto done = co_await tell("+CSCS=\"GSM\"");
        if (!done) co_return done.error();
        const End end = co_await set_up_centre();
        if (end == End::lost) co_return fail(at::AtErrc::lost, "+CSCA");
        if (end == End::again) co_return fail(at::AtErrc::rebooted, "+CSCA");
        if (end == End::stop) co_return fail(at::AtErrc::interrupted, "+CSCA");
        if (end != End::ok) co_return fail(at::AtErrc::timeout, "+CSCA");
    }
    const auto callers = co_await tell("+CLIP=1");  // who calls
    if (!callers) co_return callers.error();
    tells_callers_ = *callers;
    std::vector<ModemStatus::Setting> all;
    for (const std::string_view name : audited) {
        ModemStatus::Setting s;
        s.name = name;
        s.found = found_[s.name];
        auto now = co_await read_setting(s.name);
        if (!now) co_return now.error();
        s.now = std::move(*now);
        if (name == "CMGF") s.wanted = "0";
        if (name == "CSMS") s.wanted = before_comma(s.now);  // chosen by what the modem accepts
        if (name == "CNMI") s.wanted = s.now;
        if (name == "CPMS") s.wanted = receive_store_;
        if (name == "CSCA") s.wanted = settings_.smsc.empty() ? centres_[status_.identity.iccid] : settings_.smsc;
        if (name == "CSCS" && s.found != s.now) s.wanted = s.now;
        if (name == "CNMI" && !indications_.empty()) {
            s.wanted.clear();
            for (const int n : indications_) s.wanted += (s.wanted.empty() ? "" : ",") + std::to_string(n);
        }
        all.push_back(std::move(s));
    }
    note_settings(std::move(all));
    co_return Result<void>{};
}

void Modem::Impl::note_settings(std::vector<ModemStatus::Setting> all) {
    std::string differences;
    for (ModemStatus::Setting& s : all) {
        const bool was = holds(s, s.found);
        s.held = holds(s, s.now);
        if (was && s.held) continue;
        differences += (differences.empty() ? "" : "; ") + s.name + " wanted " + s.wanted + ", found " + s.found;
        if (!s.held) differences += ", is " + s.now;
    }
    status_.settings = std::move(all);
    audit_wanted_ = false;
    publish();
    if (differences.empty()) return;
    log_.notice("settings-differed", {{"detail", differences}});
    host_.noted("modem-settings", differences);
}

}  // namespace conductor::driver
