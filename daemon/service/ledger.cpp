#include "daemon/service/ledger.hpp"

#include <algorithm>

#include "daemon/dispatch/retry.hpp"
#include "daemon/dispatch/states.hpp"
#include "daemon/dispatch/submission.hpp"
#include "daemon/service/elements.hpp"
#include "daemon/service/events.hpp"
#include "daemon/service/reports.hpp"
#include "daemon/service/steps.hpp"
#include "modem/at/errors.hpp"

namespace conductor::service {
namespace {

using dispatch::After;
using driver::Ending;
using store::MessageRow;
using store::Tx;

at::Failure failure_of(const driver::SubmitOutcome& o) {
    at::Failure f;
    f.phase = o.ending == Ending::ambiguous ? at::Phase::after_ctrl_z : at::Phase::before_ctrl_z;
    if (o.cms)
        f = {at::FailureKind::cms, o.cms, f.phase};
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

void accepted(Tx& tx, const Env& env, MessageRow& row, const store::AttemptRow& attempt, std::optional<int> tp_mr, WallTime now) {
    if (row.retry_count > 0) remember_left_out(tx, tries_of(tx, row, attempt.seq, attempt.previous), attempt, now);
    dispatch::settle_part(row, attempt.seq, After::accepted, tp_mr, {}, row.report_wanted);
    if (const auto* modem = modem_config(env, attempt.modem_index)) row.cost += modem->cost_per_part;
    if (row.status == MessageStatus::sent && !row.sent_at) row.sent_at = now;
}

/// How often other messages to this number ended with `word` lately, since the network took one. Refusals that are close together are one:
/// an outage of minutes is nobody's number.
int strikes_of_number(Tx& tx, const MessageRow& row, std::string_view word, WallTime now) {
    constexpr std::chrono::hours lately{24};
    constexpr std::chrono::minutes one_outage{10};
    constexpr int messages = 16;
    int strikes = 0;
    WallTime last = now;
    for (const auto& a : store::attempts_to(tx, row.phone_number, now - lately, messages)) {
        if (a.outcome == static_cast<int>(Ending::accepted)) break;
        if (a.message == row.id || a.reason != word || last - a.started_at < one_outage) continue;
        last = a.started_at;
        ++strikes;
    }
    return strikes;
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
    const auto before = tries_of(tx, row, attempt.seq, attempt.previous);
    auto strikes = static_cast<int>(std::ranges::count(before, word, [](const auto& a) { return a.reason.value_or(""); }));
    if (o.ending == Ending::not_sent) {
        // Nothing left this box: it costs no attempt. Another modem may take it at once, unless it keeps happening to this message.
        dispatch::settle_part(row, attempt.seq, After::again, {}, word, row.report_wanted);
        const auto& retry = env.config.send.retry;
        const int paused = strikes + 1 - Limits::not_sent_pause_after;
        requeue(row, paused < 0 ? now : now + dispatch::back_off(retry, paused, random), now);
        return;
    }
    // A definite refusal that may be about an optional element: the same part at once without it, which costs no attempt.
    const auto blamed = dispatch::blamed_by(word) & wished(row).without(left_out(tx, before, attempt.iccid, attempt.started_at));
    if (o.ending == Ending::refused && !blamed.empty()) {
        dispatch::settle_part(row, attempt.seq, After::again, {}, word, row.report_wanted);
        requeue(row, now, now);
        return;
    }
    const auto verdict = at::classify(failure_of(o));
    if (verdict.scope == at::Scope::recipient && verdict.tries > 0) strikes += strikes_of_number(tx, row, word, now);
    const dispatch::Tried tried{.counted = row.attempts_used,
                                .strikes = strikes,
                                .resubmission = std::ranges::any_of(before, ambiguous),
                                .on_unknown = row.on_unknown,
                                .may_be_out = o.ending == Ending::ambiguous};
    const auto next = dispatch::next_try(verdict, tried, env.config.send, random);
    const bool open_of_sim = o.ending == Ending::ambiguous && verdict.scope == at::Scope::sim;
    if (o.ending == Ending::refused || open_of_sim) answer.refused = PickAnswer::Refused{verdict, row.phone_number, row.id};
    if (next.counts) ++row.attempts_used;
    // an interruption has a better word than the error table: "restarted", "rebooted"
    const bool interrupted = !o.cms && !o.cme && failure_of(o).kind == at::FailureKind::hang_up;
    const std::string reason = interrupted || next.reason.empty() ? word : next.reason;
    if (next.pause_sim) answer.pause_sim = reason;
    const auto failure = failure_of(o);
    answer.until_usable = at::is_sim_unusable(failure.kind, failure.code);
    switch (next.then) {
        case dispatch::Then::accepted: return accepted(tx, env, row, attempt, std::nullopt, now);
        case dispatch::Then::unknown: dispatch::settle_part(row, attempt.seq, After::unknown, {}, reason, row.report_wanted); break;
        case dispatch::Then::give_up: {
            // a try before it may be out all the same: what the last one was told says nothing of that
            const auto open = std::ranges::find_if(before, ambiguous);
            if (open == before.end())
                dispatch::settle_part(row, attempt.seq, After::give_up, {}, reason, row.report_wanted);
            else
                dispatch::settle_part(row, attempt.seq, After::unknown, {}, open->reason.value_or(reason), row.report_wanted);
            break;
        }
        case dispatch::Then::again:
            dispatch::settle_part(row, attempt.seq, After::again, {}, reason, row.report_wanted);
            requeue(row, now + patience(env.config.send.retry, next, strikes), now);
            break;
    }
}

}  // namespace

bool correct(MessageRow& row, const std::function<void(MessageRow&)>& evidence) {
    const bool was_final = is_final(row.status, row.delivery_status);
    MessageRow changed = row;
    evidence(changed);
    if (was_final && changed.status != row.status) {
        if (row.corrected || !dispatch::is_upward(row.status, changed.status)) return false;
        changed.corrected = true;
    }
    row = std::move(changed);
    return true;
}

namespace {

/// What follows it in its set is looked at when this one is out. Where it failed, or is to go once more, those behind it have another
/// reason now. One that was cancelled has no place in the set any more, until somebody wants it after all.
void note_in_set(Tx& tx, const MessageRow& row, WallTime now) {
    using Before = dispatch::Facts::Before;
    const Before was = before_of(row.stored_status), is = before_of(row.status);
    if (row.status == MessageStatus::cancelled && row.reason == "cancelled") store::leave_set(tx, row);
    if (row.stored_status == MessageStatus::cancelled) store::enter_set_again(tx, row);
    if (is == Before::out && was != Before::out)
        store::follow(tx, row.id, now + std::chrono::milliseconds{set_gap_ms(row.id)});
    else if (is != was)
        store::look_at_set(tx, row, now);
}

}  // namespace

void save(Tx& tx, const Env& env, MessageRow& row, WallTime now) {
    if (!dispatch::may_follow(row.stored_status, row.status))
        tx.fail(Error{store::StoreErrc::failed,
                      fmt::format("message {}: {} after {}", row.id.value, to_string(row.status), to_string(row.stored_status))});
    if (is_final(row.status, row.delivery_status))
        row.report_until.reset();
    else if (row.status == MessageStatus::sent && row.delivery_status == DeliveryStatus::pending && !row.report_until)
        row.report_until = now + Limits::report_grace;  // it had ended, and a report opened it again
    store::update(tx, row);
    if (row.set_name && row.status != row.stored_status) note_in_set(tx, row, now);
    // so is what waits behind it for the same number
    if (row.direction == Direction::outbound && row.last_attempt && under_way(row.stored_status) && !under_way(row.status))
        store::wake_behind(tx, row, now);
    tell_supabase(tx, env, row, now);
}

bool is_open(const MessageRow& row) {
    return std::ranges::any_of(row.parts, [](const Part& p) { return p.status == PartStatus::submitting; });
}

void go_on(Tx& tx, const Env& env, MessageRow& row, std::string_view why, WallTime now) {
    if (row.status != MessageStatus::sending || is_open(row)) return;
    requeue(row, now, now);
    dispatch::wait_for(row, std::string{why});
    save(tx, env, row, now);
}

std::vector<Changed> settle_without(Tx& tx, const Env& env, const store::AttemptRow& attempt, const driver::SubmitOutcome& o,
                                    const Error& why, WallTime now) {
    std::vector<Changed> changed;
    store::close_attempt(tx, attempt.id, now, static_cast<int>(o.ending), o.tp_mr >= 0 ? std::optional{o.tp_mr} : std::nullopt, o.reason);
    store::clear_slot(tx, attempt.id);
    store::audit(tx, now, "daemon", "store-failed", std::to_string(attempt.message.value), why.text());
    tx.alone([&] {
        auto row = store::find(tx, attempt.message);
        if (!row || !dispatch::may_follow(row->status, MessageStatus::unknown)) return;
        for (Part& part : row->parts)
            if (part.status == PartStatus::submitting) part.status = PartStatus::unknown;
        row->status = MessageStatus::unknown;
        row->delivery_status = DeliveryStatus::unknown;
        row->ready = false;
        row->reason = "step-failed";
        row->report_until.reset();
        store::update(tx, *row);
        changed.push_back({row->id, row->status, "step-failed"});
        tx.alone([&] { tell_supabase(tx, env, *row, now); });
    });
    return changed;
}

std::vector<Changed> settle_without(Tx& tx, const Env& env, const driver::SubmitOutcome& o, const Error& why, WallTime now) {
    const auto attempt = store::find_attempt(tx, o.token);
    return attempt && !attempt->outcome ? settle_without(tx, env, *attempt, o, why, now) : std::vector<Changed>{};
}

void settle_for_good(Tx& tx, const Env& env, const store::AttemptRow& attempt, const driver::SubmitOutcome& o, WallTime now,
                     std::uint64_t random, PickAnswer& answer) {
    auto row = store::find(tx, attempt.message);
    if (!row) return;
    const auto tp_mr = o.tp_mr >= 0 ? std::optional{o.tp_mr} : std::nullopt;
    store::close_attempt(tx, attempt.id, now, static_cast<int>(o.ending), tp_mr, o.reason);
    // written, but its place was never committed: the slot, if there is one, is found by its octets
    if (o.ending == Ending::not_sent && attempt.slot_memory && !attempt.slot) store::set_slot(tx, attempt.id, *attempt.slot_memory, -1);
    if (o.ending == Ending::accepted)
        accepted(tx, env, *row, attempt, tp_mr, now);
    else
        not_accepted(tx, env, *row, attempt, o, now, random, answer);
    const bool reports_kept = store::any_unmatched_report(tx, row->phone_number);
    if (reports_kept && (o.ending == Ending::accepted || o.ending == Ending::ambiguous))
        bind_early_report(tx, *row, attempt, o.ending == Ending::accepted ? tp_mr : std::nullopt, now);
    // parts of a set stay on the modem that began it: another SIM is another sender, and the phone could not join them
    if (std::ranges::any_of(row->parts, [](const Part& p) { return p.status != PartStatus::waiting; }) && dispatch::waiting_part(*row))
        row->lane = bit_of(attempt.modem_index);
    save(tx, env, *row, now);
    answer.message = row->id;
    answer.changed.push_back({row->id, row->status, row->reason.value_or("")});
    if (reports_kept && o.ending != Ending::ambiguous)  // of two that a report may be of, one is out
        std::ranges::move(bind_doubtful_reports(tx, env, row->phone_number, now), std::back_inserter(answer.changed));
}

namespace {

/// Its slot tells more than an answer that did not come.
void leave_to_slot(Tx& tx, const Env& env, const store::AttemptRow& attempt, WallTime now, PickAnswer& answer) {
    auto row = store::find(tx, attempt.message);
    if (!row) return;
    row->reason = "in-modem";
    save(tx, env, *row, now);
    answer.message = row->id;
    answer.changed.push_back({row->id, row->status, "in-modem"});
}

}  // namespace

void settle(Tx& tx, const Env& env, const driver::SubmitOutcome& o, WallTime now, std::uint64_t random, PickAnswer& answer) {
    const auto attempt = store::find_attempt(tx, o.token);
    if (!attempt || attempt->outcome) return;
    const bool silent = o.ending == Ending::ambiguous && !o.cms && !o.cme && o.reason != "error";
    if (!silent || !attempt->stored) return settle_for_good(tx, env, *attempt, o, now, random, answer);
    if (attempt->slot) return leave_to_slot(tx, env, *attempt, now, answer);
    driver::SubmitOutcome unsent = o;
    unsent.ending = Ending::not_sent;  // AT+CMSS follows the commit of the slot
    settle_for_good(tx, env, *attempt, unsent, now, random, answer);
}

namespace {

/// What a late acceptance makes of the message; nothing where it was submitted again since: both are out, and the journal says so.
std::optional<Changed> correct_late(Tx& tx, const Env& env, MessageRow& row, const store::AttemptRow& attempt, std::optional<int> tp_mr,
                                    WallTime now) {
    auto chain = store::attempt_chain(tx, row.last_attempt);
    std::erase_if(chain, [&](const auto& a) { return a.seq != attempt.seq; });
    if (!chain.empty() && chain.back().id != attempt.id) return std::nullopt;
    const auto evidence = [&](MessageRow& m) { dispatch::accept_late(m, attempt.seq, tp_mr, m.report_wanted); };
    if (!correct(row, evidence)) return std::nullopt;
    if (const auto* config = modem_config(env, attempt.modem_index)) row.cost += config->cost_per_part;
    if (row.status == MessageStatus::sent && !row.sent_at) row.sent_at = now;
    bind_early_report(tx, row, attempt, tp_mr, now);
    if (row.status == MessageStatus::sending && !is_open(row)) requeue(row, now, now);
    save(tx, env, row, now);
    return Changed{row.id, row.status, row.reason.value_or("")};
}

}  // namespace

std::vector<Changed> accept_later(Tx& tx, const Env& env, const store::AttemptRow& attempt, std::optional<int> tp_mr, WallTime now) {
    auto row = store::find(tx, attempt.message);
    if (!row) return {};
    store::close_attempt(tx, attempt.id, now, static_cast<int>(Ending::accepted), tp_mr, "late");
    std::vector<Changed> changed;
    if (auto corrected = correct_late(tx, env, *row, attempt, tp_mr, now)) changed.push_back(std::move(*corrected));
    if (tp_mr) std::ranges::move(bind_doubtful_reports(tx, env, row->phone_number, now), std::back_inserter(changed));
    return changed;
}

std::vector<Changed> settle_late(Tx& tx, const Env& env, ModemIndex modem, int tp_mr, WallTime now) {
    // the newest attempt of this modem, if its outcome is open or ambiguous
    for (const auto& attempt : store::attempts_since(tx, now - std::chrono::minutes{15}, 500)) {
        if (attempt.modem_index != modem) continue;
        if (attempt.outcome && !ambiguous(attempt)) break;
        return accept_later(tx, env, attempt, tp_mr, now);
    }
    return {};
}

PickAnswer settle_inherited(Tx& tx, const Env& env, ModemIndex modem, driver::SubmitOutcome outcome, WallTime now, std::uint64_t random) {
    PickAnswer answer;
    auto open = store::open_attempts(tx);
    std::erase_if(open, [modem](const auto& a) { return a.modem_index != modem; });
    std::ranges::sort(open, std::ranges::greater{}, &store::AttemptRow::id);
    for (const auto& attempt : open) {  // what was said is about the newest
        outcome.token = attempt.id;
        const auto failed = tx.alone([&] {
            settle(tx, env, outcome, now, random, answer);
            if (auto row = store::find(tx, attempt.message)) go_on(tx, env, *row, "restarted", now);
        });
        // one that cannot be settled must not keep the whole gateway from starting
        if (failed && !tx.failed())
            std::ranges::move(settle_without(tx, env, attempt, outcome, *failed, now), std::back_inserter(answer.changed));
        outcome = driver::SubmitOutcome{};
        outcome.ending = Ending::ambiguous;
        outcome.reason = "restarted";
    }
    return answer;
}

std::vector<Changed> recover(Tx& tx, const Env& env, const std::vector<ModemIndex>& still_listening, WallTime now) {
    const driver::SubmitOutcome open_end{.ending = Ending::ambiguous, .reason = "restarted"};
    std::vector<ModemIndex> modems;
    for (const auto& attempt : store::open_attempts(tx))
        if (std::ranges::find(still_listening, attempt.modem_index) == still_listening.end() &&
            std::ranges::find(modems, attempt.modem_index) == modems.end())
            modems.push_back(attempt.modem_index);
    std::vector<Changed> changed;
    for (const auto modem : modems)
        std::ranges::move(settle_inherited(tx, env, modem, open_end, now, 0).changed, std::back_inserter(changed));
    return changed;
}

std::vector<Changed> reopen(Tx& tx, const Env& env, const std::vector<MessageId>& ids, WallTime now) {
    std::vector<Changed> changed;
    for (const auto id : ids) {
        auto row = store::find(tx, id);
        // a row of Supabase was told as failed: only a fresh claim opens it again
        if (!row || row->status != MessageStatus::failed || row->scheduled_message_id) continue;
        begin_again(env, *row, now);
        row->reason = "sim-refused";
        save(tx, env, *row, now);
        changed.push_back({id, row->status, "sim-refused"});
    }
    return changed;
}

std::vector<Changed> suppress_queued(Tx& tx, const Env& env, std::string_view phone, WallTime now) {
    std::vector<Changed> changed;
    for (auto& row : store::queued_for(tx, phone)) {
        if (row.message_class == MessageClass::reply || has_parts_out(row)) continue;
        give_up(tx, row, MessageStatus::suppressed, "opted-out");
        row.ready = false;
        save(tx, env, row, now);
        changed.push_back({row.id, row.status, row.reason.value_or("")});
    }
    return changed;
}

std::vector<Changed> close_overdue_reports(Tx& tx, const Env& env, WallTime now, int limit) {
    std::vector<Changed> changed;
    for (auto& row : store::overdue_reports(tx, now, limit)) {
        const auto failed = tx.alone([&] {
            dispatch::close_reports(row);
            row.report_until.reset();
            save(tx, env, row, now);
        });
        if (failed && !tx.failed()) {  // no report will change it, and the others must not wait behind it
            tx.run("UPDATE messages SET report_until = NULL WHERE id = ?", row.id);
            store::audit(tx, now, "daemon", "store-failed", std::to_string(row.id.value), failed->text());
        }
        if (!failed) changed.push_back({row.id, row.status, row.reason.value_or("")});
    }
    return changed;
}

}  // namespace conductor::service
