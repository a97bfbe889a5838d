// What must hold at the end of a seed, read from the database, the network's list of submissions and the ledger of the people.
#include <date/tz.h>

#include <algorithm>

#include "tools/simulate/scenario.hpp"

namespace conductor::simulate {
namespace {

struct Attempt {
    std::int64_t id = 0;
    int seq = 1;
    std::string iccid;
    WallTime started{};
    std::optional<WallTime> ended;
    int outcome = -1;  ///< driver::Ending; -1: open
    bool may_be_out() const {
        return outcome == static_cast<int>(driver::Ending::accepted) || outcome == static_cast<int>(driver::Ending::ambiguous);
    }
};

struct Row {
    std::int64_t id = 0;
    MessageClass message_class = MessageClass::marketing;
    std::string phone, reason;
    MessageStatus status = MessageStatus::queued;
    DeliveryStatus delivery = DeliveryStatus::none;
    OnUnknown on_unknown = OnUnknown::hold;
    int segments = 1;
    int mark = -1;
    double priority = 0;
    bool pinned = false;
    WallTime due{};
    std::vector<Attempt> attempts;  ///< oldest first
    std::vector<WallTime> retried;  ///< a person asked for it again
};

class Judge {
public:
    Judge(World& world, const Ledger& ledger) : world_{world}, ledger_{ledger} { read(); }
    std::vector<std::string> verdict() {
        check_ends();
        check_copies();
        check_policy();
        check_limits();
        check_spacing();
        check_inbound();
        check_order();
        if (ledger_.calm) check_calm();
        return std::move(broken_);
    }

private:
    template <class... Args>
    void broken(fmt::format_string<Args...> text, Args&&... args) {
        broken_.push_back(fmt::format(text, std::forward<Args>(args)...));
    }
    void read();
    void check_ends();
    void check_copies();
    void check_policy();
    void check_limits();
    void check_spacing();
    void check_inbound();
    void check_calm();
    void check_order();
    bool open_at(const std::string& phone, WallTime when) const;
    /// The attempts that began a round of the message: those before which nothing of the round may have left.
    std::vector<const Attempt*> beginnings(const Row& row) const;

