#pragma once
// A small modem in memory behind a ByteStream: answers AT commands from a table, takes PDUs, holds a storage, and misbehaves on request.
#include <boost/asio/post.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "modem/driver/modem.hpp"
#include "modem/port/byte_stream.hpp"

namespace conductor::driver::test {

/// The two ends of a line in memory; `lose()` is an unplugged cable.
class Line {
public:
    explicit Line(aio::Executor ex) : readable{std::move(ex)} {}
    void to_host(std::string_view octets) {
        waiting.append(octets);
        readable.raise();
    }
    void lose() {
        lost = true;
        readable.raise();
    }
    std::function<void(std::string_view)> to_modem;
    std::function<bool(std::string_view)> stuck;  ///< these octets are never taken (flow control, a stalled endpoint)
    std::size_t room = 0;                         ///< but for so many of them
    std::string waiting;
    bool lost = false, closed = false;
    bool in_turn = false;
    std::size_t piece = 4096;  ///< most octets that one read gives
    aio::Event readable;
};

class LineStream final : public port::ByteStream {
public:
    explicit LineStream(std::shared_ptr<Line> line) : line_{std::move(line)} {}
    aio::awaitable<Result<std::size_t>> read_some(std::span<std::uint8_t> into) override {
        for (;;) {
            if (line_->closed) co_return fail(port::PortErrc::closed, "read");
            if (!line_->waiting.empty()) {
                // as the reactor does: what is ready comes in turn with all else that is
                if (line_->in_turn) co_await boost::asio::post(co_await boost::asio::this_coro::executor, aio::use_awaitable);
                const std::size_t n = std::min({into.size(), line_->waiting.size(), line_->piece});
                std::copy_n(line_->waiting.begin(), n, into.begin());
                line_->waiting.erase(0, n);
                co_return n;
            }
            if (line_->lost) co_return fail(port::PortErrc::lost, "read");
            co_await line_->readable.wait();
        }
    }
    aio::awaitable<Result<void>> write(std::span<const std::uint8_t> octets) override {
        if (line_->closed) co_return fail(port::PortErrc::closed, "write");
        if (line_->lost) co_return fail(port::PortErrc::lost, "write");
        const std::string text{octets.begin(), octets.end()};
        if (line_->stuck && line_->stuck(text)) {
            co_await aio::sleep_for(std::chrono::hours{1});
            co_return fail(port::PortErrc::io, "write");
        }
        line_->to_modem(text);
        co_return Result<void>{};
    }
    Result<std::size_t> write_now(std::span<const std::uint8_t> octets) override {
        if (line_->closed) return fail(port::PortErrc::closed, "write");
        if (line_->lost) return fail(port::PortErrc::lost, "write");
        std::string text{octets.begin(), octets.end()};
        if (line_->stuck && line_->stuck(text)) text.resize(std::min(line_->room, text.size() - 1));
        if (!text.empty()) line_->to_modem(text);
        return text.size();
    }
    void close() override {
        line_->closed = true;
        line_->readable.raise();
    }

private:
    std::shared_ptr<Line> line_;
};

/// All that comes back where one line of information is answered.
inline std::string info(const std::string& text) {
    return "\r\n" + text + "\r\n\r\nOK\r\n";
}

/// Answers. Everything is a public knob; each received command is in `log`.
class ScriptedModem {
public:
    explicit ScriptedModem(std::shared_ptr<Line> line) : line_{std::move(line)} {
        line_->to_modem = [this](std::string_view octets) { take(octets); };
    }

    std::map<std::string, std::string> answers;                ///< whole command line -> all that comes back; else the built-in answer
    std::function<void(const std::string& line)> on_command;   ///< before its answer
    std::function<bool(const std::string& pdu)> on_pdu;        ///< true: it has answered (or not) itself
    std::map<int, std::string> storage;                        ///< of "ME" and "MT": index -> "stat,,length\r\nPDU"
    std::map<std::string, std::map<int, std::string>> others;  ///< the same of "SM", "SR" ...
    std::map<std::string, int> swallow;                        ///< whole command line -> how often it gets no answer at all
    std::function<std::string(int)> on_stored;                 ///< all that AT+CMSS=index answers; empty: nothing. Unset: ERROR
    std::function<std::string(int)> on_write;                  ///< all that a written AT+CMGW answers; unset: its index
    std::vector<std::string> log, pdus;
    bool mute = false, no_prompt = false, echo = false, can_echo = true;
    int lose_at = -1, urc_at = -1;  ///< of the text behind a prompt: this octet is lost, once; a URC comes behind so many
    int next_mr = 1;
    std::string memory = "ME", write_memory = "ME", receive_memory = "ME";  ///< the three of AT+CPMS
    std::optional<std::string> terse;  ///< after ATV0 or ATQ1: all that comes back to anything, until V1 and Q0
    bool one_store = false;            ///< SM and ME are one (row 73)
    int slots = 20;                    ///< of each memory
    bool undeletable = false;          ///< AT+CMGD is refused

