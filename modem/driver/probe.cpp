#include "modem/driver/probe.hpp"

#include <algorithm>

#include "modem/at/answers.hpp"
#include "modem/driver/at_session.hpp"

namespace conductor::driver {

using namespace std::chrono_literals;

std::string_view to_string(Probe::Answer answer) {
    switch (answer) {
        case Probe::Answer::at: return "at";
        case Probe::Answer::deaf: return "deaf";
        case Probe::Answer::busy: return "busy";
        case Probe::Answer::denied: return "denied";
        case Probe::Answer::failed: return "failed";
    }
    return "?";
}

namespace {

/// The check digit of the first 14 (TS 23.003 annex B, Luhn).
char check_digit(std::string_view imei) {
    int sum = 0;
    for (std::size_t i = 0; i < 14; ++i) {
        const int digit = (imei[i] - '0') * (i % 2 == 1 ? 2 : 1);
        sum += digit / 10 + digit % 10;
    }
    return static_cast<char>('0' + (10 - sum % 10) % 10);
}

}  // namespace

bool same_imei(std::string_view a, std::string_view b) {
    if (a.size() < 14 || b.size() < 14 || a.substr(0, 14) != b.substr(0, 14)) return false;
    if (a.size() != 15 || b.size() != 15 || a == b) return true;
    const char last = check_digit(a);  // a modem may send a 0 where the label has the check digit
    return (a[14] == '0' && b[14] == last) || (b[14] == '0' && a[14] == last);
}

bool same_iccid(std::string_view a, std::string_view b) {
    return std::min(a.size(), b.size()) >= 18 && (a.starts_with(b) || b.starts_with(a));
}

aio::awaitable<Result<std::string>> ask_iccid(const profile::Profile& profile, AskLines ask) {
    for (const std::string_view form : profile.iccid) {
        const auto lines = co_await ask(std::string{form});
        if (!lines) co_return lines.error();
        if (auto number = at::parse_iccid(*lines)) co_return *number;
    }
    const auto content = co_await ask("+CRSM=176,12258,0,0,10");  // TS 102.221 §13.2; row 48
    if (!content) co_return content.error();
    co_return at::parse_crsm_iccid(*content).value_or("");
}

namespace {

/// One dialogue on an open port. An answer that does not come ends the questions: `alive` is false from then on.
class Interview {
public:
    Interview(aio::Executor ex, std::unique_ptr<port::ByteStream> stream)
        : inbox_{std::make_shared<Inbox>(ex)}, session_{std::make_shared<AtSession>(ex, std::move(stream), inbox_)} {
        session_->start();
    }

    aio::awaitable<bool> answers(int tries) {
        alive_ = co_await session_->resync(tries);
        co_return alive_;
    }

    /// The reply, also a refusal; empty once the port is silent.
    aio::awaitable<std::optional<at::Reply>> ask(std::string line) {
        if (!alive_) co_return std::nullopt;
        auto reply = co_await session_->run(std::move(line));
        if (!reply && reply.error().is(at::AtErrc::timeout)) {  // one answer may drown in URCs, two do not
            alive_ = co_await session_->resync(1);
            co_return std::nullopt;
        }
        alive_ = reply.has_value();
        if (!reply) co_return std::nullopt;
        co_return std::move(*reply);
    }

    aio::awaitable<std::vector<std::string>> lines(std::string line) {
        auto reply = co_await ask(std::move(line));
        if (!reply || !reply->ok()) co_return std::vector<std::string>{};
        co_return std::move(reply->lines);
    }

    aio::awaitable<Result<std::vector<std::string>>> result(std::string line) { co_return co_await lines(std::move(line)); }

    aio::awaitable<bool> accepts(std::string line) {
        const auto reply = co_await ask(std::move(line));
        co_return reply && reply->ok();
    }

    aio::awaitable<Result<AtAnswer>> command(std::string line) {
        at::Command c = at::command(std::move(line));
        c.shape = at::Shape::loose;
        auto reply = co_await session_->run(std::move(c));
        if (!reply) co_return reply.error();
        AtAnswer answer;
        answer.lines = std::move(reply->lines);
        answer.final_result = reply->ok() ? "OK" : at::word(reply->final);
        co_return answer;
    }

    std::vector<at::Direct> handed_over() {
        std::vector<at::Direct> all;
        for (auto& one : inbox_->handed_over) all.push_back(std::move(one.pdu));
        inbox_->handed_over.clear();
        return all;
    }

    bool urcs() const { return !inbox_->urcs.empty() || !inbox_->handed_over.empty() || inbox_->noise > 0; }

