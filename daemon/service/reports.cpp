#include "daemon/service/reports.hpp"

#include <algorithm>

#include "daemon/core/msisdn.hpp"
#include "daemon/dispatch/submission.hpp"
#include "daemon/service/steps.hpp"

namespace conductor::service {
namespace {

using store::MessageRow;
using store::Tx;

dispatch::Report meaning(std::uint8_t tp_st) {
    switch (pdu::status_of(tp_st)) {
        case pdu::Outcome::delivered:
        case pdu::Outcome::replaced: return dispatch::Report::delivered;
        case pdu::Outcome::unconfirmed: return dispatch::Report::unconfirmed;
        case pdu::Outcome::pending: return dispatch::Report::pending;
        case pdu::Outcome::reserved: return dispatch::Report::untold;
        case pdu::Outcome::expired: return dispatch::Report::expired;
        case pdu::Outcome::failed:
        case pdu::Outcome::gave_up: return dispatch::Report::failed;
    }
    return dispatch::Report::pending;
}

/// The part with this reference. A delivered part gets no second report: the reference, which modems count modulo 256, is another part's
/// by then.
std::optional<int> part_named(const MessageRow& row, int tp_mr) {
    for (const Part& part : row.parts)
        if (part.tp_mr == tp_mr && part.status != PartStatus::delivered && part.status != PartStatus::waiting) return part.seq;
    return std::nullopt;
}

struct Match {
    MessageRow row;
    int seq = 0;
    std::int64_t unnamed = 0;  ///< the attempt that gets its reference by this report; 0: the reference was known
};

bool is_accepted(const store::AttemptRow& attempt) {
    return attempt.outcome == static_cast<int>(driver::Ending::accepted);
}

/// How far the service centre's clock is ahead of ours, as the last report of this SIM with a known reference tells. Some centres write
/// their local time with a wrong zone: then it is hours.
std::optional<std::chrono::milliseconds> known_centre_ahead(Tx& tx, std::string_view iccid) {
    using std::chrono::milliseconds;
    for (const auto& kept : store::matched_reports(tx, iccid, 3)) {
        const auto pdu = pdu::decode_hex(kept.hex, pdu::Way::mobile_terminated);
        const auto* report = pdu ? std::get_if<pdu::StatusReport>(&pdu->tpdu) : nullptr;
        const auto taken = report ? report->time.utc() : std::nullopt;
        const auto row = kept.message && taken ? store::find(tx, *kept.message) : std::nullopt;
        if (!row) continue;
        for (const auto& attempt : store::attempt_chain(tx, row->last_attempt)) {
            if (attempt.tp_mr != report->mr || attempt.iccid != iccid || !is_accepted(attempt) || !attempt.ended_at) continue;
            // it took the message while the attempt ran; its time stamp is cut to seconds
            const milliseconds least = *taken - *attempt.ended_at, most = *taken + milliseconds{999} - attempt.started_at;
            const milliseconds ahead = std::clamp(milliseconds{0}, least, std::max(least, most));
            if (std::chrono::abs(ahead) < std::chrono::hours{26}) return ahead;
        }
    }
    return std::nullopt;
}

std::chrono::milliseconds centre_ahead(Tx& tx, std::string_view iccid) {
    return known_centre_ahead(tx, iccid).value_or(std::chrono::milliseconds{0});
}

constexpr std::chrono::hours longest_life{24 * 63};  // TP-VP, where no expiry is known (TS 23.040 §9.2.3.12.1)
constexpr std::chrono::seconds skew{10};             // of the service centre's clock, beside what centre_ahead() knows

/// How far the second that begins at `taken`, the service centre's time by our clock, is from the time that the submission took.
std::chrono::milliseconds away_from(const store::AttemptRow& attempt, WallTime taken, WallTime now) {
    const WallTime ended = attempt.ended_at.value_or(now), until = taken + std::chrono::milliseconds{999};
    return std::chrono::milliseconds{until < attempt.started_at ? attempt.started_at - until
                                     : taken > ended            ? taken - ended
                                                                : std::chrono::milliseconds{0}};
}

/// The submission of this reference. Of several (modems count modulo 256, and some give the same one each time) the one that was under way
/// when the service centre took the message; without its time the newest, as `rows` are ordered. `in_time`: none whose TP-VP had ended by
/// then, an hour before.
std::optional<Match> match_by_reference(Tx& tx, std::vector<MessageRow>& rows, const pdu::StatusReport& report, std::string_view iccid,
                                        WallTime now, bool in_time) {
    struct Candidate {
        MessageRow* row;
        int seq;
    };
    std::vector<Candidate> all;
    for (MessageRow& row : rows) {
        if (row.iccid && !iccid.empty() && *row.iccid != iccid) continue;
        if (const auto seq = part_named(row, report.mr)) all.push_back({&row, *seq});
    }
    const auto told = report.time.utc();
    if (in_time && told) {
        const auto is_late = [](const Candidate& one, WallTime taken) {
            const auto ended = one.row->expires_at.value_or(one.row->timestamp + longest_life);
            return taken > std::max(ended, one.row->sent_at.value_or(ended)) + std::chrono::hours{1};
        };
        // what the centre took, it took before now: only where that may be too late its own time is asked for
        if (std::ranges::any_of(all, [&](const Candidate& one) { return is_late(one, now); })) {
            const WallTime taken = *told - centre_ahead(tx, iccid);
            std::erase_if(all, [&](const Candidate& one) { return is_late(one, taken); });
        }
    }
    if (all.empty()) return std::nullopt;
    Candidate best = all.front();
    if (all.size() > 1 && told) {
        const WallTime taken = *told - centre_ahead(tx, iccid);
        auto nearest = std::chrono::milliseconds::max();
        for (const Candidate& one : all)
            for (const auto& attempt : store::attempt_chain(tx, one.row->last_attempt)) {
                if (attempt.seq != one.seq || attempt.tp_mr != report.mr || attempt.started_at > taken + skew) continue;
                const auto away = away_from(attempt, taken, now);
                if (away >= nearest) continue;
                nearest = away;
                best = one;
            }
    }
    return Match{std::move(*best.row), best.seq};
}

/// Of two messages that were submitted so close to the time that a report tells, either may be meant.
constexpr std::chrono::seconds doubt{1};
/// A modem or a network that still tries has given up by then.
constexpr std::chrono::minutes longest_way{10};

/// A reference that nobody saw is of a submission without an answer, or of one that the modem's storage alone vouches for: the one that was
/// under way when the service centre took the message (TP-SCTS, TS 23.040 §9.2.2.3). One that runs still has to end first, and one whose
/// part has got its reference since from another submission proves nothing: then the report is nobody's. Nor is it anybody's where the
/// second that it tells touches the submissions of two messages: one that never left would be called delivered, and so be lost. And
/// nobody's it is where a submission with this very reference fits as well: a round before this one, which a person has repeated since.
std::optional<Match> match_by_time(Tx& tx, std::vector<MessageRow>& rows, const pdu::StatusReport& report, std::string_view iccid,
                                   WallTime now) {
    const auto told = report.time.utc();
    const auto ahead = told ? known_centre_ahead(tx, iccid) : std::nullopt;
    const WallTime taken = told ? *told - ahead.value_or(std::chrono::milliseconds{0}) : now;
    struct Candidate {
        MessageRow* row;
        store::AttemptRow attempt;
        std::chrono::milliseconds away;
    };
    std::vector<Candidate> all;
    for (MessageRow& row : rows)
        for (auto& attempt : store::attempt_chain(tx, row.last_attempt)) {
            const bool may_be_out = !attempt.outcome || ambiguous(attempt) || is_accepted(attempt);
            if (!may_be_out || attempt.tp_mr.value_or(report.mr) != report.mr || attempt.started_at > taken + skew) continue;
            if (!attempt.iccid.empty() && !iccid.empty() && attempt.iccid != iccid) continue;
            const auto away = away_from(attempt, taken, now);
            if (ahead && away > longest_way) continue;  // where the centre's clock is known
            all.push_back({&row, std::move(attempt), away});
        }
    const auto nearest = std::ranges::min_element(all, {}, [](const Candidate& one) { return std::pair{one.away, -one.attempt.id}; });
    if (nearest == all.end() || !nearest->attempt.outcome) return std::nullopt;
    for (const Candidate& other : all) {
        const bool rival = other.row != nearest->row || other.attempt.tp_mr;
        if (rival && other.away < nearest->away + doubt) return std::nullopt;
    }
    MessageRow& row = *nearest->row;
    const int seq = nearest->attempt.seq;
    const auto part = std::ranges::find(row.parts, seq, &Part::seq);
    if (part == row.parts.end()) return std::nullopt;
    const bool open = part->status != PartStatus::delivered && part->status != PartStatus::submitting && !part->tp_mr && part->attempts > 0;
    if (!open) return std::nullopt;
    return Match{std::move(row), seq, nearest->attempt.id};
}

/// Some networks write the recipient in another form: the last seven digits decide among what this SIM sent lately.
std::vector<MessageRow> by_suffix(Tx& tx, std::string_view phone, int tp_mr, WallTime now) {
    constexpr std::size_t digits = 7;
    std::vector<MessageRow> rows;
    if (phone.size() < digits) return rows;
    const auto tail = phone.substr(phone.size() - digits);
    for (const auto& attempt : store::attempts_since(tx, now - std::chrono::hours{72}, 2000)) {
        if (attempt.tp_mr != tp_mr) continue;
        auto row = store::find(tx, attempt.message);
        if (row && row->phone_number.ends_with(tail)) rows.push_back(std::move(*row));
    }
    return rows;
}

bool apply(MessageRow& row, int seq, const pdu::StatusReport& report, WallTime now) {
    bool changed = false;
    const auto evidence = [&](MessageRow& m) {
        for (Part& part : m.parts)
            if (part.seq == seq) {
                if (!part.tp_mr) part.tp_mr = report.mr;
                if (part.status == PartStatus::waiting) part.status = PartStatus::unknown;
            }
        changed = dispatch::report_part(m, seq, meaning(report.status));
    };
    if (!correct(row, evidence) || !changed) return false;
    if (row.status == MessageStatus::delivered && !row.delivered_at) row.delivered_at = report.discharge.utc().value_or(now);
    if ((row.status == MessageStatus::delivered || row.status == MessageStatus::sent) && !row.sent_at)
        row.sent_at = report.time.utc().value_or(now);
    if (row.reason && row.status == MessageStatus::undelivered) row.reason_text = std::string{pdu::status_text(report.status)};
    return true;
}

Changed give(Tx& tx, const Env& env, Match& found, const pdu::StatusReport& report, WallTime now) {
    MessageRow& row = found.row;
    if (found.unnamed) store::name_attempt(tx, found.unnamed, report.mr);
    apply(row, found.seq, report, now);
    save(tx, env, row, now);
    return {row.id, row.status, row.reason.value_or("")};
}

constexpr int messages_of_number = 50, kept_of_number = 5;

std::optional<pdu::StatusReport> report_in(const store::IncomingRow& kept) {
    auto pdu = pdu::decode_hex(kept.hex, pdu::Way::mobile_terminated);
    auto* report = pdu ? std::get_if<pdu::StatusReport>(&pdu->tpdu) : nullptr;
    return report ? std::optional{std::move(*report)} : std::nullopt;
}

/// Without a reference of its own, an attempt gets a kept report that can be of no other message. `row` is not stored yet as it is now.
bool is_of(Tx& tx, const MessageRow& row, const store::AttemptRow& attempt, const pdu::StatusReport& report, WallTime now) {
    if (!report.time.utc()) return false;
    if (std::ranges::any_of(row.parts, [&](const Part& p) { return p.seq != attempt.seq && p.tp_mr == report.mr; })) return false;
    auto rows = store::reportable(tx, row.phone_number, messages_of_number);
    std::erase_if(rows, [&](const MessageRow& stored) { return stored.id == row.id; });
    rows.push_back(row);
    const auto found = match_by_time(tx, rows, report, attempt.iccid, now);
    return found && found->unnamed == attempt.id;
}

}  // namespace

std::string recipient_of(const pdu::StatusReport& report, const config::Config& config) {
    const auto number = parse_msisdn(report.recipient.digits, config.gateway.region);
    return number ? number->text : report.recipient.digits;
}

std::vector<Changed> apply_report(Tx& tx, const Env& env, const pdu::StatusReport& report, std::string_view iccid, WallTime now) {
    const auto phone = recipient_of(report, env.config);
    auto rows = store::reportable(tx, phone, messages_of_number);
    auto found = match_by_reference(tx, rows, report, iccid, now, true);
    if (!found) found = match_by_time(tx, rows, report, iccid, now);
    if (!found) found = match_by_reference(tx, rows, report, iccid, now, false);  // the centre's clock, perhaps
    if (!found) {
        rows = by_suffix(tx, phone, report.mr, now);
        found = match_by_reference(tx, rows, report, iccid, now, false);
    }
    if (!found) return {};
    const bool by_time = found->unnamed != 0;
    std::vector<Changed> changed{give(tx, env, *found, report, now)};
    if (by_time) std::ranges::move(bind_doubtful_reports(tx, env, phone, now), std::back_inserter(changed));
    return changed;
}

std::vector<Changed> bind_doubtful_reports(Tx& tx, const Env& env, std::string_view phone, WallTime now) {
    std::vector<Changed> changed;
    for (bool more = true; std::exchange(more, false);)
        for (const auto& kept : store::unmatched_reports(tx, phone, kept_of_number)) {
            const auto report = report_in(kept);
            if (!report || !report->time.utc()) continue;
            auto rows = store::reportable(tx, phone, messages_of_number);
            auto found = match_by_time(tx, rows, *report, kept.iccid, now);
            if (!found) continue;
            changed.push_back(give(tx, env, *found, *report, now));
            store::finish_incoming(tx, kept.id, 1, changed.back().id);
            more = true;  // and what that leaves for others
        }
    return changed;
}

void bind_early_report(Tx& tx, MessageRow& row, const store::AttemptRow& attempt, std::optional<int> tp_mr, WallTime now) {
    if (!row.report_wanted) return;
    for (const auto& kept : store::unmatched_reports(tx, row.phone_number, kept_of_number)) {
        if (kept.received_at < attempt.started_at) continue;
        if (!kept.iccid.empty() && kept.iccid != attempt.iccid) continue;  // empty: it came before the SIM was read again after a restart
        const auto report = report_in(kept);
        if (!report || (tp_mr ? report->mr != *tp_mr : !is_of(tx, row, attempt, *report, now))) continue;
        if (!tp_mr) store::name_attempt(tx, attempt.id, report->mr);
        apply(row, attempt.seq, *report, now);
        store::finish_incoming(tx, kept.id, 1, row.id);
        return;
    }
}

}  // namespace conductor::service
