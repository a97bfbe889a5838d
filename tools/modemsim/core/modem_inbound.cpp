// What the network delivers: routing by +CNMI, acknowledgement by +CNMA (TS 27.005 §3.4.1, §3.4.4).
#include <fmt/format.h>

#include <utility>

#include "tools/modemsim/core/modem.hpp"
#include "tools/modemsim/core/network.hpp"

namespace conductor::modemsim {
namespace {

constexpr std::size_t held_limit = 64;

std::string listed(const std::string& digits) {
    std::string out = "(";
    for (const char c : digits) out += (out.size() > 1 ? "," : "") + std::string{c};
    return out + ")";
}

}  // namespace

void SimModem::ask_mailbox() {
    network_.try_mailbox(*this);
}

Outcome SimModem::do_cnmi(const Call& call) {
    const Profile& p = *profile_;
    auto& c = session_.cnmi;
    if (call.form == Call::Form::test) {
        info("+CNMI: " + listed(p.cnmi_modes) + "," + listed(p.cnmi_mt) + "," + listed(p.cnmi_bm) + "," + listed(p.cnmi_ds) + "," +
             listed(p.cnmi_bfr));
        return ok();
    }
    if (call.form == Call::Form::read) return info(fmt::format("+CNMI: {},{},{},{},{}", c[0], c[1], c[2], c[3], c[4])), ok();
    const std::array<const std::string*, 5> accepted{&p.cnmi_modes, &p.cnmi_mt, &p.cnmi_bm, &p.cnmi_ds, &p.cnmi_bfr};
    std::array<int, 5> wanted{};
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        wanted[i] = call.number(i, call.form == Call::Form::execute ? 0 : c[i]);
        if (wanted[i] < 0 || wanted[i] > 9) return cms(302);
        if (accepted[i]->find(static_cast<char>('0' + wanted[i])) == std::string::npos) return cms(303);
    }
    c = wanted;
    routing_ended_ = false;
    for (const std::string& text : std::exchange(held_indications_, {})) {
        if (c[0] == 0)
            held_indications_.push_back(text);
        else if (c[4] == 0)
            held_urcs_.push_back(text);
    }
    after(Duration{10}, &SimModem::ask_mailbox);
    return ok();
}

Outcome SimModem::do_csms(const Call& call) {
    if (call.form == Call::Form::test) return info("+CSMS: (0,1)"), ok();
    if (call.form == Call::Form::read) return info(fmt::format("+CSMS: {},1,1,1", session_.csms)), ok();
    const int service = call.number(0, -1);
    if (service < 0 || service > 1) return cms(303);
    if (service == 1 && faults_.csms_refused) return error();
    session_.csms = service;
    return info("+CSMS: 1,1,1"), ok();
}

Outcome SimModem::do_cnma(const Call& call) {
    if (call.form == Call::Form::test) return info("+CNMA: (0-2)"), ok();
    if (session_.csms == 0) return cms(302);
    const std::string forms = faults_.cnma_forms.value_or(profile_->cnma_forms), n = call.field(0);
    const char form = call.form == Call::Form::execute ? 'b' : n.size() == 1 ? n[0] : '?';
    if (forms.find(form) == std::string::npos) return error();
    if (unacknowledged_.empty()) return cms(340);
    const Octets tpdu = std::exchange(unacknowledged_, {});
    ++cnma_serial_;
    if (call.number(0, 0) == 2) network_.send(sim_.number, tpdu, true);  // refused: the SMSC tries again later
    after(call.number(0, 0) == 2 ? Duration{5000} : Duration{0}, &SimModem::ask_mailbox);
    return ok();
}

void SimModem::indicate(const std::string& text) {
    ++counters_.urcs;
    if (session_.cnmi[0] == 0) {
        held_indications_.push_back(text);
        if (held_indications_.size() > held_limit) held_indications_.pop_front();
    } else if (mode_ == Mode::body) {
        if (session_.cnmi[0] != 1) held_urcs_.push_back(text);  // mode 1 discards while the link is reserved
    } else {
        put(text);
    }
}