    aio::awaitable<void> end() {
        session_->close();
        co_await session_->ended();
    }

private:
    std::shared_ptr<Inbox> inbox_;
    std::shared_ptr<AtSession> session_;
    bool alive_ = false;
};

aio::awaitable<void> ask_identity(Interview& with, Probe& probe) {
    struct Question {
        const char* line;
        std::string Identity::*field;
    };
    static constexpr Question questions[] = {
        {"+CGMI", &Identity::manufacturer}, {"+CGMM", &Identity::model}, {"+CGMR", &Identity::revision}};
    for (const Question& q : questions) {
        const auto lines = co_await with.lines(q.line);
        probe.who.*q.field = at::parse_plain(lines);
    }
    const auto serial = co_await with.lines("+CGSN");
    probe.who.imei = at::parse_long_number(serial, 14).value_or("");
}

/// Reads alone: a PIN is entered by the modem's own bring-up, when it is known whose SIM this is.
aio::awaitable<void> ask_sim(Interview& with, Probe& probe, const profile::Profile& profile) {
    const auto pin = co_await with.ask("+CPIN?");
    if (pin && pin->ok()) probe.sim = at::parse_cpin(pin->lines).value_or("");
    if (pin && (pin->final.code == 10 || pin->final.code == 310)) probe.sim = "absent";
    if (probe.sim == "absent") co_return;
    const AskLines ask = [&with](std::string line) { return with.result(std::move(line)); };
    const auto iccid = co_await ask_iccid(profile, ask);
    if (iccid) probe.who.iccid = *iccid;
    const auto imsi = co_await with.lines("+CIMI");
    probe.who.imsi = at::parse_long_number(imsi, 14).value_or("");
}

/// Secondary ports take AT and a few commands alone (FIELD row 68); on some sticks only one port says what arrives (rows 3, 42).
aio::awaitable<void> ask_sms(Interview& with, Probe& probe, const profile::Profile& profile, int interface) {
    const bool pdu_mode = co_await with.accepts("+CMGF=0");
    const bool indications = co_await with.accepts("+CNMI?");
    const bool storage = co_await with.accepts("+CPMS?");
    const bool registration = co_await with.accepts("+CREG?");
    probe.urcs = with.urcs();
    probe.sms = pdu_mode;
    const bool usual = std::ranges::find(profile.at_interfaces, interface) != profile.at_interfaces.end();
    probe.score = 10 + 25 * pdu_mode + 15 * indications + 15 * storage + 10 * registration + 15 * probe.urcs + 5 * usual +
                  5 * !probe.who.imei.empty();
}

aio::awaitable<Probe> interview(Interview& with, int interface, int tries) {
    Probe probe;
    const bool answers = co_await with.answers(tries);
    if (!answers) co_return probe;
    probe.answer = Probe::Answer::at;
    co_await with.ask("E0");
    co_await with.ask("+CMEE=1");
    co_await ask_identity(with, probe);
    const profile::Profile& profile = profile::profile_for(probe.who.manufacturer, probe.who.model);
    probe.profile = profile.name;
    co_await ask_sim(with, probe, profile);
    co_await ask_sms(with, probe, profile, interface);
    co_return probe;
}

Probe unopened(const Error& error) {
    Probe probe;
    probe.answer = error.is(port::PortErrc::busy)     ? Probe::Answer::busy
                   : error.is(port::PortErrc::denied) ? Probe::Answer::denied
                                                      : Probe::Answer::failed;
    probe.problem = error.text();
    return probe;
}

}  // namespace

aio::awaitable<Probe> probe_port(aio::Executor ex, Opener opener, port::Candidate at, unsigned baud, int tries) {
    port::PortSettings settings;
    settings.baud = baud;
    auto stream = co_await opener(at.name, settings);
    if (!stream) co_return unopened(stream.error());
    Interview with{ex, std::move(*stream)};
    Probe probe = co_await interview(with, at.usb.interface, tries);
    co_await with.end();
    probe.handed_over = with.handed_over();
    co_return probe;
}

aio::awaitable<std::vector<Finding>> examine(Ask ask) {
    struct Question {
        const char* topic;
        const char* command;
    };
    static constexpr Question questions[] = {
        {"identity", "I"},           {"sim", "+CPIN?"},           {"sim", "+CNUM"},           {"registration", "+CREG?"},
        {"registration", "+CGREG?"}, {"registration", "+CEREG?"}, {"registration", "+COPS?"}, {"signal", "+CSQ"},
        {"storage", "+CPMS?"},       {"storage", "+CPMS=?"},      {"settings", "+CMGF?"},     {"settings", "+CSMS?"},
        {"settings", "+CNMI?"},      {"settings", "+CNMI=?"},     {"settings", "+CSCA?"},     {"settings", "+CSMP?"},
        {"settings", "+CSCS?"},      {"settings", "+CGSMS?"},     {"settings", "+CFUN?"}};
    std::vector<Finding> findings;
    for (const Question& q : questions) {
        auto answer = co_await ask(q.command);
        Finding finding;
        finding.topic = q.topic;
        finding.command = std::string{"AT"} + q.command;
        finding.result = answer ? answer->final_result : answer.error().text();
        if (answer) finding.lines = std::move(answer->lines);
        findings.push_back(std::move(finding));
        if (!answer && (answer.error().is(at::AtErrc::lost) || answer.error().is(at::AtErrc::not_open))) break;
    }
    co_return findings;
}

aio::awaitable<Examined> examine_port(aio::Executor ex, Opener opener, port::Candidate at, unsigned baud) {
    Examined result;
    port::PortSettings settings;
    settings.baud = baud;
    auto stream = co_await opener(at.name, settings);
    if (!stream) {
        result.probe = unopened(stream.error());
        co_return result;
    }
    Interview with{ex, std::move(*stream)};
    result.probe = co_await interview(with, at.usb.interface, 3);
    if (result.probe.answer == Probe::Answer::at) {
        const Ask ask = [&with](std::string line) { return with.command(std::move(line)); };
        result.findings = co_await examine(ask);
    }
    co_await with.end();
    result.probe.handed_over = with.handed_over();
    co_return result;
}

}  // namespace conductor::driver
