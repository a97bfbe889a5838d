#include "daemon/service/ledger.hpp"

#include <algorithm>
#include <bit>

#include "daemon/dispatch/retry.hpp"
#include "daemon/dispatch/send_hours.hpp"
#include "daemon/dispatch/submission.hpp"
#include "daemon/service/events.hpp"
#include "daemon/service/reports.hpp"
#include "modem/at/errors.hpp"
#include "modem/sms/sms.hpp"

namespace conductor::service {
namespace {

using dispatch::After;
using driver::Ending;
using store::MessageRow;
using store::Tx;

constexpr std::uint64_t bit_of(ModemIndex modem) {
    return std::uint64_t{1} << (modem & 63);
}

at::Failure failure_of(const driver::SubmitOutcome& o) {
    at::Failure f;
    f.phase = o.ending == Ending::ambiguous ? at::Phase::after_ctrl_z : at::Phase::before_ctrl_z;
    if (o.cms)
        f = {at::FailureKind::cms, o.cms, at::Phase::after_ctrl_z};
    else if (o.cme)
        f = {at::FailureKind::cme, o.cme, f.phase};
    else if (o.reason == "error")
        f.kind = at::FailureKind::plain_error;
    else if (o.reason == "no-prompt")
        f.kind = at::FailureKind::no_prompt;
    else if (o.reason == "timeout")
        f.kind = at::FailureKind::timeout;
    else
        f.kind = at::FailureKind::hang_up;
    return f;
}

const config::Modem* modem_config(const Env& env, ModemIndex index) {
    const auto it = std::ranges::find(env.config.modems, index, &config::Modem::index);
    return it == env.config.modems.end() ? nullptr : &*it;
}

/// Puts a message back into the queue, to be looked at again at `when` (never later than its expiry).
void requeue(MessageRow& row, WallTime when, WallTime now) {
    row.status = MessageStatus::queued;
    row.not_before = row.expires_at ? std::min(when, std::max(*row.expires_at, now)) : when;
    row.ready = row.not_before <= now;
}

/// The attempts of a part before this one, in this round.
std::vector<store::AttemptRow> earlier_tries(Tx& tx, const MessageRow& row, const store::AttemptRow& attempt) {
    auto chain = store::attempt_chain(tx, attempt.previous);
    std::erase_if(chain, [&](const auto& a) { return a.seq != attempt.seq || a.started_at < row.due_at.value_or(row.timestamp); });
    return chain;
}

bool ambiguous(const store::AttemptRow& attempt) {
    return attempt.outcome == static_cast<int>(Ending::ambiguous);
}

/// Something of the message left this box, or may have: also where a part waits to be submitted again.
bool has_begun(Tx& tx, const MessageRow& row) {
    if (std::ranges::any_of(row.parts, [](const Part& p) { return p.status != PartStatus::waiting; })) return true;
    return row.retry_count > 0 && std::ranges::any_of(store::attempt_chain(tx, row.last_attempt), ambiguous);
}

void accepted(Tx& tx, const Env& env, MessageRow& row, const store::AttemptRow& attempt, std::optional<int> tp_mr, WallTime now) {
    dispatch::settle_part(row, attempt.seq, After::accepted, tp_mr, {}, row.report_wanted);
    if (const auto* modem = modem_config(env, attempt.modem_index)) row.cost += modem->cost_per_part;
    if (row.status == MessageStatus::sent && !row.sent_at) row.sent_at = now;
    bind_early_report(tx, row, attempt, tp_mr, now);
}

/// A retry that costs no attempt has no end of its own, so it comes less and less often.
std::chrono::milliseconds patience(const config::Retry& retry, const dispatch::NextTry& next, int strikes) {
    if (next.counts || strikes < 3) return next.delay;
    const auto slow = retry.first * (std::int64_t{1} << std::min(strikes - 2, 16));
    return std::max(next.delay, std::min(std::max(retry.max, std::chrono::milliseconds{60'000}), slow));
}

void not_accepted(Tx& tx, const Env& env, MessageRow& row, const store::AttemptRow& attempt, const driver::SubmitOutcome& o, WallTime now,
                  std::uint64_t random, PickAnswer& answer) {
    ++row.retry_count;
    const std::string word = o.reason.empty() ? "error" : o.reason;
    const auto before = earlier_tries(tx, row, attempt);
    const auto strikes = static_cast<int>(std::ranges::count(before, word, [](const auto& a) { return a.reason.value_or(""); }));
    if (o.ending == Ending::not_sent) {
        // Nothing left this box: it costs no attempt. Another modem may take it at once, unless it keeps happening to this message.
        dispatch::settle_part(row, attempt.seq, After::again, {}, word, row.report_wanted);
        requeue(row, strikes + 1 < Limits::not_sent_pause_after ? now : now + env.config.send.retry.first, now);
        return;
    }
    const dispatch::Tried tried{.counted = row.attempts_used,
                                .strikes = strikes,
                                .resubmission = std::ranges::any_of(before, ambiguous),
                                .on_unknown = row.on_unknown,
                                .may_be_out = o.ending == Ending::ambiguous};
    const auto verdict = at::classify(failure_of(o));
    const auto next = dispatch::next_try(verdict, tried, env.config.send, random);
    if (o.ending == Ending::refused) answer.refused = PickAnswer::Refused{verdict, row.phone_number, row.id};
    if (next.counts) ++row.attempts_used;
    // an interruption has a better word than the error table: "restarted", "rebooted"
    const bool interrupted = !o.cms && !o.cme && failure_of(o).kind == at::FailureKind::hang_up;
    const std::string reason = interrupted || next.reason.empty() ? word : next.reason;
    if (next.pause_sim) answer.pause_sim = reason;
    switch (next.then) {
        case dispatch::Then::accepted: return accepted(tx, env, row, attempt, std::nullopt, now);
        case dispatch::Then::unknown: dispatch::settle_part(row, attempt.seq, After::unknown, {}, reason, row.report_wanted); break;
        case dispatch::Then::give_up: dispatch::settle_part(row, attempt.seq, After::give_up, {}, reason, row.report_wanted); break;
        case dispatch::Then::again:
            dispatch::settle_part(row, attempt.seq, After::again, {}, reason, row.report_wanted);
            requeue(row, now + patience(env.config.send.retry, next, strikes), now);
            break;
    }
}

/// The PDU of part `seq`, or the reason word why there is none.
Result<pdu::Encoded> encode_part(const Env& env, const MessageRow& row, int seq, bool reject_duplicates, WallTime now) {
    const auto segments = sms::segment(row.content, segment_options(env.config, row.id));
    if (!segments) return segments.error();
    if (seq < 1 || static_cast<std::size_t>(seq) > segments->segments.size())
        return fail(sms::SmsErrc::too_long, "part", static_cast<std::size_t>(seq));
    const auto& segment = segments->segments[static_cast<std::size_t>(seq) - 1];
    pdu::Submit submit;
    submit.reject_duplicates = reject_duplicates;
    submit.report_request = row.report_wanted;
    submit.to = pdu::address_of(row.phone_number);
    submit.dcs = pdu::parse_dcs(pdu::make_dcs(segments->alphabet, row.flash ? std::optional{0} : std::nullopt));
    submit.validity = pdu::relative_validity(validity_of(row, now));
    submit.data = segment.data;
    return pdu::encode(pdu::Pdu{.smsc = std::nullopt, .tpdu = std::move(submit)});
}

/// Journals the next part of `row` for this modem: from here until its result the outcome is open.
bool journal(Tx& tx, const Env& env, MessageRow& row, const PickRequest& request, PickAnswer& answer) {
    const Part* part = dispatch::waiting_part(row);
    if (!part) return false;
    const int seq = part->seq;
    const bool again = row.on_unknown == OnUnknown::resend && part->attempts > 0;
    auto encoded = encode_part(env, row, seq, again, request.now);
    if (!encoded) {
        dispatch::abandon(row, MessageStatus::failed, "not-encodable");
        row.reason_text = encoded.error().text();
        save(tx, env, row, request.now);
        answer.changed.push_back({row.id, row.status, *row.reason});
        return false;
    }
    dispatch::begin_part(row, seq, request.modem);
    row.iccid = request.iccid;
    row.ready = false;
    row.reason_text.reset();
    row.last_attempt = store::open_attempt(tx, {.id = 0,
                                                .message = row.id,
                                                .seq = seq,
                                                .modem_index = request.modem,
                                                .iccid = request.iccid,
                                                .started_at = request.now,
                                                .ended_at = {},
                                                .outcome = {},
                                                .tp_mr = {},
                                                .reason = {},
                                                .previous = row.last_attempt});
    row.report_until = row.report_wanted ? std::optional{request.now + validity_of(row, request.now) + Limits::report_grace} : std::nullopt;
    save(tx, env, row, request.now);
    answer.submission =
        driver::Submission{.token = *row.last_attempt, .pdu = std::move(*encoded), .more_follow = dispatch::waiting_part(row) != nullptr};
    answer.message = row.id;
    return true;
}

/// True when the message may be released now; else it was parked or ended.
bool release(Tx& tx, const Env& env, MessageRow& row, const PickRequest& request, PickAnswer& answer) {
    if (has_begun(tx, row)) {  // a set under way is completed until its time is over
        const bool lease_over = row.lease_until && *row.lease_until <= request.now;
        if (!lease_over && (!row.expires_at || *row.expires_at > request.now)) return true;
        if (lease_over)
            dispatch::abandon(row, MessageStatus::unknown, "lease-lost");
        else
            dispatch::abandon(row, MessageStatus::expired, "expired");
    } else if (row.lease_until && *row.lease_until <= request.now) {
        // the lease is over: another box may have it by now. It goes back unsent.
        dispatch::abandon(row, MessageStatus::cancelled, "lease-lost");
        row.ready = false;
        row.stored_status = row.status;
        tell_supabase_released(tx, env, *row.scheduled_message_id, row.claim_epoch, "lease-lost", request.now);
    } else {
        auto decision = dispatch::decide(env.config, facts_of(tx, env, row, request.now), request.now);
        if (request.paused && decision.ruling == dispatch::Ruling::send && row.message_class != MessageClass::reply)
            decision = {.ruling = dispatch::Ruling::wait, .not_before = request.now + std::chrono::minutes{1}, .reason = "paused"};
        if (decision.ruling == dispatch::Ruling::send) return true;
        row.reason = decision.reason;
        row.reason_text = decision.detail.empty() ? std::nullopt : std::optional{decision.detail};
        if (decision.ruling == dispatch::Ruling::wait) {
            // at least a second ahead: a decision that says "now" must not be asked again in the same breath
            requeue(row, std::max(decision.not_before, request.now + std::chrono::seconds{1}), request.now);
            row.ready = false;
        } else {
            row.status = decision.refused_as;
            row.ready = false;
        }
    }
    save(tx, env, row, request.now);
    answer.changed.push_back({row.id, row.status, row.reason.value_or("")});
    return false;
}

void pick(Tx& tx, const Env& env, const PickRequest& request, PickAnswer& answer) {
    int examined = 0;
    store::promote(tx, request.now, Limits::promote_batch);
    while (examined < Limits::examined_per_pick && !answer.submission && !tx.failed()) {
        std::optional<MessageRow> best;
        for (const auto lane : store::ready_lanes(tx)) {
            if (lane == no_lane || (lane != 0 && !(lane & bit_of(request.modem)))) continue;
            for (auto& row : store::ready_rows(tx, lane, 1))
                if (!best || row.priority > best->priority || (row.priority == best->priority && row.due_at < best->due_at))
                    best = std::move(row);
        }
        if (!best) break;
        ++examined;
        if (release(tx, env, *best, request, answer)) journal(tx, env, *best, request, answer);
    }
    answer.more_ready = store::any_ready(tx);
    answer.look_again = store::next_waiting(tx);
    if (!answer.submission && examined == Limits::examined_per_pick) answer.look_again = request.now;
}

}  // namespace

std::uint64_t lane_of(const config::Config& config, const Message& message, std::optional<ModemIndex> pinned) {
    if (pinned) return bit_of(*pinned);
    std::uint64_t all = 0, lane = 0;
    for (const auto& modem : config.modems) {
        all |= bit_of(modem.index);
        if (modem.classes.empty() || std::ranges::find(modem.classes, message.message_class) != modem.classes.end())
            lane |= bit_of(modem.index);
    }
    const config::Route* route = nullptr;
    for (const auto& r : config.routes)
        if (message.phone_number.starts_with(r.prefix) && (!route || r.prefix.size() > route->prefix.size())) route = &r;
    if (route) {
        std::uint64_t routed = 0;
        for (const auto index : route->modems) routed |= bit_of(index);
        lane &= routed;
    }
    if (lane == 0) return no_lane;
    return lane == all ? 0 : lane;
}

void save(Tx& tx, const Env& env, MessageRow& row, WallTime now) {
    if (is_final(row.status, row.delivery_status)) row.report_until.reset();
    store::update(tx, row);
    tell_supabase(tx, env, row, now);
}

void settle(Tx& tx, const Env& env, const driver::SubmitOutcome& o, WallTime now, std::uint64_t random, PickAnswer& answer) {
    const auto attempt = store::find_attempt(tx, o.token);
    if (!attempt || attempt->outcome) return;
    auto row = store::find(tx, attempt->message);
    if (!row) return;
    const auto tp_mr = o.tp_mr >= 0 ? std::optional{o.tp_mr} : std::nullopt;
    store::close_attempt(tx, attempt->id, now, static_cast<int>(o.ending), tp_mr, o.reason);
    if (o.ending == Ending::accepted)
        accepted(tx, env, *row, *attempt, tp_mr, now);
    else
        not_accepted(tx, env, *row, *attempt, o, now, random, answer);
    // parts of a set stay on the modem that began it: another SIM is another sender, and the phone could not join them
    if (std::ranges::any_of(row->parts, [](const Part& p) { return p.status != PartStatus::waiting; }) && dispatch::waiting_part(*row))
        row->lane = bit_of(attempt->modem_index);
    save(tx, env, *row, now);
    answer.message = row->id;
    answer.changed.push_back({row->id, row->status, row->reason.value_or("")});
}

PickAnswer settle_and_pick(Tx& tx, const Env& env, const PickRequest& request) {
    PickAnswer answer;
    if (request.finished) {
        settle(tx, env, *request.finished, request.now, request.random, answer);
        auto row = store::find(tx, answer.message);
        if (row && row->status == MessageStatus::sending) {  // the next part of the same message, back to back
            if (request.available && release(tx, env, *row, request, answer) && journal(tx, env, *row, request, answer)) return answer;
            if (row->status == MessageStatus::sending) {
                requeue(*row, request.now, request.now);
                row->reason = "waiting-for-modem";
                save(tx, env, *row, request.now);
            }
        }
    }
    if (request.available && !answer.pause_sim) pick(tx, env, request, answer);
    return answer;
}

std::vector<Changed> settle_late(Tx& tx, const Env& env, ModemIndex modem, int tp_mr, WallTime now) {
    // the newest attempt of this modem, if its outcome is open or ambiguous
    for (const auto& attempt : store::attempts_since(tx, now - std::chrono::minutes{15}, 500)) {
        if (attempt.modem_index != modem) continue;
        if (attempt.outcome && !ambiguous(attempt)) break;
        auto row = store::find(tx, attempt.message);
        if (!row) break;
        store::close_attempt(tx, attempt.id, now, static_cast<int>(Ending::accepted), tp_mr, "late");
        auto chain = store::attempt_chain(tx, row->last_attempt);
        std::erase_if(chain, [&](const auto& a) { return a.seq != attempt.seq; });
        if (!chain.empty() && chain.back().id != attempt.id) return {};  // submitted again since: both are out, the journal says so
        dispatch::accept_late(*row, attempt.seq, tp_mr, row->report_wanted);
        if (const auto* config = modem_config(env, modem)) row->cost += config->cost_per_part;
        if (row->status == MessageStatus::sent && !row->sent_at) row->sent_at = now;
        bind_early_report(tx, *row, attempt, tp_mr, now);
        if (row->status == MessageStatus::sending) requeue(*row, now, now);
        save(tx, env, *row, now);
        return {{row->id, row->status, row->reason.value_or("")}};
    }
    return {};
}

PickAnswer settle_inherited(Tx& tx, const Env& env, ModemIndex modem, driver::SubmitOutcome outcome, WallTime now, std::uint64_t random) {
    PickAnswer answer;
    for (const auto& attempt : store::open_attempts(tx)) {
        if (attempt.modem_index != modem) continue;
        outcome.token = attempt.id;
        settle(tx, env, outcome, now, random, answer);
        auto row = store::find(tx, attempt.message);
        if (!row || row->status != MessageStatus::sending) continue;
        requeue(*row, now, now);
        row->reason = "restarted";
        save(tx, env, *row, now);
    }
    return answer;
}

std::vector<Changed> recover(Tx& tx, const Env& env, const std::vector<ModemIndex>& still_listening, WallTime now) {
    const driver::SubmitOutcome open_end{.ending = Ending::ambiguous, .reason = "restarted"};
    std::vector<ModemIndex> modems;
    for (const auto& attempt : store::open_attempts(tx))
        if (std::ranges::find(still_listening, attempt.modem_index) == still_listening.end()) modems.push_back(attempt.modem_index);
    std::vector<Changed> changed;
    for (const auto modem : modems)
        std::ranges::move(settle_inherited(tx, env, modem, open_end, now, 0).changed, std::back_inserter(changed));
    return changed;
}

std::vector<Changed> expire_overdue(Tx& tx, const Env& env, WallTime now, int limit) {
    store::promote(tx, now, limit);
    PickAnswer answer;
    const PickRequest nobody{.now = now};
    for (auto& row : store::ready_and_expired(tx, now, limit)) release(tx, env, row, nobody, answer);
    return answer.changed;
}

std::vector<Changed> reopen(Tx& tx, const Env& env, const std::vector<MessageId>& ids, WallTime now) {
    std::vector<Changed> changed;
    for (const auto id : ids) {
        auto row = store::find(tx, id);
        if (!row || row->status != MessageStatus::failed) continue;
        dispatch::new_round(*row);
        if (!row->pinned) row->lane = lane_of(env.config, *row, std::nullopt);
        row->attempts_used = 0;
        row->due_at = now;
        requeue(*row, now, now);
        row->reason = "sim-refused";
        save(tx, env, *row, now);
        changed.push_back({id, row->status, "sim-refused"});
    }
    return changed;
}

std::vector<Changed> close_overdue_reports(Tx& tx, const Env& env, WallTime now, int limit) {
    std::vector<Changed> changed;
    for (auto& row : store::overdue_reports(tx, now, limit)) {
        dispatch::close_reports(row);
        row.report_until.reset();
        save(tx, env, row, now);
        changed.push_back({row.id, row.status, row.reason.value_or("")});
    }
    return changed;
}

dispatch::Facts facts_of(Tx& tx, const Env& env, const MessageRow& row, WallTime now) {
    dispatch::Facts facts{.message_class = row.message_class, .phone_number = row.phone_number};
    facts.due = row.due_at.value_or(row.timestamp);
    facts.expires = row.expires_at;
    if (const auto out = store::find_opt_out(tx, row.phone_number); out && out->active) {
        facts.opted_out = true;
        facts.opted_out_at = out->at;
    }
    if (row.in_reply_to)
        if (const auto inbound = store::find(tx, *row.in_reply_to)) facts.answers_inbound_at = inbound->timestamp;
    if (row.message_class != MessageClass::marketing) return facts;
    const auto consent = store::find_consent(tx, row.phone_number);
    facts.consented = consent && consent->active;
    const auto recent = store::recent_marketing(tx, row.phone_number, now);
    facts.sent_last_day = recent.last_day;
    facts.sent_last_week = recent.last_week;
    facts.last_sent = recent.last;
    if (env.config.send.daily_budget > 0) {
        const auto* zone = dispatch::zone_named(env.config.gateway.time_zone);
        const WallTime midnight = zone ? dispatch::next_midnight(zone, now) - std::chrono::hours{24} : now - std::chrono::hours{24};
        facts.budget_used_today = store::marketing_since(tx, midnight);
    }
    return facts;
}

}  // namespace conductor::service
