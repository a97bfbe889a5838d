// Requests that break things, and mend them.
#include <stdexcept>

#include "tools/modemsim/core/requests.hpp"

namespace conductor::modemsim {

using nlohmann::json;

json Requests::mute(const json& r) {
    const bool on = r.value("on", true);
    for (SimModem* m : chosen(r, true)) {
        m->faults().mute = on;
        m->faults().deaf = on && r.value("deaf", true);
        if (!on || !r.contains("for")) continue;
        fleet_.scheduler().after(to_range(r["for"]).least, [m] { m->faults().mute = m->faults().deaf = false; });
    }
    return {};
}

json Requests::unplug(const json& r) {
    for (SimModem* m : chosen(r, false)) {
        if (!r.value("powered", false)) m->power_off();
        m->set_port(false);
        if (!r.contains("for")) continue;
        fleet_.scheduler().after(to_range(r["for"]).least, [m, link = r.value("link", m->link())] {
            m->set_link(link);
            m->set_port(true);
            m->power_on();
        });
    }
    return {};
}

json Requests::plug(const json& r) {
    for (SimModem* m : chosen(r, false)) {
        if (r.contains("link")) m->set_link(r["link"].get<std::string>());
        m->set_port(true);
        m->power_on(r.value("quick", false));
    }
    return {};
}

json Requests::reboot(const json& r) {
    for (SimModem* m : chosen(r, false)) {
        if (r.value("on_submit", false)) {
            set_trigger(m->faults().reboot_on_submit, r);
            continue;
        }
        std::optional<bool> drop;
        if (r.contains("drop_port")) drop = r["drop_port"].get<bool>();
        m->reboot(r.contains("down") ? to_range(r["down"]).least : Duration{1000}, drop);
    }
    return {};
}

json Requests::power(const json& r) {
    for (SimModem* m : chosen(r, false)) r.value("on", true) ? m->power_on(r.value("quick", false)) : m->power_off();
    return {};
}

json Requests::cms(const json& r) {
    for (SimModem* m : chosen(r, true)) {
        Faults& f = m->faults();
        f.cms_code = r.value("code", 500);
        f.cms_accepts = r.value("accepted", false);
        set_trigger(r.value("at", "result") == "prompt" ? f.prompt_cms : f.cms, r);
    }
    return {};
}

json Requests::lost_answer(const json& r) {
    for (SimModem* m : chosen(r, true)) set_trigger(m->faults().lost_answer, r);
    return {};
}

json Requests::dropped(const json& r) {
    for (SimModem* m : chosen(r, true)) set_trigger(m->faults().dropped, r);
    return {};
}

json Requests::ignore(const json& r) {
    for (SimModem* m : chosen(r, true)) set_trigger(m->faults().ignored, r);
    return {};
}

json Requests::urc_inside(const json& r) {
    for (SimModem* m : chosen(r, true)) {
        m->faults().urc = r.value("line", m->faults().urc);
        set_trigger(m->faults().urc_inside, r);
    }
    return {};
}

json Requests::urc_prompt(const json& r) {
    for (SimModem* m : chosen(r, true)) {
        m->faults().urc = r.value("line", m->faults().urc);
        set_trigger(m->faults().urc_prompt, r);
    }
    return {};
}

json Requests::garbage(const json& r) {
    for (SimModem* m : chosen(r, true)) {
        m->faults().garbage_octets = r.value("octets", 8);
        if (r.contains("count") || r.contains("rate") || r.contains("on")) {
            set_trigger(m->faults().garbage, r);
            continue;
        }
        std::string junk;
        for (int i = 0; i < m->faults().garbage_octets; ++i) junk.push_back(static_cast<char>(m->random()() % 256));
        m->write_raw(junk);
    }
    return {};
}

json Requests::slow(const json& r) {
    for (SimModem* m : chosen(r, true)) m->faults().octets_per_second = r.value("octets_per_second", 0);
    return {};
}

json Requests::registration(const json& r) {
    for (SimModem* m : chosen(r, true)) {
        Registration now = m->registration();
        if (r.contains("stat")) {
            const json& stat = r["stat"];
            if (stat.is_array())
                now.stat = stat.get<std::array<int, 3>>();
            else
                now.stat.fill(stat.get<int>());
        }
        now.area = r.value("area", now.area);
        now.cell = r.value("cell", now.cell);
        now.access = r.value("access", now.access);
        const Registration before = m->registration();
        m->set_registration(now);
        if (r.contains("for")) fleet_.scheduler().after(to_range(r["for"]).least, [m, before] { m->set_registration(before); });
    }
    return {};
}

json Requests::storing(const json& r) {
    for (SimModem* m : chosen(r, true)) {
        Faults& f = m->faults();
        f.knows_cmgw = r.value("cmgw", f.knows_cmgw);
        f.knows_cmss = r.value("cmss", f.knows_cmss);
        f.marks_sent = r.value("marks", f.marks_sent);
        if (r.contains("lose")) f.lost_write.count = r["lose"].get<int>();
    }
    return {};
}

json Requests::storage(const json& r) {
    json list = json::array();
    for (SimModem* m : chosen(r, false)) {
        Storage& s = m->storage();
        const std::string memory = r.value("memory", "SM");
        if (memory != "SM" && memory != "ME" && memory != "SR") throw std::invalid_argument{"memory is SM, ME or SR"};
        if (r.contains("size")) s.resize(memory, r["size"].get<int>());
        if (r.value("clear", false)) s.memory(memory).slots.clear();
        if (r.contains("full")) m->faults().storage_full = r["full"].get<bool>();
        if (r.value("fill", false)) {
            SplitOptions o;
            const auto parts = split_text(U"filled", o);
            Octets pdu = write_smsc(m->sim().smsc);
            const Octets tpdu = fleet_.network().deliver_tpdu("+15550100198", parts->front(), 0);
            pdu.insert(pdu.end(), tpdu.begin(), tpdu.end());
            while (s.add(memory, {Stat::read, pdu}) >= 0) continue;
        }
        fleet_.network().try_mailbox(*m);
        for (const int index : s.list(memory)) {
            const Slot* slot = s.find(memory, index);
            list.push_back({{"modem", m->index()},
                            {"memory", memory},
                            {"index", index},
                            {"stat", static_cast<int>(slot->stat)},
                            {"pdu", to_hex(slot->pdu)}});
        }
    }
    return {{"slots", list}};
}

json Requests::sim(const json& r) {
    SimModem& m = one(r);
    const std::string what = r.value("action", "swap");
    if (what == "remove") return m.remove_sim(), json{};
    if (what == "insert")
        return m.swap_sim([&] {
            Sim same = m.sim();
            same.present = true;
            return same;
        }()),
               json{};
    if (what != "swap") throw std::invalid_argument{"action is swap, remove or insert"};
    Sim next = fleet_.make_sim(m.index(), ++fleet_.sim_generation_[static_cast<std::size_t>(m.index())]);
    next.iccid = r.value("iccid", next.iccid);
    next.imsi = r.value("imsi", next.imsi);
    next.number = r.value("number", next.number);
    next.pin = r.value("pin", next.pin);
    m.swap_sim(next);
    return {{"iccid", next.iccid}, {"imsi", next.imsi}, {"number", next.number}};
}

json Requests::pin(const json& r) {
    for (SimModem* m : chosen(r, false)) {
        Sim& s = m->sim();
        s.pin = r.value("pin", s.pin);
        s.puk = r.value("puk", s.puk);
        s.pin_tries = r.value("tries", s.pin_tries);
        s.puk_tries = r.value("puk_tries", s.puk_tries);
        if (r.value("lock", !s.pin.empty())) m->lock_sim();
    }
    return {};
}

json Requests::clear(const json& r) {
    for (SimModem* m : chosen(r, true)) m->faults() = Faults{};
    return {};
}

}  // namespace conductor::modemsim
