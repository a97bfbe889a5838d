#include "tools/modemsim/core/network.hpp"

#include <algorithm>

namespace conductor::modemsim {

std::string digits_of(std::string_view number) {
    std::string out;
    for (const char c : number) {
        if (c != '+' && c != ' ' && c != '-') out.push_back(c);
    }
    return out;
}

Rule* Network::find_rule(const std::string& number) {
    const std::string digits = digits_of(number);
    for (Rule& rule : rules) {
        if (rule.times == 0) continue;
        std::string pattern = digits_of(rule.number);
        const bool prefix = !pattern.empty() && pattern.back() == '*';
        if (prefix) pattern.pop_back();
        if (prefix ? digits.starts_with(pattern) : digits == pattern) return &rule;
    }
    return nullptr;
}

Verdict Network::judge(SimModem& from, const Submit& submit) {
    Verdict v;
    Faults& faults = from.faults();
    v.latency = from.latency.pick(from.random());
    if (Rule* rule = find_rule(submit.to.text())) {
        if (rule->times > 0) --rule->times;
        v.rule = *rule;
        if (rule->latency) v.latency = rule->latency->pick(random_);
        const bool fails = rule->fail_rate <= 0 || std::uniform_real_distribution<>{0, 1}(random_) < rule->fail_rate;
        if (rule->cms && fails) v.cms = rule->cms, v.accepts = rule->cms_accepts;
        if (!rule->cms && rule->fail_rate > 0 && fails) v.cms = 500, v.accepts = false;
        if (rule->lost_answer) v.answers = false;
    }
    if (faults.cms.fire(from.random())) v.cms = faults.cms_code, v.accepts = faults.cms_accepts;
    if (faults.lost_answer.fire(from.random())) v.answers = false, v.accepts = true, v.cms.reset();
    if (faults.dropped.fire(from.random())) v.answers = false, v.accepts = false;
    if (faults.reboot_on_submit.fire(from.random())) v.reboots = true, v.accepts = true, v.answers = false;
    return v;
}

std::shared_ptr<Submission> Network::accept(SimModem& from, const Octets& tpdu, const Submit& submit, const Verdict& verdict,
                                            std::uint8_t mr) {
    auto s = std::make_shared<Submission>();
    s->id = next_id_++;
    s->time = scheduler_.wall();
    s->mono = scheduler_.now();
    s->modem = from.index();
    s->imei = from.imei(), s->iccid = from.sim().iccid, s->from = from.sim().number, s->to = submit.to.text();
    s->tp_mr = mr;
    s->tpdu = tpdu;
    s->text = submit.data.text();
    s->concat = submit.data.concat();
    s->rd = submit.rd, s->srr = submit.srr, s->dcs = submit.data.dcs, s->pid = submit.pid;
    submissions_.push_back(s);

    if (s->srr && (!verdict.rule || verdict.rule->reports)) {
        const Range delay = verdict.rule && verdict.rule->report_delay ? *verdict.rule->report_delay : report_delay;
        const std::vector<int> status = verdict.rule ? verdict.rule->status : std::vector<int>{0};
        Duration when{0};
        for (const int st : status) {
            when += delay.pick(random_);
            scheduler_.after(when, [this, s, st] { report(*s, static_cast<std::uint8_t>(st)); });
        }
    }
    if (verdict.rule && verdict.rule->reply && (!s->concat || s->concat->seq == s->concat->total)) {
        const std::string text = *verdict.rule->reply;
        scheduler_.after(verdict.rule->reply_delay.pick(random_), [this, s, text] {
            SplitOptions options;
            options.reference = next_reference();
            send_text(s->from, s->to, text, options);
        });
    }
    if (by_number(s->to)) {
        const UserData data = submit.data;
        const std::uint8_t pid = submit.pid;
        scheduler_.after(delivery_delay.pick(random_), [this, s, data, pid] { send(s->to, deliver_tpdu(s->from, data, pid)); });
    }
    return s;
}

void Network::log(const std::shared_ptr<Submission>& submission) {
    if (on_submission) on_submission(*submission);
}

void Network::report(const Submission& s, std::uint8_t status) {
    Report r;
    r.mr = static_cast<std::uint8_t>(s.tp_mr);
    r.to = make_address(s.to);
    r.submitted = s.time;
    r.discharged = scheduler_.wall();
    r.zone = zone;
    r.status = status;
    send(s.from, write_report(r));
}

void Network::send(const std::string& number, Octets tpdu, bool front) {
    auto& box = mailboxes_[digits_of(number)];
    box.insert(front ? box.begin() : box.end(), std::move(tpdu));
    if (front) return;
    if (SimModem* modem = by_number(number)) try_mailbox(*modem);
}

void Network::try_mailbox(SimModem& modem) {
    const std::string number = digits_of(modem.sim().number);
    const auto box = mailboxes_.find(number);
    if (box == mailboxes_.end() || trying_[number]) return;
    trying_[number] = true;  // delivery may come back here
    while (!box->second.empty()) {
        const Octets tpdu = box->second.front();
        if (modem.deliver(tpdu) != SimModem::Taken::taken) break;
        box->second.pop_front();
    }
    trying_[number] = false;
}

Octets Network::deliver_tpdu(const std::string& from, const UserData& data, std::uint8_t pid) {
    Deliver d;
    d.from = make_address(from);
    d.pid = pid;
    d.time = scheduler_.wall();
    d.zone = zone;
    d.data = data;
    return write_deliver(d);
}

bool Network::send_text(const std::string& to, const std::string& from, const std::string& text, const SplitOptions& options,
                        const std::vector<int>& order, Duration gap, std::uint8_t pid, std::optional<std::uint8_t> dcs) {
    auto parts = split_text(from_utf8(text), options);
    if (!parts) return false;
    std::vector<int> sequence = order;
    for (int i = 1; order.empty() && i <= static_cast<int>(parts->size()); ++i) sequence.push_back(i);
    Duration when{0};
    for (const int position : sequence) {
        if (position < 1 || position > static_cast<int>(parts->size())) return false;
        UserData data = (*parts)[static_cast<std::size_t>(position - 1)];
        if (dcs) data.dcs = *dcs;
        const auto deliver = [this, to, from, data, pid] { send(to, deliver_tpdu(from, data, pid)); };
        if (when == Duration{0})
            deliver();
        else
            scheduler_.after(when, deliver);
        when += gap;
    }
    return true;
}

SimModem* Network::by_number(std::string_view number) const {
    const std::string digits = digits_of(number);
    const auto found = std::ranges::find_if(modems_, [&](SimModem* m) { return m->sim().present && digits_of(m->sim().number) == digits; });
    return found == modems_.end() ? nullptr : *found;
}

const UssdAnswer* Network::ussd(const std::string& code) const {
    const auto found = ussd_codes.find(code);
    return found == ussd_codes.end() ? nullptr : &found->second;
}

std::size_t Network::waiting(const std::string& number) const {
    const auto box = mailboxes_.find(digits_of(number));
    return box == mailboxes_.end() ? 0 : box->second.size();
}

}  // namespace conductor::modemsim