    void say(std::string_view text) { line_->to_host("\r\n" + std::string{text} + "\r\n"); }
    void raw(std::string_view text) { line_->to_host(text); }
    bool saw(std::string_view command) const {
        for (const std::string& line : log)
            if (line == command) return true;
        return false;
    }
    std::size_t count(std::string_view prefix) const {
        std::size_t n = 0;
        for (const std::string& line : log) n += line.starts_with(prefix) ? 1U : 0U;
        return n;
    }
    std::map<int, std::string>& in(const std::string& name) { return name == "ME" || name == "MT" || one_store ? storage : others[name]; }
    void mark(int index, int stat) { storage[index].replace(0, 1, std::to_string(stat)); }
    void store(int index, const std::string& pdu_hex, int smsc_octets = 8) { store_in("ME", index, pdu_hex, smsc_octets); }
    void store_in(const std::string& name, int index, const std::string& pdu_hex, int smsc_octets = 8) {
        in(name)[index] = "0,," + std::to_string(pdu_hex.size() / 2 - static_cast<std::size_t>(smsc_octets)) + "\r\n" + pdu_hex;
    }

private:
    void take(std::string_view octets) {
        for (const char c : octets) {
            if (prompting_) {
                if (c == '\x1a') {
                    prompting_ = false;
                    if (std::exchange(writing_, false)) {
                        raw(write(std::exchange(input_, {})));
                        continue;
                    }
                    pdus.push_back(input_);
                    const std::string pdu = std::exchange(input_, {});
                    if (!on_pdu || !on_pdu(pdu)) raw("\r\n+CMGS: " + std::to_string(next_mr++) + "\r\n\r\nOK\r\n");
                } else if (c == '\x1b') {
                    prompting_ = writing_ = false;
                    input_.clear();
                } else if (lose_at != static_cast<int>(input_.size())) {
                    input_ += c;
                    if (echo) raw(std::string{c});
                    if (urc_at == static_cast<int>(input_.size())) raw("\r\n+CMTI: \"ME\",3\r\n");
                } else {
                    lose_at = -1;
                }
                continue;
            }
            if (c == '\x1b') continue;
            if (c != '\r') {
                input_ += c;
                continue;
            }
            const std::string line = std::exchange(input_, {});
            if (!line.empty()) command(line);
        }
    }

    void command(const std::string& line) {
        log.push_back(line);
        if (mute) return;
        if (on_command) on_command(line);
        if (line.find("V1Q0") != std::string::npos) terse.reset();
        if (terse) return raw(*terse);
        if (echo) raw(line + "\r");
        if (line.starts_with("ATE0")) echo = false;
        if (line == "ATE1") echo = can_echo;
        if (const auto found = swallow.find(line); found != swallow.end() && found->second > 0) {
            --found->second;
            return;
        }
        const auto known = answers.find(line);
        if (line.starts_with("AT+CPMS=\"") && (known == answers.end() || known->second.ends_with("OK\r\n"))) select(line);
        if (known != answers.end()) return raw(known->second);
        if (line.starts_with("AT+CMSS=")) return raw(on_stored ? on_stored(std::stoi(line.substr(8))) : "\r\nERROR\r\n");
        if (line.starts_with("AT+CMGS=") || line.starts_with("AT+CMGW=")) {
            if (no_prompt) return;
            prompting_ = true;
            writing_ = line[6] == 'W';
            return raw("\r\n> ");
        }
        if (line.starts_with("AT+CMGL")) return raw(list() + "\r\nOK\r\n");
        if (line.starts_with("AT+CMGR=")) {
            const auto& here = in(memory);
            const auto found = here.find(std::stoi(line.substr(8)));
            return raw(found == here.end() ? "\r\nOK\r\n" : "\r\n+CMGR: " + found->second + "\r\n\r\nOK\r\n");
        }
        if (line.starts_with("AT+CMGD=") && undeletable) return raw("\r\n+CMS ERROR: 300\r\n");
        if (line.starts_with("AT+CMGD=")) {
            in(memory).erase(std::stoi(line.substr(8)));
            return raw("\r\nOK\r\n");
        }
        raw(built_in(line));
    }

