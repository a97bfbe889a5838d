// From AT+CMGS to its final result (TS 27.005 §3.5, §4.3-4.5).
#include <fmt/format.h>

#include <utility>

#include "tools/modemsim/core/flight.hpp"

namespace conductor::modemsim {
namespace {

constexpr std::size_t body_limit = 4096;

}  // namespace

Outcome SimModem::sms_allowed() const {
    if (!sim_.present) return cms(310);
    if (sim_.pin_tries <= 0) return cms(316);
    if (!sim_unlocked_) return cms(311);
    return {};
}

Outcome SimModem::do_cmgs(const Call& call) {
    if (call.form == Call::Form::test) return ok();
    if (const Outcome bad = sms_allowed(); bad.kind != Outcome::Kind::ok) return bad;
    if (faults_.prompt_cms.fire(random_)) return cms(faults_.cms_code);
    body_ = {};
    return prompt(call);
}

Outcome SimModem::do_cmgw(const Call& call) {
    if (!faults_.knows_cmgw) return error();
    if (call.form == Call::Form::test) return ok();
    if (const Outcome bad = sms_allowed(); bad.kind != Outcome::Kind::ok) return bad;
    body_ = {};
    body_.write = true;
    if (session_.cmgf == 0) {
        const int stat = call.number(1, 2);
        if (stat < 0 || stat > 3) return cms(302);
        body_.stat = static_cast<Stat>(stat);
    }
    return prompt(call);
}

Outcome SimModem::prompt(const Call& call) {
    if (session_.cmgf == 0) {
        body_.length = call.number(0, 0);
        if (body_.length < 1 || body_.length > 176) return cms(304);
    } else {
        body_.to = call.field(0);
        if (body_.to.empty() && !body_.write) return cms(305);
        if (session_.cscs == "UCS2" && !body_.to.empty()) {
            const auto number = from_charset(body_.to, "UCS2");
            if (!number) return cms(305);
            body_.to = to_utf8(*number);
        }
        if (call.number(1, 0) == 145 && !body_.to.starts_with('+')) body_.to.insert(0, "+");
    }
    if (faults_.urc_prompt.fire(random_)) put("\r\n" + faults_.urc + "\r\n");
    mode_ = Mode::body;
    prompted_ = scheduler_.now();
    put(profile_->prompt);
    return wait();
}

void SimModem::typed_body(char c) {
    if (c == 0x1a || c == 0x1b)
        counters_.longest_body = std::max<Duration>(counters_.longest_body, std::chrono::ceil<Duration>(scheduler_.now() - prompted_));
    if (c == 0x1a) return end_body();
    if (c == 0x1b) return abort_body();
    if (session_.echo) put(std::string_view{&c, 1});
    if (session_.cmgf == 0) {
        if (c == '\r' || c == '\n') return;
    } else if (c == '\r') {
        put("\r\n> ");
        c = '\n';
    } else if (c == '\b') {
        if (!body_.text.empty()) body_.text.pop_back();
        return;
    }
    if (body_.text.size() < body_limit) body_.text.push_back(c);
}

void SimModem::abort_body() {
    finish(ok());  // TS 27.005 §3.5.1: OK, and nothing was sent
}

std::optional<Octets> SimModem::text_as_pdu(const std::string& to, const std::string& typed, Outcome& why) {
    const auto bad = [&] {
        why = cms(305);
        return std::nullopt;
    };
    const auto dcs = static_cast<std::uint8_t>(session_.csmp[3]);
    Submit s;
    s.to = make_address(to);
    s.pid = static_cast<std::uint8_t>(session_.csmp[2]);
    const unsigned first = static_cast<unsigned>(session_.csmp[0]);
    s.srr = first & 0x20U;
    s.rd = first & 4U;
    s.vpf = (first & 0x18U) == 0x10 ? 2 : 0;
    if (s.vpf == 2) s.validity = {static_cast<std::uint8_t>(session_.csmp[1])};
    const Alphabet alphabet = alphabet_of(dcs);
    if (alphabet != Alphabet::gsm7) {
        const bool hex_typed = session_.cscs != "UTF-8";
        const auto octets = hex_typed ? from_hex(typed) : std::optional{to_ucs2(from_utf8(typed))};
        if (!octets || octets->size() > 140) return bad();
        s.data = {dcs, (first & 0x40U) != 0, static_cast<unsigned>(octets->size()), *octets};
        return write_submit(s);
    }
    const auto text = from_charset(typed, session_.cscs);
    const auto septets = text ? to_gsm7(*text) : std::nullopt;
    if (!septets || septets->size() > 160) return bad();
    s.data = {dcs, false, static_cast<unsigned>(septets->size()), pack(*septets)};
    return write_submit(s);
}

std::optional<Octets> SimModem::body_as_pdu(Outcome& why) {
    const std::string& number = sim_.smsc;
    if (session_.cmgf == 1) {
        const auto tpdu = text_as_pdu(body_.to, body_.text, why);
        if (!tpdu) return std::nullopt;
        Octets pdu = write_smsc(number);
        pdu.insert(pdu.end(), tpdu->begin(), tpdu->end());
        return pdu;
    }
    const auto pdu = from_hex(body_.text);
    why = cms(304);
    if (!pdu || smsc_length(*pdu) >= pdu->size()) return std::nullopt;
    if (pdu->size() - smsc_length(*pdu) != static_cast<std::size_t>(body_.length)) return std::nullopt;
    if (number.empty() && (*pdu)[0] == 0) return why = cms(330), std::nullopt;
    return pdu;
}

void SimModem::end_body() {
    mode_ = Mode::busy;
    Outcome why = cms(304);
    const auto pdu = body_as_pdu(why);
    if (!pdu) return finish(why);
    const Octets tpdu{pdu->begin() + static_cast<std::ptrdiff_t>(smsc_length(*pdu)), pdu->end()};
    if (body_.write) {
        const int index = faults_.storage_full ? -1 : storage_.add(session_.cpms[1], {body_.stat, *pdu});
        if (index < 0) return finish(cms(322));
        if (faults_.lost_write.fire(random_)) return release();
        info(fmt::format("+CMGW: {}", index));
        return finish(ok());
    }
    const auto parsed = read_submit(tpdu);
    if (!parsed || (parsed->to.digits.empty())) return finish(cms(304));
    submit(tpdu, *parsed, "+CMGS", -1);
}

Outcome SimModem::do_cmss(const Call& call) {
    if (!faults_.knows_cmss) return error();
    if (call.form == Call::Form::test) return ok();
    if (const Outcome bad = sms_allowed(); bad.kind != Outcome::Kind::ok) return bad;
    const int index = call.number(0, -1);
    const std::string& memory = session_.cpms[1];
    const Slot* slot = storage_.in_range(memory, index) ? storage_.find(memory, index) : nullptr;
    if (!slot) return cms(321);
    Octets tpdu{slot->pdu.begin() + static_cast<std::ptrdiff_t>(smsc_length(slot->pdu)), slot->pdu.end()};
    auto parsed = read_submit(tpdu);
    if (!parsed) return cms(302);
    if (!call.field(1).empty()) {
        parsed->to = make_address(call.field(1));
        tpdu = write_submit(*parsed);
    }
    if (parsed->to.digits.empty()) return cms(304);
    submit(tpdu, *parsed, "+CMSS", index);
    return wait();
}

void SimModem::submit(const Octets& tpdu, const Submit& parsed, const char* answer_name, int stored_index) {
    ++counters_.submissions;
    flight_ = std::make_shared<Flight>();
    flight_->tpdu = tpdu;
    flight_->parsed = parsed;
    flight_->answer_name = answer_name;
    flight_->memory = session_.cpms[1];
    flight_->stored_index = stored_index;
    flight_->verdict = network_.judge(*this, parsed);
    if (!reachable()) {
        flight_->verdict.accepts = false;
        flight_->verdict.cms = 331;
        flight_->verdict.latency = Duration{100};
    } else if (flight_->verdict.accepts) {
        const double share = static_cast<double>(flight_->verdict.latency.count()) * accept_at;
        after(Duration{static_cast<Duration::rep>(share)}, &SimModem::accepted);
    }
    after(flight_->verdict.latency, &SimModem::answered);
}

void SimModem::accepted() {
    if (!flight_ || flight_->taken) return;
    flight_->mr = next_mr_++;
    flight_->taken = network_.accept(*this, flight_->tpdu, flight_->parsed, flight_->verdict, flight_->mr);
    if (flight_->stored_index >= 0 && faults_.marks_sent) {
        if (Slot* slot = storage_.find(flight_->memory, flight_->stored_index)) slot->stat = Stat::sent;
    }
    if (flight_->verdict.reboots) reboot(Duration{1000});
}

void SimModem::answered() {
    if (!flight_) return;
    const Verdict& v = flight_->verdict;
    if (v.accepts) accepted();
    if (!v.answers) {
        v.accepts ? ++counters_.lost_answers : ++counters_.dropped;
        resolve(false, "");
        return release();
    }
    if (v.cms) {
        ++counters_.refused;
        const Outcome refused = cms(*v.cms);
        resolve(!faults_.mute, *v.cms < 0 ? "ERROR" : fmt::format("+CMS ERROR: {}", *v.cms));
        return finish(refused);
    }
    const std::string line = fmt::format("{}: {}", flight_->answer_name, flight_->mr);
    resolve(!faults_.mute, line);
    info(line);
    finish(ok());
}

void SimModem::resolve(bool written, std::string answer) {
    const auto flight = std::exchange(flight_, nullptr);
    if (!flight || !flight->taken) return;
    flight->taken->answered = written;
    if (written) flight->taken->answer = std::move(answer);
    network_.log(flight->taken);
}

Outcome SimModem::do_cmms(const Call& call) {
    return simple(call, session_.cmms, 2, "0-2");
}

Outcome SimModem::do_csdh(const Call& call) {
    return simple(call, session_.csdh, 1, "0,1");
}

Outcome SimModem::do_cgsms(const Call& call) {
    return simple(call, session_.cgsms, 3, "0-3");
}

Outcome SimModem::do_csmp(const Call& call) {
    auto& p = session_.csmp;
    if (call.form == Call::Form::test) return ok();
    if (call.form == Call::Form::read) return info(fmt::format("+CSMP: {},{},{},{}", p[0], p[1], p[2], p[3])), ok();
    for (std::size_t i = 0; i < p.size(); ++i) {
        const int value = call.number(i, p[i]);
        if (value < 0 || value > 255) return cms(305);
        p[i] = value;
    }
    return ok();
}

Outcome SimModem::do_csca(const Call& call) {
    if (call.form == Call::Form::test) return ok();
    if (const Outcome bad = sms_allowed(); bad.kind != Outcome::Kind::ok) return bad;
    if (call.form == Call::Form::read) {
        const Address a = make_address(sim_.smsc);
        info(fmt::format("+CSCA: \"{}\",{}", sim_.smsc.empty() ? "" : shown(from_utf8(a.text())), a.toa));
        return ok();
    }
    const auto number = from_charset(call.field(0), session_.cscs);
    if (!number) return cms(305);
    sim_.smsc = to_utf8(*number);
    if (call.number(1, 0) == 145 && !sim_.smsc.starts_with('+')) sim_.smsc.insert(0, "+");
    return ok();
}

}  // namespace conductor::modemsim
