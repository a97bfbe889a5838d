// Command lines and answers (V.250 §5).
#include <algorithm>
#include <utility>

#include "tools/modemsim/core/modem.hpp"

namespace conductor::modemsim {
namespace {

constexpr std::size_t line_limit = 2048;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
char upper(char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
}
bool is_letter(char c) {
    return upper(c) >= 'A' && upper(c) <= 'Z';
}
std::string_view trimmed(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
}

// TS 27.007 §9.2 and TS 27.005 §3.2.5 in words, for +CMEE=2.
std::string_view words(bool cms, int code) {
    struct Row {
        bool cms;
        int code;
        std::string_view text;
    };
    static constexpr std::array rows{Row{false, 3, "operation not allowed"},
                                     Row{false, 4, "operation not supported"},
                                     Row{false, 10, "SIM not inserted"},
                                     Row{false, 11, "SIM PIN required"},
                                     Row{false, 12, "SIM PUK required"},
                                     Row{false, 14, "SIM busy"},
                                     Row{false, 16, "incorrect password"},
                                     Row{false, 30, "no network service"},
                                     Row{false, 50, "incorrect parameters"},
                                     Row{false, 100, "unknown"},
                                     Row{true, 302, "operation not allowed"},
                                     Row{true, 304, "invalid PDU mode parameter"},
                                     Row{true, 305, "invalid text mode parameter"},
                                     Row{true, 310, "SIM not inserted"},
                                     Row{true, 311, "SIM PIN required"},
                                     Row{true, 316, "SIM PUK required"},
                                     Row{true, 321, "invalid memory index"},
                                     Row{true, 322, "memory full"},
                                     Row{true, 330, "SMSC address unknown"},
                                     Row{true, 331, "no network service"},
                                     Row{true, 332, "network timeout"},
                                     Row{true, 500, "unknown error"}};
    const auto row = std::ranges::find_if(rows, [&](const Row& r) { return r.cms == cms && r.code == code; });
    return row == rows.end() ? std::string_view{} : row->text;
}

}  // namespace

void SimModem::typed(char c) {
    if (session_.echo && c != '\n') put(std::string_view{&c, 1});
    if (c == '\r') {
        run_line(std::exchange(line_, {}));
    } else if (c == '\b' || c == 0x7f) {
        if (!line_.empty()) line_.pop_back();
    } else if (c == 0x1b) {
        line_.clear();
    } else if (c != '\n') {
        line_.push_back(c);
        if (line_.size() > line_limit) line_.clear();
    }
}

void SimModem::run_line(std::string line) {
    const auto at = std::ranges::search(line, std::string_view{"AT"}, {}, upper).begin();
    if (at == line.end()) return;
    if (faults_.ignored.fire(random_)) return;
    ++counters_.commands;
    if (profile_->double_echo_ate0 && session_.echo && upper(line.back()) == '0' && line.size() == 4 && upper(line[2]) == 'E')
        put(line + "\r");
    rest_.assign(at + 2, line.end());
    info_.clear();
    run_rest();
}

void SimModem::run_rest() {
    mode_ = Mode::busy;
    std::string_view rest = rest_;
    Outcome outcome;
    while (outcome.kind == Outcome::Kind::ok) {
        while (!rest.empty() && (rest.front() == ' ' || rest.front() == ';')) rest.remove_prefix(1);
        if (rest.empty()) break;
        if (is_letter(rest.front()) || rest.front() == '&' || rest.front() == '\\') {
            outcome = run_basic(rest);
            continue;
        }
        bool quoted = false;
        std::size_t end = 0;
        for (; end < rest.size() && (quoted || rest[end] != ';'); ++end) quoted ^= rest[end] == '"';
        const Call call = parse_call(trimmed(rest.substr(0, end)));
        rest.remove_prefix(end);
        outcome = run_extended(call);
    }
    if (!powered_) return;
    if (outcome.kind == Outcome::Kind::wait) {
        rest_ = std::string{rest};
        return;
    }
    finish(outcome);
}

// One of E V Q I Z H A O L M S D X P T, & and \ with a letter, and their number.
Outcome SimModem::run_basic(std::string_view& rest) {
    std::string name;
    while (!rest.empty() && (name.empty() || name == "&" || name == "\\")) {
        name.push_back(upper(rest.front()));
        rest.remove_prefix(1);
    }
    if (name == "D") {
        const bool voice = rest.ends_with(';');
        const std::string number{rest.substr(0, rest.find(';'))};
        rest = {};
        if (session_.cusd >= 0 && (number.starts_with('*') || number.starts_with('#'))) {
            answer_ussd(number);
            return ok();
        }
        return voice ? ok() : Outcome{Outcome::Kind::result, 3, "NO CARRIER"};
    }
    int value = 0;
    bool given = false;
    while (!rest.empty() && is_digit(rest.front())) {
        value = std::min(value * 10 + (rest.front() - '0'), 100'000);
        given = true;
        rest.remove_prefix(1);
    }
    if (name == "S") {
        const bool read = rest.starts_with('?');
        if (read || rest.starts_with('=')) rest.remove_prefix(1);
        while (!read && !rest.empty() && is_digit(rest.front())) rest.remove_prefix(1);
        if (read) info("000");
        return ok();
    }
    if (name == "E" && value < 2) return session_.echo = given ? value == 1 : false, ok();
    if (name == "V" && value < 2) return session_.verbose = value == 1, ok();
    if (name == "Q" && value < 2) return session_.quiet = value == 1, ok();
    if (name == "I") {
        info("Manufacturer: " + profile_->manufacturer);
        info("Model: " + profile_->model);
        info("Revision: " + profile_->revision);
        info("IMEI: " + imei_);
        return ok();
    }
    if (name == "Z") return session_ = saved_, ok();
    if (name == "&F") return session_ = Session{}, ok();
    if (name == "&W") return saved_ = session_, ok();
    if (name == "H") return hang_up({});
    if (name == "A") return rings_left_ > 0 ? (rings_left_ = 0, ok()) : Outcome{Outcome::Kind::result, 3, "NO CARRIER"};
    static constexpr std::string_view ignored = "LMXPTOCDKSRQGYN";
    if (name == "E" || name == "V" || name == "Q") return error();
    return ignored.find(name.back()) != std::string_view::npos ? ok() : Outcome{Outcome::Kind::unknown, 0, {}};
}

Call SimModem::parse_call(std::string_view text) const {
    Call call;
    std::size_t end = 1;
    while (end < text.size() && text[end] != '=' && text[end] != '?') ++end;
    for (const char c : trimmed(text.substr(0, end))) call.name.push_back(upper(c));
    const std::string_view tail = text.substr(std::min(end, text.size()));
    if (tail.empty()) return call;
    if (tail == "?") return call.form = Call::Form::read, call;
    if (tail == "=?") return call.form = Call::Form::test, call;
    if (tail.front() != '=') return call.name += tail, call;
    call.form = Call::Form::set;
    call.raw = tail.substr(1);
    bool quoted = false;
    std::string field;
    for (const char c : call.raw) {
        if (c == '"') {
            quoted = !quoted;
        } else if (c == ',' && !quoted) {
            call.fields.emplace_back(trimmed(std::exchange(field, {})));
        } else {
            field.push_back(c);
        }
    }
    call.fields.emplace_back(trimmed(field));
    return call;
}

Outcome SimModem::run_extended(const Call& call) {
    if (!profile_->chatter_off.empty()) {
        const std::string form = call.form == Call::Form::read ? "?" : call.form == Call::Form::set ? "=" + call.raw : "";
        if (call.name + form == profile_->chatter_off) chattering_ = false;
    }
    const auto table = entries();
    const auto entry = std::ranges::find_if(table, [&](const Entry& e) { return e.name == call.name; });
    if (entry == table.end()) {
        if (!profile_->iccid_command.empty() && call.name == profile_->iccid_command) return do_iccid(call);
        if (!profile_->chatter_off.empty() && profile_->chatter_off.starts_with(call.name)) return ok();
        return {Outcome::Kind::unknown, 0, {}};
    }
    if (entry->sms && !sms_ready_) return error();
    return (this->*entry->handler)(call);
}

std::string SimModem::wrap(const std::string& line) const {
    return session_.verbose ? "\r\n" + line + "\r\n" : line + "\r\n";
}

void SimModem::info(const std::string& line) {
    if (info_.empty() && session_.verbose) info_ = "\r\n";
    info_ += line + "\r\n";
}

std::string SimModem::final_text(const Outcome& o) const {
    const auto coded = [&](bool is_cms) {
        const std::string name = is_cms ? "+CMS ERROR: " : "+CME ERROR: ";
        const std::string_view text = session_.cmee == 2 ? words(is_cms, o.code) : std::string_view{};
        return wrap(name + (text.empty() ? std::to_string(o.code) : std::string{text}));
    };
    const auto plain = [&](const std::string& word, int number) { return session_.verbose ? wrap(word) : std::to_string(number) + "\r"; };
    switch (o.kind) {
        case Outcome::Kind::ok: return plain("OK", 0);
        case Outcome::Kind::error: return plain("ERROR", 4);
        case Outcome::Kind::cms: return o.code < 0 ? plain("ERROR", 4) : coded(true);
        case Outcome::Kind::cme: return session_.cmee == 0 ? plain("ERROR", 4) : coded(false);
        case Outcome::Kind::result: return plain(o.text, o.code);
        case Outcome::Kind::unknown: return profile_->unknown == "ERROR" ? plain("ERROR", 4) : wrap(profile_->unknown);
        case Outcome::Kind::wait: break;
    }
    return {};
}

void SimModem::finish(const Outcome& outcome) {
    std::string text = std::exchange(info_, {});
    if (faults_.urc_inside.fire(random_)) text += "\r\n" + faults_.urc + "\r\n";
    if (!session_.quiet) text += final_text(outcome);
    put(text);
    rest_.clear();
    release();
}

Outcome SimModem::simple(const Call& call, int& value, int most, const char* range) {
    if (call.form == Call::Form::test) return info(call.name + ": (" + range + ")"), ok();
    if (call.form == Call::Form::read) return info(call.name + ": " + std::to_string(value)), ok();
    const int wanted = call.form == Call::Form::execute ? 0 : call.number(0, 0);
    if (wanted < 0 || wanted > most) return error();
    value = wanted;
    return ok();
}

}  // namespace conductor::modemsim
