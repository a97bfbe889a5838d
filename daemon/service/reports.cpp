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

/// The part of `row` that the report names: the one with this reference, else one whose outcome is open. A delivered part gets no
/// second report: the reference, which modems count modulo 256, is another part's by then.
std::optional<int> part_for(Tx& tx, const MessageRow& row, int tp_mr, bool open_ones) {
    for (const Part& part : row.parts) {
        if (part.status == PartStatus::delivered) continue;
        if (!open_ones && part.tp_mr == tp_mr && part.status != PartStatus::waiting) return part.seq;
        if (!open_ones || part.tp_mr || part.attempts == 0) continue;
        if (part.status == PartStatus::unknown) return part.seq;
        if (part.status == PartStatus::submitting) continue;
        // to be submitted again, or given up, after a submission that may have gone out: it did. Accepted without a reference, where the
        // modem's storage alone says so: number and time must do
        for (const auto& attempt : store::attempt_chain(tx, row.last_attempt)) {
            const bool unnamed = attempt.outcome == static_cast<int>(driver::Ending::accepted) && !attempt.tp_mr;
            if (attempt.seq == part.seq && (unnamed || attempt.outcome == static_cast<int>(driver::Ending::ambiguous))) return part.seq;
        }
    }
    return std::nullopt;
}

struct Match {
    MessageRow row;
    int seq = 0;
};

/// Newest first, since modems count references modulo 256. A reference that was seen wins over a part of unknown outcome.
std::optional<Match> match(Tx& tx, std::vector<MessageRow> rows, int tp_mr, std::string_view iccid) {
    for (const bool open_ones : {false, true})
        for (auto& row : rows) {
            if (row.iccid && !iccid.empty() && *row.iccid != iccid) continue;
            if (const auto seq = part_for(tx, row, tp_mr, open_ones)) return Match{std::move(row), *seq};
        }
    return std::nullopt;
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

/// The service centre took what is reported since this attempt began, by its own clock, which may differ by some seconds.
bool taken_since(const store::AttemptRow& attempt, const pdu::StatusReport& report, WallTime now) {
    constexpr std::chrono::seconds skew{10};
    const auto taken = report.time.utc();
    return taken && *taken >= attempt.started_at - skew && *taken <= now + skew;
}

}  // namespace

std::string recipient_of(const pdu::StatusReport& report, const config::Config& config) {
    const auto number = parse_msisdn(report.recipient.digits, config.gateway.region);
    return number ? number->text : report.recipient.digits;
}

std::optional<Changed> apply_report(Tx& tx, const Env& env, const pdu::StatusReport& report, std::string_view iccid, WallTime now) {
    const auto phone = recipient_of(report, env.config);
    auto found = match(tx, store::reportable(tx, phone, 50), report.mr, iccid);
    if (!found) found = match(tx, by_suffix(tx, phone, report.mr, now), report.mr, iccid);
    if (!found) return std::nullopt;
    auto& row = found->row;
    apply(row, found->seq, report, now);
    save(tx, env, row, now);
    return Changed{row.id, row.status, row.reason.value_or("")};
}

void bind_early_report(Tx& tx, MessageRow& row, const store::AttemptRow& attempt, std::optional<int> tp_mr, WallTime now) {
    if (!row.report_wanted) return;
    for (const auto& kept : store::unmatched_reports(tx, row.phone_number, 5)) {
        if (kept.received_at < attempt.started_at) continue;
        if (!kept.iccid.empty() && kept.iccid != attempt.iccid) continue;  // empty: it came before the SIM was read again after a restart
        const auto pdu = pdu::decode_hex(kept.hex, pdu::Way::mobile_terminated);
        const auto* report = pdu ? std::get_if<pdu::StatusReport>(&pdu->tpdu) : nullptr;
        if (!report || report->mr != tp_mr.value_or(report->mr)) continue;
        const bool of_another =
            std::ranges::any_of(row.parts, [&](const Part& p) { return p.seq != attempt.seq && p.tp_mr == report->mr; });
        if (!tp_mr && (of_another || !taken_since(attempt, *report, now))) continue;
        apply(row, attempt.seq, *report, now);
        store::finish_incoming(tx, kept.id, 1, row.id);
        return;
    }
}

}  // namespace conductor::service
