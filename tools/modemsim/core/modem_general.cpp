// The command table, identity, SIM and settings without effect on messages.
#include <fmt/format.h>

#include <algorithm>

#include "tools/modemsim/core/modem.hpp"
#include "tools/modemsim/core/network.hpp"

namespace conductor::modemsim {
namespace {

std::string swapped(std::string digits) {
    if (digits.size() % 2) digits += 'F';
    for (std::size_t i = 0; i + 1 < digits.size(); i += 2) std::swap(digits[i], digits[i + 1]);
    return digits;
}

}  // namespace

std::span<const SimModem::Entry> SimModem::entries() {
    using M = SimModem;
    static constexpr std::array table{
        Entry{"+CGMI", &M::do_identity},     Entry{"+CGMM", &M::do_identity},     Entry{"+CGMR", &M::do_identity},
        Entry{"+CGSN", &M::do_identity},     Entry{"+GMI", &M::do_identity},      Entry{"+GMM", &M::do_identity},
        Entry{"+GMR", &M::do_identity},      Entry{"+GSN", &M::do_identity},      Entry{"+CIMI", &M::do_identity},
        Entry{"+CLAC", &M::do_clac},         Entry{"+CRSM", &M::do_crsm},         Entry{"+CMEE", &M::do_cmee},
        Entry{"+CSCS", &M::do_cscs},         Entry{"+CPIN", &M::do_cpin},         Entry{"+CPINR", &M::do_cpinr},
        Entry{"+CLCK", &M::do_clck},         Entry{"+CCLK", &M::do_cclk},         Entry{"+CNUM", &M::do_cnum},
        Entry{"+GCAP", &M::do_identity},     Entry{"+CTZU", &M::do_accept},       Entry{"+CTZR", &M::do_accept},
        Entry{"+CVHU", &M::do_accept},       Entry{"+IPR", &M::do_accept},        Entry{"+IFC", &M::do_accept},
        Entry{"+ICF", &M::do_accept},        Entry{"+CGREG", &M::do_creg},        Entry{"+CREG", &M::do_creg},
        Entry{"+CEREG", &M::do_creg},        Entry{"+COPS", &M::do_cops},         Entry{"+CSQ", &M::do_csq},
        Entry{"+CFUN", &M::do_cfun},         Entry{"+CUSD", &M::do_cusd},         Entry{"+CLIP", &M::do_clip},
        Entry{"+CRC", &M::do_crc},           Entry{"+CHUP", &M::hang_up},         Entry{"+CPAS", &M::do_cpas},
        Entry{"^USSDMODE", &M::do_ussdmode}, Entry{"+CMGF", &M::do_cmgf, true},   Entry{"+CSMS", &M::do_csms, true},
        Entry{"+CPMS", &M::do_cpms, true},   Entry{"+CNMI", &M::do_cnmi, true},   Entry{"+CNMA", &M::do_cnma, true},
        Entry{"+CMGL", &M::do_cmgl, true},   Entry{"+CMGR", &M::do_cmgr, true},   Entry{"+CMGD", &M::do_cmgd, true},
        Entry{"+CMGS", &M::do_cmgs, true},   Entry{"+CMGW", &M::do_cmgw, true},   Entry{"+CMSS", &M::do_cmss, true},
        Entry{"+CMMS", &M::do_cmms, true},   Entry{"+CSMP", &M::do_csmp, true},   Entry{"+CSDH", &M::do_csdh, true},
        Entry{"+CSCA", &M::do_csca, true},   Entry{"+CGSMS", &M::do_cgsms, true},
    };
    return table;
}

Outcome SimModem::do_identity(const Call& call) {
    if (call.form == Call::Form::test) return ok();
    const std::string& n = call.name;
    if (n == "+CIMI") {
        if (!sim_.present) return cme(10);
        if (!sim_unlocked_) return cme(11);
        info(sim_.imsi);
    } else if (n == "+GCAP") {
        info("+GCAP: +CGSM");
    } else if (n.ends_with("MI")) {
        info(profile_->manufacturer);
    } else if (n.ends_with("MM")) {
        info(profile_->model);
    } else if (n.ends_with("MR")) {
        info(profile_->revision);
    } else {
        info(imei_);
    }
    return ok();
}

Outcome SimModem::do_clac(const Call&) {
    for (const Entry& e : entries()) info(std::string{e.name});
    return ok();
}

Outcome SimModem::do_iccid(const Call& call) {
    if (call.form == Call::Form::test) return ok();
    if (!sim_.present) return cme(10);
    // Huawei and some u-blox give the digits in the order of the SIM file.
    info(call.name + ": " + (call.name == "^ICCID" ? swapped(sim_.iccid) : sim_.iccid));
    return ok();
}

// READ BINARY (176) of EF-ICCID (2FE2), TS 27.007 §8.18 and TS 31.101.
Outcome SimModem::do_crsm(const Call& call) {
    if (call.form == Call::Form::test) return ok();
    if (!sim_.present) return cme(10);
    if (call.number(0, -1) == 176 && call.number(1, -1) == 0x2fe2) {
        info("+CRSM: 144,0,\"" + swapped(sim_.iccid) + "\"");
        return ok();
    }
    info("+CRSM: 106,130");  // file not found
    return ok();
}

Outcome SimModem::do_cmee(const Call& call) {
    return simple(call, session_.cmee, 2, "0-2");
}

Outcome SimModem::do_cscs(const Call& call) {
    static constexpr std::array<std::string_view, 5> known{"GSM", "IRA", "UCS2", "HEX", "UTF-8"};
    if (call.form == Call::Form::test) return info("+CSCS: (\"GSM\",\"IRA\",\"UCS2\",\"HEX\",\"UTF-8\")"), ok();
    if (call.form == Call::Form::read) return info("+CSCS: \"" + session_.cscs + "\""), ok();
    const std::string wanted = call.field(0);
    if (std::ranges::find(known, wanted) == known.end()) return cme(50);
    session_.cscs = wanted;
    return ok();
}

std::string SimModem::cpin_state() const {
    if (!sim_.present) return "NOT INSERTED";
    if (sim_.puk_tries <= 0) return "BLOCKED";
    if (sim_.pin_tries <= 0) return "SIM PUK";
    return sim_unlocked_ ? "READY" : "SIM PIN";
}

Outcome SimModem::do_cpin(const Call& call) {
    if (call.form == Call::Form::test) return ok();
    if (!sim_.present) return cme(10);
    if (call.form == Call::Form::set) return unlock(call.field(0), call.field(1));
    if (sim_.puk_tries <= 0) return cme(13);
    info("+CPIN: " + cpin_state());
    return ok();
}

Outcome SimModem::unlock(const std::string& code, const std::string& replacement) {
    if (sim_.puk_tries <= 0) return cme(13);
    if (sim_.pin_tries <= 0) {
        if (replacement.empty()) return cme(12);
        if (code != sim_.puk) return --sim_.puk_tries, cme(sim_.puk_tries > 0 ? 16 : 13);
        sim_.pin = replacement;
        sim_.pin_tries = 3, sim_.puk_tries = 10;
    } else if (sim_unlocked_) {
        return cme(3);
    } else if (code != sim_.pin) {
        --sim_.pin_tries;
        return cme(sim_.pin_tries > 0 ? 16 : 12);
    }
    sim_.pin_tries = 3;
    sim_unlocked_ = true;
    after(Duration{200}, [this] {
        for (std::size_t i = 0; i < 3; ++i) creg_urc(i);
        if (reachable()) network_.try_mailbox(*this);
    });
    return ok();
}

// "+CPINR: <code>,<retries>,<default>", TS 27.007 §8.65.
Outcome SimModem::do_cpinr(const Call& call) {
    if (call.form == Call::Form::test) return ok();
    if (!sim_.present) return cme(10);
    info(fmt::format("+CPINR: SIM PIN,{},3", sim_.pin_tries));
    info(fmt::format("+CPINR: SIM PUK,{},10", sim_.puk_tries));
    return ok();
}

Outcome SimModem::do_clck(const Call& call) {
    if (call.form == Call::Form::test) return info("+CLCK: (\"SC\")"), ok();
    if (call.field(0) != "SC") return cme(4);
    if (!sim_.present) return cme(10);
    const int mode = call.number(1, -1);
    if (mode == 2) return info(std::string{"+CLCK: "} + (sim_.pin.empty() ? "0" : "1")), ok();
    if (mode == 1) {
        if (call.field(2).size() < 4) return cme(50);
        sim_.pin = call.field(2);
        return ok();
    }
    if (mode != 0) return cme(50);
    if (call.field(2) != sim_.pin) return --sim_.pin_tries, cme(16);
    sim_.pin.clear();
    return ok();
}

Outcome SimModem::do_cclk(const Call& call) {
    if (call.form == Call::Form::test) return ok();
    if (call.form != Call::Form::read) return ok();
    const auto local = scheduler_.wall() + std::chrono::minutes{15 * zone};
    const auto day = std::chrono::floor<std::chrono::days>(local);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss clock{std::chrono::floor<std::chrono::seconds>(local - day)};
    info(fmt::format("+CCLK: \"{:02}/{:02}/{:02},{:02}:{:02}:{:02}{}{:02}\"", static_cast<int>(date.year()) % 100,
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(), clock.minutes().count(),
                     clock.seconds().count(), zone < 0 ? '-' : '+', zone < 0 ? -zone : zone));
    return ok();
}

Outcome SimModem::do_cnum(const Call& call) {
    if (call.form == Call::Form::test) return ok();
    if (!sim_.present) return cme(10);
    if (!sim_.number.empty()) {
        const Address a = make_address(sim_.number);
        info(fmt::format("+CNUM: \"\",\"{}\",{}", a.text(), a.toa));
    }
    return ok();
}

Outcome SimModem::do_accept(const Call& call) {
    if (call.form == Call::Form::read) info(call.name + ": 0");
    return ok();
}

Outcome SimModem::do_ussdmode(const Call& call) {
    if (!profile_->ussd_packed) return {Outcome::Kind::unknown, 0, {}};
    if (call.form == Call::Form::set) ussd_text_mode_ = call.number(0, 1) == 0;
    return ok();
}

}  // namespace conductor::modemsim