    World& world_;
    const Ledger& ledger_;
    std::map<std::int64_t, Row> rows_;
    std::map<int, std::map<int, int>> copies_;  ///< at the SMSC, by wish and part
    std::vector<std::string> broken_;
};

void Judge::read() {
    for (const auto& r : world_.rows("SELECT id, class, phone, content, status, delivery, flags, segments, coalesce(reason, ''), "
                                     "CAST(priority * 1000 AS INTEGER), due_at FROM messages "
                                     "WHERE direction = 0")) {
        Row row{.id = number(r[0]), .phone = r[2], .reason = r[8]};
        row.message_class = static_cast<MessageClass>(number(r[1]));
        row.mark = mark_of(r[3]);
        row.status = static_cast<MessageStatus>(number(r[4]));
        row.delivery = static_cast<DeliveryStatus>(number(r[5]));
        row.on_unknown = (static_cast<int>(number(r[6])) & 4) != 0 ? OnUnknown::resend : OnUnknown::hold;
        row.pinned = (number(r[6]) & 8) != 0;
        row.segments = static_cast<int>(number(r[7]));
        row.priority = static_cast<double>(number(r[9])) / 1000;
        row.due = from_ms(number(r[10]));
        rows_[row.id] = std::move(row);
    }
    for (const auto& r : world_.rows("SELECT message_id, id, seq, coalesce(iccid, ''), started_at, coalesce(outcome, -1), "
                                     "coalesce(ended_at, 0) FROM attempts ORDER BY id"))
        if (const auto found = rows_.find(number(r[0])); found != rows_.end())
            found->second.attempts.push_back({.id = number(r[1]),
                                              .seq = static_cast<int>(number(r[2])),
                                              .iccid = r[3],
                                              .started = from_ms(number(r[4])),
                                              .ended = number(r[6]) == 0 ? std::nullopt : std::optional{from_ms(number(r[6]))},
                                              .outcome = static_cast<int>(number(r[5]))});
    for (const auto& r : world_.rows("SELECT target, at FROM audit WHERE action = 'retry' ORDER BY id"))
        if (const auto found = rows_.find(number(r[0])); found != rows_.end()) found->second.retried.push_back(from_ms(number(r[1])));
    for (const auto& s : world_.taken())
        if (const int mark = mark_of(s.text); mark >= 0) ++copies_[mark][s.concat ? s.concat->seq : 1];
}

void Judge::check_ends() {
    for (const auto& wish : ledger_.wishes) {
        if (!wish.answered()) broken("answer: wish {} never got one", wish.number);
        if (wish.id && !rows_.contains(wish.id->value))
            broken("lost: wish {} was accepted as message {}, which is not there", wish.number, wish.id->value);
        if (!wish.id && !wish.refusal.empty() && copies_.contains(wish.number))
            broken("refused: wish {} was sent all the same", wish.number);
    }
    for (const auto& [id, row] : rows_) {
        if (!is_final(row.status, row.delivery)) broken("final: message {} is still {} ({})", id, to_string(row.status), row.reason);
        const bool success = row.status == MessageStatus::sent || row.status == MessageStatus::delivered;
        if (!success && row.reason.empty()) broken("reason: message {} is {} and does not say why", id, to_string(row.status));
        for (const auto& attempt : row.attempts)
            if (attempt.outcome < 0) broken("journal: attempt {} of message {} is open for ever", attempt.id, id);
    }
}

void Judge::check_copies() {
    for (const auto& wish : ledger_.wishes) {
        if (!wish.id || !rows_.contains(wish.id->value)) continue;
        const Row& row = rows_[wish.id->value];
        const auto& copies = copies_[wish.number];
        const bool hold = row.on_unknown == OnUnknown::hold;
        int out = 0;
        for (int seq = 1; seq <= row.segments; ++seq) {
            const auto found = copies.find(seq);
            const int n = found == copies.end() ? 0 : found->second;
            out += n > 0;
            if (hold && n > wish.rounds) broken("doubled: part {} of message {} is {} times at the SMSC under hold", seq, row.id, n);
            const auto journaled = std::ranges::count(row.attempts, seq, &Attempt::seq);
            if (n > journaled)
                broken("unjournaled: part {} of message {} is {} times at the SMSC, and {} times in the journal", seq, row.id, n,
                       journaled);
        }
        const bool success = row.status == MessageStatus::sent || row.status == MessageStatus::delivered;
        if (success && out < row.segments)
            broken("lost: message {} is {}, and {} of its {} parts are at the SMSC", row.id, to_string(row.status), out, row.segments);
        const bool nothing = row.status == MessageStatus::failed || row.status == MessageStatus::expired ||
                             row.status == MessageStatus::cancelled || row.status == MessageStatus::suppressed;
        if (nothing && hold && wish.rounds == 1 && out > 0)
            broken("denied: message {} is {} ({}), and {} of its parts are at the SMSC", row.id, to_string(row.status), row.reason, out);
    }
}

std::vector<const Attempt*> Judge::beginnings(const Row& row) const {
    std::vector<const Attempt*> out;
    bool begun = false;
    auto again = row.retried.begin();
    for (const auto& attempt : row.attempts) {
        for (; again != row.retried.end() && *again <= attempt.started; ++again) begun = false;
        if (!begun) out.push_back(&attempt);
        // what is to be repeated is looked at anew, until a part of it is out for certain
        begun = begun || (attempt.may_be_out() && (row.on_unknown == OnUnknown::hold || row.segments > 1 || attempt.outcome == 0));
    }
    return out;
}

bool Judge::open_at(const std::string& phone, WallTime when) const {
    const auto zone = phone.starts_with("+1212")   ? "America/New_York"
                      : phone.starts_with("+1312") ? "America/Chicago"
                      : phone.starts_with("+1213") ? "America/Los_Angeles"
                                                   : world_.config().gateway.time_zone;
    const auto local = date::make_zoned(date::locate_zone(zone), when).get_local_time();
    const auto minute = std::chrono::duration_cast<std::chrono::minutes>(local - date::floor<date::days>(local)).count();
    const auto& window = world_.config().send.window;
    if (window.begin < window.end) return minute >= window.begin && minute < window.end;
    return minute >= window.begin || minute < window.end;
}

void Judge::check_policy() {
    std::map<std::string, WallTime> out;
    for (const auto& r : world_.rows("SELECT phone, at, active FROM opt_outs"))
        if (r[2] == "1") out[r[0]] = from_ms(number(r[1]));
    for (const auto& [number, when] : ledger_.stopped)
        if (!ledger_.returned.contains(number) && !out.contains(number))
            broken("opt-out: {} said so at {}, and is not on record", number, to_rfc3339(when));
    for (const auto& [id, row] : rows_) {
        if (row.message_class == MessageClass::reply) continue;
        const auto began = beginnings(row);
        const auto stopped = out.find(row.phone);
        const bool marketing = row.message_class == MessageClass::marketing;
        for (const auto* attempt : began) {
            if (stopped != out.end() && !ledger_.returned.contains(row.phone) && attempt->started > stopped->second)
                broken("stop: message {} began at {}, after the STOP of {}", id, to_rfc3339(attempt->started), to_rfc3339(stopped->second));
            if (marketing && !open_at(row.phone, attempt->started))
                broken("window: message {} to {} began at {}", id, row.phone, to_rfc3339(attempt->started));
            if (marketing && world_.config().opt_out.require_consent && ledger_.without_consent.contains(row.phone))
                broken("consent: message {} began without", id);
        }
    }
    // and what the network saw: nothing begins long after the window has closed
    std::set<int> seen;
    for (const auto& s : world_.taken()) {
        const int mark = mark_of(s.text);
        if (mark < 0 || !seen.insert(mark).second) continue;
        const auto& wish = ledger_.wishes[static_cast<std::size_t>(mark) - 1];
        if (wish.message.message_class == MessageClass::marketing && !open_at(s.to, s.time) &&
            !open_at(s.to, s.time - std::chrono::minutes{3}))
            broken("window: the network got wish {} to {} at {}", mark, s.to, to_rfc3339(s.time));
    }
}

/// At most `most` in any `length`, by the journal and, with the time that a submission may take, by the network.
void Judge::check_limits() {
    const auto hold = [this](std::vector<WallTime> times, int most, std::chrono::milliseconds length, const std::string& what) {
        std::ranges::sort(times);
        if (most <= 0) return;
        for (std::size_t i = static_cast<std::size_t>(most); i < times.size(); ++i)
            if (times[i] - times[i - static_cast<std::size_t>(most)] < length)
                return broken("limit: more than {} {} at {}", most, what, to_rfc3339(times[i]));
    };
    using namespace std::chrono_literals;
    for (const auto& modem : world_.config().modems) {
        const auto& iccid = world_.fleet().modems()[static_cast<std::size_t>(modem.index)]->sim().iccid;
        std::vector<WallTime> journal, network;
        for (const auto& [id, row] : rows_)
            for (const auto& attempt : row.attempts)
                if (attempt.iccid == iccid && attempt.may_be_out()) journal.push_back(attempt.started);
        for (const auto& s : world_.taken())
            if (s.iccid == iccid) network.push_back(s.time);
        hold(journal, modem.per_minute, 1min, "a minute");
        hold(journal, modem.per_hour, 1h, "an hour");
        hold(journal, modem.per_day, 24h, "a day");
        hold(network, modem.per_hour, 57min, "an hour at the network");
        hold(network, modem.per_day, 23h, "a day at the network");
    }
}

void Judge::check_spacing() {
    const auto& send = world_.config().send;
    std::map<std::string, std::vector<WallTime>> by_number;
    for (const auto& [id, row] : rows_) {
        if (row.message_class != MessageClass::marketing) continue;
        const auto first = std::ranges::find_if(row.attempts, &Attempt::may_be_out);
        if (first != row.attempts.end()) by_number[row.phone].push_back(first->started);
    }
    for (auto& [number, times] : by_number) {
        std::ranges::sort(times);
        for (std::size_t i = 1; i < times.size(); ++i)
            if (times[i] - times[i - 1] < send.per_recipient_gap) broken("gap: two to {} at {}", number, to_rfc3339(times[i]));
        const auto cap = static_cast<std::size_t>(send.per_recipient_day);
        for (std::size_t i = cap; cap > 0 && i < times.size(); ++i)
            if (times[i] - times[i - cap] < std::chrono::hours{24})
                broken("cap: more than {} a day to {} at {}", cap, number, to_rfc3339(times[i]));
    }
}

void Judge::check_inbound() {
    std::map<std::pair<std::string, std::string>, int> stored;
    // a line that was cut on its way is kept as it came, beside the whole one that the network sends again
    const char* whole = "SELECT phone, content FROM messages WHERE direction = 1 AND reason IS NOT 'undecodable'";
    for (const auto& r : world_.rows(whole)) ++stored[{r[0], r[1]}];
    for (const auto& [said, times] : ledger_.inbound) {
        const auto found = stored.find(said);
        const int n = found == stored.end() ? 0 : found->second;
        if (n != times)
            broken("inbound: \"{}\" of {} came {} times and is stored {} times", said.second.substr(0, 20), said.first, times, n);
    }
    for (const auto& [what, n] : stored)
        if (!ledger_.inbound.contains(what)) broken("inbound: nobody said \"{}\"", what.second.substr(0, 20));
}

/// Under hold a set goes out through one SIM. Where nothing went wrong, its parts go in order, and so do equal messages to one number.
void Judge::check_order() {
    std::map<int, const modemsim::Submission*> last;
    for (const auto& s : world_.taken()) {
        const int mark = mark_of(s.text);
        if (mark < 0) continue;
        const auto& wish = ledger_.wishes[static_cast<std::size_t>(mark) - 1];
        if (!wish.id || wish.rounds > 1 || !rows_.contains(wish.id->value)) continue;
        const Row& row = rows_[wish.id->value];
        const auto*& before = last[mark];
        if (before && row.on_unknown == OnUnknown::hold && before->iccid != s.iccid)
            broken("order: message {} went out through two SIMs", row.id);
        if (before && ledger_.calm && !ledger_.odd.contains(row.phone) && before->concat && s.concat && before->concat->seq > s.concat->seq)
            broken("order: part {} of message {} came after part {}", s.concat->seq, row.id, before->concat->seq);
        before = &s;
    }
    if (!ledger_.calm) return;
    // what one number gets goes out one after the other
    for (const auto& [id, row] : rows_)
        for (const auto& [other_id, other] : rows_) {
            if (id == other_id || row.phone != other.phone || row.message_class != other.message_class) continue;
            for (const auto& one : row.attempts)
                for (const auto& two : other.attempts)
                    if (one.started <= two.started && one.ended && two.started < *one.ended && one.seq == 1 && two.seq == 1)
                        broken("order: message {} began while message {} was on a modem, and both are to {}", other_id, id, row.phone);
        }
    for (const auto& [id, row] : rows_)
        for (const auto& [other_id, other] : rows_) {
            const bool alike = row.phone == other.phone && row.message_class == other.message_class && row.priority == other.priority &&
                               !row.pinned && !other.pinned;
            if (!alike || row.due >= other.due || row.attempts.empty() || other.attempts.empty() || ledger_.odd.contains(row.phone))
                continue;
            if (!row.retried.empty() || !other.retried.empty() || row.message_class != MessageClass::transactional) continue;
            if (row.attempts.front().started > other.attempts.front().started)
                broken("order: message {} was due before message {}, and began after it", id, other_id);
        }
}

/// Where nothing went wrong, every message that went out has its report, and no outcome is open.
void Judge::check_calm() {
    for (const auto& [id, row] : rows_) {
        if (ledger_.odd.contains(row.phone)) continue;
        if (row.status == MessageStatus::unknown) broken("calm: message {} is unknown ({})", id, row.reason);
        if (row.status == MessageStatus::sent && world_.config().send.delivery_reports) broken("calm: message {} has no report", id);
    }
}

}  // namespace

std::vector<std::string> judge(World& world, const Ledger& ledger) {
    return Judge{world, ledger}.verdict();
}

}  // namespace conductor::simulate
