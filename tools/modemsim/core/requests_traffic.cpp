// Requests that look, configure, or make traffic.
#include <algorithm>
#include <stdexcept>

#include "tools/modemsim/core/requests.hpp"

namespace conductor::modemsim {

using nlohmann::json;

std::span<const Requests::Row> Requests::rows() {
    using R = Requests;
    static constexpr std::array table{
        Row{"state", &R::state},
        Row{"stats", &R::stats},
        Row{"submissions", &R::submissions},
        Row{"quit", &R::quit},
        Row{"set", &R::set},
        Row{"rule", &R::rule},
        Row{"rules", &R::rules},
        Row{"ussd", &R::ussd},
        Row{"inject", &R::inject},
        Row{"inject-report", &R::inject_report},
        Row{"ring", &R::ring},
        Row{"urc", &R::urc},
        Row{"raw", &R::raw},
        Row{"mute", &R::mute},
        Row{"unplug", &R::unplug},
        Row{"plug", &R::plug},
        Row{"reboot", &R::reboot},
        Row{"power", &R::power},
        Row{"cms", &R::cms},
        Row{"lost-answer", &R::lost_answer},
        Row{"drop", &R::dropped},
        Row{"ignore", &R::ignore},
        Row{"urc-inside", &R::urc_inside},
        Row{"urc-prompt", &R::urc_prompt},
        Row{"garbage", &R::garbage},
        Row{"slow", &R::slow},
        Row{"registration", &R::registration},
        Row{"storage", &R::storage},
        Row{"storing", &R::storing},
        Row{"sim", &R::sim},
        Row{"pin", &R::pin},
        Row{"clear", &R::clear},
    };
    return table;
}

json Requests::state(const json& r) {
    json list = json::array();
    for (SimModem* m : chosen(r, true)) {
        const Session& s = m->session();
        json memories = json::object();
        for (const char* name : {"SM", "ME", "SR"}) {
            memories[name] = {{"used", m->storage().used(name)}, {"size", m->storage().size(name)}};
        }
        list.push_back({{"index", m->index()},
                        {"profile", m->profile().name},
                        {"imei", m->imei()},
                        {"iccid", m->sim().iccid},
                        {"imsi", m->sim().imsi},
                        {"number", m->sim().number},
                        {"link", m->link()},
                        {"plugged", m->port_present()},
                        {"powered", m->powered()},
                        {"sim", m->cpin_state()},
                        {"pin_tries", m->sim().pin_tries},
                        {"puk_tries", m->sim().puk_tries},
                        {"registration", m->registration().stat},
                        {"reachable", m->reachable()},
                        {"cfun", m->cfun()},
                        {"signal", m->signal},
                        {"mute", m->faults().mute},
                        {"latency", to_json(m->latency)},
                        {"memories", memories},
                        {"waiting", fleet_.network().waiting(m->sim().number)},
                        {"settings",
                         {{"echo", s.echo},
                          {"cmgf", s.cmgf},
                          {"cscs", s.cscs},
                          {"cnmi", s.cnmi},
                          {"cpms", s.cpms},
                          {"csms", s.csms},
                          {"cmee", s.cmee},
                          {"cmms", s.cmms},
                          {"cgsms", s.cgsms}}}});
    }
    return {{"modems", list}};
}

json Requests::stats(const json& r) {
    json list = json::array();
    Counters sum;
    const auto show = [](const Counters& c) {
        return json{{"commands", c.commands}, {"submissions", c.submissions},
                    {"refused", c.refused},   {"lost_answers", c.lost_answers},
                    {"dropped", c.dropped},   {"delivered", c.delivered},
                    {"reports", c.reports},   {"boots", c.boots},
                    {"urcs", c.urcs},         {"longest_body_ms", std::chrono::duration<double, std::milli>(c.longest_body).count()}};
    };
    for (SimModem* m : chosen(r, true)) {
        const Counters& c = m->counters();
        json one = show(c);
        one["index"] = m->index();
        list.push_back(one);
        sum.commands += c.commands, sum.submissions += c.submissions, sum.refused += c.refused, sum.lost_answers += c.lost_answers;
        sum.dropped += c.dropped, sum.delivered += c.delivered, sum.reports += c.reports, sum.boots += c.boots, sum.urcs += c.urcs;
        sum.longest_body = std::max(sum.longest_body, c.longest_body);
    }
    json total = show(sum);
    total["accepted"] = fleet_.network().accepted_count();
    return {{"total", total}, {"modems", list}};
}

json Requests::submissions(const json& r) {
    const auto after = r.value("after", std::uint64_t{0});
    const auto limit = r.value("limit", std::size_t{10'000});
    json list = json::array();
    for (const auto& s : fleet_.network().submissions()) {
        if (list.size() == limit) break;
        if (s->id <= after || (r.contains("modem") && r["modem"] != s->modem) || (r.contains("to") && r["to"] != s->to)) continue;
        list.push_back(to_json(*s));
    }
    return {{"submissions", list}, {"accepted", fleet_.network().accepted_count()}};
}

json Requests::quit(const json&) {
    fleet_.quit_ = true;
    return {};
}

json Requests::set(const json& r) {
    if (r.contains("report_delay")) fleet_.network().report_delay = to_range(r["report_delay"]);
    if (r.contains("delivery_delay")) fleet_.network().delivery_delay = to_range(r["delivery_delay"]);
    if (r.contains("zone")) fleet_.network().zone = r["zone"].get<int>();
    for (SimModem* m : chosen(r.contains("index") ? json{{"modem", r["index"]}} : r, true)) {
        if (r.contains("latency")) m->latency = to_range(r["latency"]);
        if (r.contains("accept_at")) m->accept_at = std::clamp(r["accept_at"].get<double>(), 0.0, 1.0);
        if (r.contains("signal")) m->signal = r["signal"].get<int>();
        if (r.contains("cnma_guard")) m->faults().cnma_guard = to_range(r["cnma_guard"]).least;
        if (r.contains("cnma")) m->faults().cnma_forms = r["cnma"].get<std::string>();
        if (r.contains("csms")) m->faults().csms_refused = r["csms"].get<int>() == 0;
        if (r.contains("zone")) m->zone = r["zone"].get<int>();
        for (const char* key : {"number", "smsc", "pin", "puk", "iccid", "imsi"}) {
            if (!r.contains(key)) continue;
            Sim& sim = m->sim();
            std::string& field = key[0] == 'n'   ? sim.number
                                 : key[0] == 's' ? sim.smsc
                                 : key[1] == 'i' ? sim.pin
                                 : key[1] == 'u' ? sim.puk
                                 : key[1] == 'c' ? sim.iccid
                                                 : sim.imsi;
            field = r[key].get<std::string>();
        }
        if (r.contains("profile")) {
            const Profile* profile = find_profile(r["profile"].get<std::string>());
            if (!profile) throw std::invalid_argument{"unknown profile " + r["profile"].dump()};
            m->set_profile(*profile);
        }
        if (r.contains("pin") && !m->sim().pin.empty()) m->lock_sim();
    }
    return {};
}

json Requests::rule(const json& r) {
    Rule rule;
    rule.number = r.at("number").get<std::string>();
    if (r.value("remove", false)) {
        const auto gone = std::erase_if(fleet_.network().rules, [&](const Rule& old) { return old.number == rule.number; });
        return {{"removed", gone}};
    }
    rule.times = r.value("times", -1);
    if (r.contains("cms")) rule.cms = r["cms"].get<int>();
    rule.cms_accepts = r.value("accepted", false);
    rule.lost_answer = r.value("lost_answer", false);
    if (r.contains("latency")) rule.latency = to_range(r["latency"]);
    if (r.contains("report_delay")) rule.report_delay = to_range(r["report_delay"]);
    if (r.contains("report")) {
        const json& report = r["report"];
        if (report.is_boolean()) rule.reports = report.get<bool>();
        if (report.is_number()) rule.status = {report.get<int>()};
        if (report.is_array()) rule.status = report.get<std::vector<int>>();
    }
    if (r.contains("reply")) rule.reply = r["reply"].get<std::string>();
    if (r.contains("reply_delay")) rule.reply_delay = to_range(r["reply_delay"]);
    rule.fail_rate = r.value("rate", 0.0);
    fleet_.network().rules.insert(fleet_.network().rules.begin(), rule);
    return {};
}

json Requests::rules(const json&) {
    json list = json::array();
    for (const Rule& rule : fleet_.network().rules) list.push_back({{"number", rule.number}, {"times", rule.times}});
    return {{"rules", list}};
}

UssdAnswer to_ussd(const json& value) {
    UssdAnswer answer;
    if (value.is_string()) {
        answer.text = value.get<std::string>();
        return answer;
    }
    answer.text = value.at("text").get<std::string>();
    if (value.contains("dcs")) answer.dcs = value["dcs"].get<int>();
    if (value.contains("delay")) answer.delay = to_range(value["delay"]);
    answer.type = value.value("type", -1);
    if (value.contains("steps")) {
        for (const auto& [code, step] : value["steps"].items()) answer.steps[code] = to_ussd(step);
    }
    return answer;
}

json Requests::ussd(const json& r) {
    if (r.contains("code")) {
        fleet_.network().ussd_codes[r["code"].get<std::string>()] = to_ussd(r);
        return {};
    }
    for (SimModem* m : chosen(r, false)) m->ussd_from_network(r.value("type", 0), r.at("text").get<std::string>());
    return {};
}

json Requests::inject(const json& r) {
    SimModem& m = one(r);
    Network& network = fleet_.network();
    if (r.contains("pdu")) {
        auto pdu = from_hex(r["pdu"].get<std::string>());
        if (!pdu || pdu->empty()) throw std::invalid_argument{"pdu is not hex"};
        if (!r.value("tpdu", false)) {
            if (smsc_length(*pdu) >= pdu->size()) throw std::invalid_argument{"pdu ends in its SMSC field"};
            pdu->erase(pdu->begin(), pdu->begin() + static_cast<std::ptrdiff_t>(smsc_length(*pdu)));
        }
        network.send(m.sim().number, *pdu);
        return {{"parts", 1}};
    }
    SplitOptions o;
    const std::string encoding = r.value("encoding", "auto");
    if (encoding == "gsm7") o.alphabet = Alphabet::gsm7;
    if (encoding == "ucs2") o.alphabet = Alphabet::ucs2;
    if (encoding == "data" || encoding == "8bit") o.alphabet = Alphabet::data;
    if (r.contains("class") && r["class"].is_number()) o.message_class = r["class"].get<int>();
    o.wide = r.value("ref_bits", 8) == 16;
    o.reference = r.value("ref", network.next_reference());
    o.split_surrogates = r.value("split_surrogates", false);
    if (r.contains("udh")) {
        const auto udh = from_hex(r["udh"].get<std::string>());
        if (!udh || udh->size() > 100) throw std::invalid_argument{"udh is not hex"};
        o.extra_udh = *udh;
    }
    std::optional<std::uint8_t> dcs;
    if (r.contains("dcs")) dcs = static_cast<std::uint8_t>(r["dcs"].get<int>());
    const Duration gap = r.contains("gap") ? to_range(r["gap"]).least : Duration{0};
    const auto parts = split_text(from_utf8(r.at("text").get<std::string>()), o);
    const bool sent =
        parts && network.send_text(m.sim().number, r.at("from").get<std::string>(), r["text"].get<std::string>(), o,
                                   r.value("order", std::vector<int>{}), gap, static_cast<std::uint8_t>(r.value("pid", 0)), dcs);
    if (!sent) throw std::invalid_argument{"the text cannot be carried, or order names a part that is not there"};
    return {{"parts", parts->size()}, {"ref", o.reference}};
}

json Requests::inject_report(const json& r) {
    Network& network = fleet_.network();
    const auto status = static_cast<std::uint8_t>(r.value("status", 0));
    if (r.contains("submission")) {
        const auto id = r["submission"].get<std::uint64_t>();
        if (id < 1 || id > network.submissions().size()) throw std::invalid_argument{"no such submission"};
        network.report(*network.submissions()[id - 1], status);
        return {};
    }
    Submission s;
    s.from = one(r).sim().number;
    s.to = r.at("to").get<std::string>();
    s.tp_mr = r.at("tp_mr").get<int>();
    s.time = fleet_.scheduler().wall();
    network.report(s, status);
    return {};
}

json Requests::ring(const json& r) {
    for (SimModem* m : chosen(r, false)) m->ring(r.value("from", "+15550100199"), r.value("times", 3));
    return {};
}

json Requests::urc(const json& r) {
    for (SimModem* m : chosen(r, true)) m->urc(r.at("line").get<std::string>());
    return {};
}

json Requests::raw(const json& r) {
    const auto octets = from_hex(r.at("hex").get<std::string>());
    if (!octets) throw std::invalid_argument{"hex is not hex"};
    for (SimModem* m : chosen(r, true)) m->write_raw(std::string{octets->begin(), octets->end()});
    return {};
}

}  // namespace conductor::modemsim
