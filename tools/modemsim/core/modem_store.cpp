// Reading, listing and deleting stored messages (TS 27.005 §3.2.2, §3.4).
#include <fmt/format.h>

#include <algorithm>

#include "tools/modemsim/core/modem.hpp"

namespace conductor::modemsim {
namespace {

constexpr std::array<std::string_view, 5> stat_words{"REC UNREAD", "REC READ", "STO UNSENT", "STO SENT", "ALL"};

std::string joined(const std::vector<std::string>& names) {
    std::string out = "(";
    for (const std::string& name : names) out += (out.size() > 1 ? ",\"" : "\"") + name + "\"";
    return out + ")";
}

}  // namespace

Outcome SimModem::do_cmgf(const Call& call) {
    return simple(call, session_.cmgf, 1, "0,1");
}

Outcome SimModem::do_cpms(const Call& call) {
    auto& memories = session_.cpms;
    if (call.form == Call::Form::test) {
        const std::string two = joined(storage_.names(true)), one = joined(storage_.names(false));
        return info("+CPMS: " + two + "," + one + "," + one), ok();
    }
    if (const Outcome bad = sms_allowed(); bad.kind != Outcome::Kind::ok) return bad;
    if (call.form == Call::Form::read) {
        std::string line = "+CPMS: ";
        for (std::size_t i = 0; i < 3; ++i) {
            line += fmt::format("{}\"{}\",{},{}", i ? "," : "", memories[i], storage_.used(memories[i]), storage_.size(memories[i]));
        }
        return info(line), ok();
    }
    if (call.fields.empty() || call.fields.size() > 3) return cms(302);
    for (std::size_t i = 0; i < call.fields.size(); ++i) {
        const std::string& name = call.fields[i];
        if ((name != "SM" && name != "ME" && name != "MT" && name != "SR") || !storage_.has(name)) return cms(302);
        if (name == "SR" && i > 0) return cms(302);  // reports are read from there, never written
    }
    std::string line = "+CPMS: ";
    for (std::size_t i = 0; i < 3; ++i) {
        if (i < call.fields.size()) memories[i] = call.fields[i];
        line += fmt::format("{}{},{}", i ? "," : "", storage_.used(memories[i]), storage_.size(memories[i]));
    }
    return info(line), ok();
}

std::string SimModem::quoted_number(const Address& a) const {
    return "\"" + shown(from_utf8(a.text())) + "\"";
}

std::string SimModem::text_header(const Slot& slot, const Summary& s, bool list) const {
    std::string line = fmt::format("\"{}\",", stat_words[static_cast<std::size_t>(slot.stat)]);
    if (s.mti == 2) {
        line +=
            fmt::format("{},{},{},{},\"{}\",\"{}\",{}", s.first, s.mr, quoted_number(s.address), s.address.toa, s.time, s.time2, s.status);
        return line;
    }
    const bool received = slot.stat == Stat::unread || slot.stat == Stat::read;
    line += quoted_number(s.address) + ",";
    if (received) line += fmt::format(",\"{}\"", s.time);
    if (session_.csdh == 0) return line;
    if (list) return line + fmt::format("{}{},{}", received ? "," : ",,", s.address.toa, s.data.length);
    line += fmt::format(",{},{},{},{}", s.address.toa, s.first, s.pid, s.data.dcs);
    line += fmt::format(",{},145,{}", quoted_number(make_address(sim_.smsc)), s.data.length);
    return line;
}

void SimModem::show(const char* prefix, std::optional<int> index, const Slot& slot) {
    const std::size_t skip = smsc_length(slot.pdu);
    const std::string place = index ? std::to_string(*index) + "," : std::string{};
    if (session_.cmgf == 0) {
        const auto stat = static_cast<int>(slot.stat);
        info(fmt::format("{}: {}{},,{}", prefix, place, stat, slot.pdu.size() - skip));
        info(to_hex(slot.pdu));
        return;
    }
    const Octets tpdu{slot.pdu.begin() + static_cast<std::ptrdiff_t>(skip), slot.pdu.end()};
    const auto summary = read_summary(tpdu, slot.stat == Stat::unsent || slot.stat == Stat::sent);
    if (!summary) return;
    info(fmt::format("{}: {}{}", prefix, place, text_header(slot, *summary, index.has_value())));
    if (summary->mti == 2) return;
    const bool as_text = alphabet_of(summary->data.dcs) == Alphabet::gsm7 && !summary->data.udhi;
    info(as_text ? shown(from_utf8(summary->data.text())) : to_hex(summary->data.octets));
}

Outcome SimModem::do_cmgl(const Call& call) {
    if (call.form == Call::Form::test) {
        return info(session_.cmgf ? "+CMGL: (\"REC UNREAD\",\"REC READ\",\"STO UNSENT\",\"STO SENT\",\"ALL\")" : "+CMGL: (0-4)"), ok();
    }
    if (const Outcome bad = sms_allowed(); bad.kind != Outcome::Kind::ok) return bad;
    int wanted = 0;
    if (session_.cmgf == 0) {
        wanted = call.number(0, 0);
        if (wanted < 0 || wanted > 4) return cms(302);
    } else if (!call.field(0).empty()) {
        const auto word = std::find(stat_words.begin(), stat_words.end(), call.field(0));
        if (word == stat_words.end()) return cms(305);
        wanted = static_cast<int>(word - stat_words.begin());
    }
    const std::string& memory = session_.cpms[0];
    for (const int index : storage_.list(memory)) {
        Slot* slot = storage_.find(memory, index);
        if (wanted != 4 && static_cast<int>(slot->stat) != wanted) continue;
        show("+CMGL", index, *slot);
        if (slot->stat == Stat::unread) slot->stat = Stat::read;
    }
    return ok();
}

Outcome SimModem::do_cmgr(const Call& call) {
    if (call.form == Call::Form::test) return ok();
    if (const Outcome bad = sms_allowed(); bad.kind != Outcome::Kind::ok) return bad;
    const std::string& memory = session_.cpms[0];
    const int index = call.number(0, -1);
    if (!storage_.in_range(memory, index)) return cms(321);
    Slot* slot = storage_.find(memory, index);
    if (!slot) return profile_->empty_slot_ok ? ok() : cms(321);
    show("+CMGR", std::nullopt, *slot);
    if (slot->stat == Stat::unread) slot->stat = Stat::read;
    return ok();
}

Outcome SimModem::do_cmgd(const Call& call) {
    const std::string& memory = session_.cpms[0];
    if (call.form == Call::Form::test) {
        std::string indices;
        for (const int index : storage_.list(memory)) indices += (indices.empty() ? "" : ",") + std::to_string(index);
        return info("+CMGD: (" + indices + "),(0-4)"), ok();
    }
    if (const Outcome bad = sms_allowed(); bad.kind != Outcome::Kind::ok) return bad;
    const int index = call.number(0, -1), flag = call.number(1, 0);
    if (flag < 0 || flag > 4) return cms(302);
    if (flag == 0) {
        if (!storage_.in_range(memory, index)) return cms(321);
        if (!storage_.erase(memory, index) && !profile_->empty_slot_ok) return cms(321);
    } else {
        for (const int each : storage_.list(memory)) {
            const Stat stat = storage_.find(memory, each)->stat;
            const bool keep = (flag < 4 && stat == Stat::unread) || (flag < 3 && stat == Stat::unsent) || (flag < 2 && stat == Stat::sent);
            if (!keep) storage_.erase(memory, each);
        }
    }
    after(Duration{100}, &SimModem::ask_mailbox);  // "memory available" to the SMSC
    return ok();
}

}  // namespace conductor::modemsim
