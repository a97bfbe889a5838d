// Registration, operator, radio, calls and USSD.
#include <fmt/format.h>

#include <utility>

#include "tools/modemsim/core/modem.hpp"
#include "tools/modemsim/core/network.hpp"

namespace conductor::modemsim {
namespace {

constexpr std::array<std::string_view, 3> creg_names{"+CREG", "+CGREG", "+CEREG"};
constexpr Duration ring_period{3000};

}  // namespace

Outcome SimModem::do_creg(const Call& call) {
    const std::size_t which = call.name == "+CREG" ? 0 : call.name == "+CGREG" ? 1 : 2;
    if (call.form == Call::Form::test) return info(call.name + ": (0-2)"), ok();
    if (call.form != Call::Form::read) {
        const int n = call.number(0, 0);
        if (n < 0 || n > 2) return cme(50);
        session_.creg[which] = n;
        return ok();
    }
    const int stat = cfun_ == 1 && sim_.present && sim_unlocked_ ? registration_.stat[which] : 0;
    std::string line = fmt::format("{}: {},{}", call.name, session_.creg[which], stat);
    if (session_.creg[which] == 2 && (stat == 1 || stat == 5 || stat >= 6)) {
        line += fmt::format(",\"{}\",\"{}\",{}", registration_.area, registration_.cell, registration_.access);
    }
    info(line);
    return ok();
}

void SimModem::creg_urc(std::size_t which) {
    if (!powered_ || session_.creg[which] == 0) return;
    const int stat = cfun_ == 1 && sim_.present && sim_unlocked_ ? registration_.stat[which] : 0;
    std::string line = fmt::format("{}: {}", creg_names[which], stat);
    if (session_.creg[which] == 2 && (stat == 1 || stat == 5 || stat >= 6)) {
        line += fmt::format(",\"{}\",\"{}\",{}", registration_.area, registration_.cell, registration_.access);
    }
    urc(line);
}

Outcome SimModem::do_cops(const Call& call) {
    if (call.form == Call::Form::test) {
        info("+COPS: (2,\"Example Mobile\",\"Example\",\"00101\",7),,(0,1,2,3,4),(0,1,2)");
        return ok();
    }
    if (call.form == Call::Form::read) {
        const bool attached = reachable();
        static constexpr std::array<std::string_view, 3> names{"Example Mobile", "Example", "00101"};
        info(attached ? fmt::format("+COPS: 0,{},\"{}\",{}", session_.cops_format, names[static_cast<std::size_t>(session_.cops_format)],
                                    registration_.access)
                      : std::string{"+COPS: 0"});
        return ok();
    }
    const int mode = call.number(0, 0), format = call.number(1, session_.cops_format);
    if (mode < 0 || mode > 4 || format < 0 || format > 2) return cme(50);
    session_.cops_format = format;
    if (mode == 2) set_registration({{0, 0, 0}, registration_.area, registration_.cell, registration_.access});
    if (mode == 0 || mode == 1) {
        if (registration_.stat == std::array{0, 0, 0}) set_registration({{1, 1, 1}, registration_.area, registration_.cell, 7});
    }
    return ok();
}

Outcome SimModem::do_csq(const Call& call) {
    if (call.form == Call::Form::test) return info("+CSQ: (0-31,99),(0-7,99)"), ok();
    info(fmt::format("+CSQ: {},99", cfun_ == 1 ? signal : 99));
    return ok();
}

Outcome SimModem::do_cfun(const Call& call) {
    if (call.form == Call::Form::test) return info("+CFUN: (0,1,4),(0,1)"), ok();
    if (call.form == Call::Form::read) return info(fmt::format("+CFUN: {}", cfun_)), ok();
    const int level = call.number(0, 1), reset = call.number(1, 0);
    if ((level != 0 && level != 1 && level != 4) || reset < 0 || reset > 1) return cme(50);
    if (reset == 1) {
        after(Duration{50}, [this] { reboot(Duration{1000}); });
        return ok();
    }
    const int before = std::exchange(cfun_, level);
    if (before != level) {
        after(Duration{level == 1 ? 300 : 50}, [this] {
            for (std::size_t i = 0; i < 3; ++i) creg_urc(i);
            if (reachable()) network_.try_mailbox(*this);
        });
    }
    return ok();
}

Outcome SimModem::do_cpas(const Call& call) {
    if (call.form == Call::Form::test) return info("+CPAS: (0,3,4)"), ok();
    info(rings_left_ > 0 ? "+CPAS: 3" : "+CPAS: 0");
    return ok();
}

Outcome SimModem::do_clip(const Call& call) {
    if (call.form == Call::Form::read) return info(fmt::format("+CLIP: {},1", session_.clip)), ok();
    return simple(call, session_.clip, 1, "0,1");
}

Outcome SimModem::do_crc(const Call& call) {
    return simple(call, session_.crc, 1, "0,1");
}

Outcome SimModem::hang_up(const Call& call) {
    if (call.form == Call::Form::test) return ok();
    rings_left_ = 0;
    return ok();
}

void SimModem::ring(std::string caller, int times) {
    if (!reachable()) return;
    caller_ = std::move(caller);
    rings_left_ = times;
    ++call_;
    ring_once();
}

void SimModem::ring_once() {
    if (rings_left_ <= 0) return;
    --rings_left_;
    urc(session_.crc ? "+CRING: VOICE" : "RING");
    if (session_.clip) {
        const Address a = make_address(caller_);
        urc(fmt::format("+CLIP: \"{}\",{},,,,0", a.text(), a.toa));
    }
    after(ring_period, [this, call = call_] {
        if (call != call_) return;
        if (rings_left_ > 0) ring_once();
    });
}

Outcome SimModem::do_cusd(const Call& call) {
    if (call.form == Call::Form::test) return info("+CUSD: (0-2)"), ok();
    if (call.form == Call::Form::read) return info(fmt::format("+CUSD: {}", session_.cusd)), ok();
    const int n = call.number(0, 0);
    if (n < 0 || n > 2) return cme(50);
    if (n == 2) return ussd_dialogue_.clear(), ++ussd_serial_, ok();
    session_.cusd = n;
    if (call.field(1).empty()) return ok();
    if (!reachable()) return cme(30);
    std::string code = call.field(1);
    if (profile_->ussd_packed && !ussd_text_mode_) {
        const auto octets = from_hex(code);
        if (!octets) return error();
        Octets septets = unpack(*octets, octets->size() * 8 / 7);
        if (!septets.empty() && septets.size() % 8 == 0 && (septets.back() == '\r' || septets.back() == 0)) septets.pop_back();
        code = to_utf8(from_gsm7(septets));
    } else {
        const auto text = from_charset(code, session_.cscs);
        if (!text) return cme(50);
        code = to_utf8(*text);
    }
    answer_ussd(code, profile_->ussd_before_ok);
    return profile_->ussd_before_ok ? wait() : ok();
}

// `holds`: the command's OK follows the answer.
void SimModem::answer_ussd(const std::string& code, bool holds) {
    const UssdAnswer* answer = nullptr;
    const UssdAnswer step = ussd_dialogue_.empty() ? UssdAnswer{} : ussd_dialogue_.front();
    if (!ussd_dialogue_.empty()) {
        auto next = step.steps.find(code);
        if (next == step.steps.end()) next = step.steps.find("*");
        if (next != step.steps.end()) answer = &next->second;
    } else {
        answer = network_.ussd(code);
    }
    const UssdAnswer found = answer ? *answer : UssdAnswer{};
    const bool known = answer != nullptr;
    ussd_dialogue_.clear();
    if (known && !found.steps.empty()) ussd_dialogue_.push_back(found);
    const auto show = [this, known, found, holds, serial = ++ussd_serial_] {
        if (serial == ussd_serial_) {
            if (known)
                show_ussd(found.type >= 0 ? found.type : found.steps.empty() ? 0 : 1, found.text, found.dcs);
            else
                urc("+CUSD: 4");  // operation not supported
        }
        if (holds) finish(ok());
    };
    after(found.delay.pick(random_), show);
}

void SimModem::show_ussd(int type, const std::string& text, std::optional<int> dcs) {
    const std::u32string wide = from_utf8(text);
    const auto septets = to_gsm7(wide);
    const int coding = dcs.value_or(septets ? 15 : 72);
    std::string shown_text;
    if (coding == 72) {
        shown_text = to_hex(to_ucs2(wide));
    } else if (profile_->ussd_packed && !ussd_text_mode_) {
        Octets padded = septets.value_or(Octets{});
        if (padded.size() % 8 == 7) padded.push_back('\r');
        shown_text = to_hex(pack(padded));
    } else {
        shown_text = shown(wide);
    }
    urc(fmt::format("+CUSD: {},\"{}\",{}", type, shown_text, coding));
}

void SimModem::ussd_from_network(int type, const std::string& text) {
    show_ussd(type, text, std::nullopt);
}

}  // namespace conductor::modemsim