    /// The first free slot from 1, "stored unsent".
    std::string write(const std::string& hex) {
        int index = 1;
        auto& here = in(write_memory);
        while (here.contains(index)) ++index;
        here[index] = "2,," + std::to_string(hex.size() / 2 - 1) + "\r\n" + hex;
        return on_write ? on_write(index) : "\r\n+CMGW: " + std::to_string(index) + "\r\n\r\nOK\r\n";
    }

    std::string list() {
        std::string out;
        for (const auto& [index, entry] : in(memory)) out += "\r\n+CMGL: " + std::to_string(index) + "," + entry;
        return out;
    }

    std::string built_in(const std::string& line) {
        const auto info = [](const std::string& text) { return "\r\n" + text + "\r\n\r\nOK\r\n"; };
        if (line == "AT+CGMI") return info("Example");
        if (line == "AT+CGMM") return info("EX100");
        if (line == "AT+CGMR") return info("1.0");
        if (line == "AT+CGSN") return info("350000000000017");
        if (line == "AT+CPIN?") return info("+CPIN: READY");
        if (line == "AT+CCID") return info("+CCID: \"8988200000000000017F\"");
        if (line == "AT+CIMI") return info("001010000000017");
        if (line == "AT+CNUM") return info("+CNUM: ,\"+15550100117\",145");
        if (line == "AT+CPMS=?") return info("+CPMS: (\"SM\",\"ME\"),(\"SM\",\"ME\"),(\"SM\",\"ME\")");
        if (line == "AT+CPMS?")
            return info("+CPMS: \"" + memory + "\"," + use(memory) + ",\"" + write_memory + "\"," + use(write_memory) + ",\"" +
                        receive_memory + "\"," + use(receive_memory));
        if (line.starts_with("AT+CPMS=")) return info("+CPMS: " + use(memory) + "," + use(write_memory) + "," + use(receive_memory));
        if (line.starts_with("AT+CNMI=")) {
            cnmi_ = line.substr(8);
            return info("");
        }
        if (line == "AT+CNMI?") return info("+CNMI: " + cnmi_);
        if (line == "AT+CSCA?") return info("+CSCA: \"+15550100199\",145");
        if (line == "AT+CREG?") return info("+CREG: 1,1");
        if (line == "AT+CSQ") return info("+CSQ: 20,99");
        if (line == "AT+COPS?") return info("+COPS: 0,0,\"Example\"");
        return "\r\nOK\r\n";
    }
    /// "ME" stands at 9, the second memory at 14, the third at 19.
    void select(const std::string& line) {
        memory = line.substr(9, 2);
        if (line.size() > 14) write_memory = line.substr(14, 2);
        if (line.size() > 19) receive_memory = line.substr(19, 2);
    }
    std::string use(const std::string& name) { return std::to_string(in(name).size()) + "," + std::to_string(slots); }

    std::shared_ptr<Line> line_;
    std::string input_, cnmi_ = "0,0,0,0,0";
    bool prompting_ = false, writing_ = false;
};

/// A Host in memory. Everything it was told is in its members.
class FakeHost final : public Host {
public:
    explicit FakeHost(aio::Executor ex) : wake_{std::move(ex)} {}
    std::deque<Submission> queue;
    std::vector<SubmitOutcome> outcomes, late_refusals;
    std::vector<Incoming> incoming;
    std::vector<WallTime> clocks;
    std::vector<int> late;
    std::vector<std::string> states;  ///< "ready", "blocked:pin-needed" ...
    std::vector<std::string> pins;
    int descriptors = 0;
    bool stop = false, on = true, sim_ok = true, pin_ok = true;
    int persist_failures = 0;
    std::function<bool(const Incoming&)> refuses;  ///< whom persist() refuses
    bool usb_reset = false, power_reset = false, helper = true;
    std::vector<std::string> resets;  ///< "usb", "power"
    int settled_alone = 0;            ///< outcomes behind which nothing could follow
    std::function<void()> on_outcome, on_incoming, on_change, on_reset;
    // journal = "modem"
    std::vector<std::pair<std::int64_t, std::optional<StoredAt>>> slots_noted;
    std::vector<SlotReading> readings;
    std::vector<StoredAt> removed;
    std::string storing;
    SlotRuling ruling = SlotRuling::leave;
    bool note_fails = false;