SimModem::Taken SimModem::deliver(const Octets& tpdu) {
    if (!reachable()) return Taken::away;
    const auto summary = read_summary(tpdu, false);
    if (summary && summary->mti == 2) {
        if (routing_ended_) return Taken::away;
        if (session_.cnmi[3] == 0) return Taken::taken;  // nobody asked for it
        if (session_.cnmi[3] == 1) return show_direct(tpdu, true);
        if (!storage_.has("SR")) return store(session_.cpms[2], tpdu, "+CDSI");
        return store("SR", tpdu, "+CDSI");
    }
    const int mt = session_.cnmi[1];
    if (summary && summary->pid == 0x40) return Taken::taken;  // type 0: acknowledged and forgotten
    const int message_class = summary ? class_of(summary->data.dcs).value_or(-1) : -1;
    const bool direct = (mt == 2 && message_class != 2) || (mt == 3 && message_class == 3);
    if (direct) return show_direct(tpdu, false);
    const std::string memory = message_class == 2 && storage_.has("SM") ? "SM" : session_.cpms[2];
    if (summary && summary->pid >= 0x41 && summary->pid <= 0x47) {  // replace short message type
        for (const int index : storage_.list(memory)) {
            Slot* slot = storage_.find(memory, index);
            const auto skip = static_cast<std::ptrdiff_t>(smsc_length(slot->pdu));
            const auto old = read_summary(Octets{slot->pdu.begin() + skip, slot->pdu.end()}, false);
            if (old && old->mti == 0 && old->pid == summary->pid && old->address == summary->address) storage_.erase(memory, index);
        }
    }
    return store(memory, tpdu, mt == 0 ? nullptr : "+CMTI");
}

SimModem::Taken SimModem::store(const std::string& memory, const Octets& tpdu, const char* urc_name) {
    Octets pdu = write_smsc(sim_.smsc);
    pdu.insert(pdu.end(), tpdu.begin(), tpdu.end());
    const int index = faults_.storage_full ? -1 : storage_.add(memory, {Stat::unread, std::move(pdu)});
    if (index < 0) {
        if (!profile_->full_urc.empty() && std::exchange(said_full_, true) == false) {
            std::string line = profile_->full_urc;
            if (const auto at = line.find("%s"); at != std::string::npos) line.replace(at, 2, memory);
            urc(line);
        }
        return Taken::full;
    }
    said_full_ = false;
    const bool report = memory == "SR" || std::string_view{urc_name ? urc_name : ""} == "+CDSI";
    ++(report ? counters_.reports : counters_.delivered);
    if (urc_name) {
        const std::string& named = report && !profile_->cdsi_as.empty() ? profile_->cdsi_as : memory;
        indicate(fmt::format("\r\n{}: \"{}\",{}\r\n", urc_name, named, index));
    }
    return Taken::taken;
}

SimModem::Taken SimModem::show_direct(const Octets& tpdu, bool report) {
    if (!unacknowledged_.empty()) return Taken::busy;
    std::string text;
    if (session_.cmgf == 0) {
        Octets pdu = write_smsc(sim_.smsc);
        pdu.insert(pdu.end(), tpdu.begin(), tpdu.end());
        const std::string head = report                   ? "+CDS:" + profile_->cds_gap
                                 : profile_->alpha_in_cmt ? std::string{"+CMT: ,"}
                                                          : std::string{"+CMT: "};
        text = fmt::format("\r\n{}{}\r\n{}\r\n", head, tpdu.size(), to_hex(pdu));
    } else {
        const auto s = read_summary(tpdu, false);
        if (!s) return Taken::taken;
        if (report) {
            text = fmt::format("\r\n+CDS: {},{},{},{},\"{}\",\"{}\",{}\r\n", s->first, s->mr, quoted_number(s->address), s->address.toa,
                               s->time, s->time2, s->status);
        } else {
            std::string head = fmt::format("+CMT: {},,\"{}\"", quoted_number(s->address), s->time);
            if (session_.csdh) {
                head += fmt::format(",{},{},{},{},{},145,{}", s->address.toa, s->first, s->pid, s->data.dcs,
                                    quoted_number(make_address(sim_.smsc)), s->data.length);
            }
            const bool as_text = alphabet_of(s->data.dcs) == Alphabet::gsm7 && !s->data.udhi;
            text = "\r\n" + head + "\r\n" + (as_text ? shown(from_utf8(s->data.text())) : to_hex(s->data.octets)) + "\r\n";
        }
    }
    ++(report ? counters_.reports : counters_.delivered);
    if (session_.csms == 1) {
        unacknowledged_ = tpdu;
        scheduler_.after(faults_.cnma_guard, [this, serial = ++cnma_serial_] {
            if (serial == cnma_serial_) unacknowledged();
        });
    }
    indicate(text);
    return Taken::taken;
}

// No +CNMA in time: direct routing ends (TS 27.005 §3.4.4) and the SMSC keeps the message.
void SimModem::unacknowledged() {
    if (unacknowledged_.empty()) return;
    if (session_.csms == 1) {
        session_.cnmi[1] = 0, session_.cnmi[3] = 0;
        routing_ended_ = true;
    }
    network_.send(sim_.number, std::exchange(unacknowledged_, {}), true);
    after(Duration{5000}, &SimModem::ask_mailbox);
}

}  // namespace conductor::modemsim