    aio::awaitable<std::optional<Submission>> next(std::optional<SubmitOutcome> finished, bool available) override {
        if (finished) {
            outcomes.push_back(*finished);
            settled_alone += !available;
            if (on_outcome) on_outcome();
        }
        if (!available || queue.empty()) co_return std::nullopt;
        Submission first = std::move(queue.front());
        queue.pop_front();
        co_return first;
    }
    aio::Event& wake() override { return wake_; }
    Instant next_due() const override { return Instant::max(); }
    aio::awaitable<Result<void>> persist(Incoming one) override {
        if (refuses && refuses(one)) co_return fail(port::PortErrc::io, "store");
        if (persist_failures > 0) {
            --persist_failures;
            co_return fail(port::PortErrc::io, "store");
        }
        incoming.push_back(std::move(one));
        if (on_incoming) on_incoming();
        co_return Result<void>{};
    }
    aio::awaitable<bool> note_slot(std::int64_t token, std::optional<StoredAt> at) override {
        if (note_fails) co_return false;
        slots_noted.emplace_back(token, std::move(at));
        co_return true;
    }
    aio::awaitable<std::vector<SlotRuling>> judge_slots(SlotReading reading) override {
        std::vector<SlotRuling> rulings(reading.slots.size(), ruling);
        readings.push_back(std::move(reading));
        co_return rulings;
    }
    void slots_removed(std::vector<StoredAt> slots) override { removed.insert(removed.end(), slots.begin(), slots.end()); }
    aio::awaitable<std::string> storing_of(Identity) override { co_return storing; }
    aio::awaitable<void> remember_storing(Identity, std::string word) override {
        storing = std::move(word);
        co_return;
    }
    aio::awaitable<void> late_reference(int tp_mr) override {
        late.push_back(tp_mr);
        co_return;
    }
    aio::awaitable<void> late_refusal(SubmitOutcome outcome) override {
        late_refusals.push_back(std::move(outcome));
        co_return;
    }
    aio::awaitable<bool> may_enter_pin(Identity who, std::string pin, std::optional<int> tries) override {
        pins.push_back(who.iccid + "/" + pin);
        pin_tries = tries;
        pin_answered = false;
        co_return pin_ok;
    }
    aio::awaitable<void> note_pin(Identity who, std::string pin, PinNews news) override {
        if (news == PinNews::open && pin_answered) accepted_pins.push_back(who.iccid + "/" + pin);
        pin_answered = news == PinNews::answered;
        co_return;
    }
    aio::awaitable<bool> knows_sim(std::string iccid) override { co_return iccid.empty() || foreign_sim != iccid; }
    void noted(std::string_view what, std::string detail) override { notes.emplace_back(what, std::move(detail)); }
    void incident(std::string_view kind) override { incidents.emplace_back(kind); }
    Instant balance_due() const override { return ask_balance_at; }
    std::string balance_code() override {
        ask_balance_at = Instant::max();
        return "*100#";
    }
    void balance_answered(Result<std::string> text) override { balances.push_back(std::move(text)); }
    bool has_note(std::string_view what) const {
        return std::ranges::any_of(notes, [&](const auto& n) { return n.first == what; });
    }
    std::vector<std::string> accepted_pins, incidents;
    std::optional<int> pin_tries;
    bool pin_answered = false;
    std::string foreign_sim;  ///< its ICCID
    std::vector<std::pair<std::string, std::string>> notes;
    std::vector<Result<std::string>> balances;
    Instant ask_balance_at = Instant::max();
    aio::awaitable<bool> accepts_sim(Identity) override { co_return sim_ok; }
    void changed(const ModemStatus& status) override {
        std::string word{to_string(status.state)};
        if (!status.reason.empty()) word += ":" + status.reason;
        if (states.empty() || states.back() != word) states.push_back(word);
        if (on_change) on_change();
    }
    void clock_read(WallTime time) override { clocks.push_back(time); }
    bool can_reset(HardReset how, const std::string&) const override { return how == HardReset::usb ? usb_reset : power_reset; }
    aio::awaitable<Result<void>> hard_reset(HardReset how, std::string) override {
        resets.emplace_back(how == HardReset::usb ? "usb" : "power");
        if (on_reset) on_reset();
        if (!helper) co_return fail(port::PortErrc::not_found, "helper");
        co_return Result<void>{};
    }
    void port_changed(int) override { ++descriptors; }
    bool enabled() const override { return on; }
    bool stopping() const override { return stop; }

private:
    aio::Event wake_;
};

}  // namespace conductor::driver::test
