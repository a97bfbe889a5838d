// journal = "modem": what the modem's own storage says of a part whose answer was lost. What is durable when:
//   1. the attempt, with the octets' fingerprint and no slot     -> AT+CMGW may run.   After a crash: not sent; the slot, if any, is an
//   orphan
//   2. the slot of the attempt (note_slot)                       -> AT+CMSS may run.   After a crash: the slot tells, until then it is open
//   3. the outcome                                               -> AT+CMGD may run.   After a crash: the sweep finds the slot, and it goes
//   4. that the slot is empty, with the next attempt (1)         -> AT+CMGW may use it again, and nobody takes it for the part before
#include <algorithm>

#include "daemon/dispatch/submission.hpp"
#include "daemon/service/steps.hpp"
#include "modem/pdu/stored.hpp"

namespace conductor::service {

using driver::Ending;
using driver::SlotReading;
using driver::SlotRuling;
using store::AttemptRow;
using store::Tx;

namespace {

using State = SlotReading::State;

/// AT+CMSS has ended by then, whatever became of its answer: its deadline, and some seconds for the clocks.
constexpr std::chrono::seconds submission_window{80};
/// A message without an expiry is waited for so long.
constexpr std::chrono::hours longest_unsettled{24};

const std::string& owner_of(std::string_view memory, const std::string& imei, const std::string& iccid) {
    return memory == "SM" ? iccid : imei;
}

driver::SubmitOutcome outcome(Ending ending, std::string reason) {
    driver::SubmitOutcome o;
    o.ending = ending;
    o.reason = std::move(reason);
    return o;
}

struct Judge {
    Tx& tx;
    const Env& env;
    const SlotReading& reading;
    WallTime now;
    std::uint64_t random;
    Judged judged{};

    void settle_as(const AttemptRow& attempt, const driver::SubmitOutcome& o) {
        PickAnswer answer;
        const auto failed = tx.alone([&] {
            settle_for_good(tx, env, attempt, o, now, random, answer);
            if (auto row = store::find(tx, attempt.message)) go_on(tx, env, *row, "waiting-for-modem", now);
        });
        if (failed && !tx.failed()) answer.changed = settle_without(tx, env, attempt, o, *failed, now);
        std::ranges::move(answer.changed, std::back_inserter(judged.changed));
    }

    SlotRuling of(const AttemptRow& attempt, State state) {
        const bool open = !attempt.outcome;
        switch (state) {
            case State::sent:
                if (open) settle_as(attempt, outcome(Ending::accepted, ""));
                if (attempt.outcome == static_cast<int>(Ending::ambiguous))
                    std::ranges::move(accept_later(tx, env, attempt, std::nullopt, now), std::back_inserter(judged.changed));
                return SlotRuling::remove;
            case State::unsent:
                if (!open) return SlotRuling::remove;
                if (!reading.trusted) return SlotRuling::look_again;
                if (now - attempt.started_at < submission_window && !store::accepted_since(tx, attempt)) return SlotRuling::look_again;
                settle_as(attempt, outcome(Ending::not_sent, "not-sent"));
                return SlotRuling::remove;
            case State::empty:
                if (open) settle_as(attempt, outcome(Ending::ambiguous, "slot-gone"));
                store::clear_slot(tx, attempt.id);
                return SlotRuling::leave;
        }
        return SlotRuling::leave;
    }
};

}  // namespace

void note_slot(Tx& tx, std::int64_t token, const std::optional<driver::StoredAt>& at) {
    if (at)
        store::set_slot(tx, token, at->memory, at->index);
    else
        store::not_stored(tx, token);
}

Judged judge_slots(Tx& tx, const Env& env, const SlotReading& reading, WallTime now, std::uint64_t random) {
    Judge judge{tx, env, reading, now, random};
    auto ours = store::attempts_in(tx, reading.memory, owner_of(reading.memory, reading.by.imei, reading.by.iccid));
    for (const auto& slot : reading.slots) {
        const auto octets = pdu::from_hex(slot.hex);
        const std::int64_t print = octets ? pdu::stored_fingerprint(*octets).value_or(0) : 0;
        const auto same = [&](const AttemptRow& a) { return print != 0 && a.pdu_hash.value_or(0) == print; };
        const auto fits = [&](const AttemptRow& a) { return a.slot == slot.index && (slot.state == State::empty || same(a)); };
        const auto orphan = [&](const AttemptRow& a) { return a.slot == -1 && same(a); };
        SlotRuling ruling = SlotRuling::leave;
        if (const auto found = std::ranges::find_if(ours, fits); found != ours.end()) {
            ruling = judge.of(*found, slot.state);
            ours.erase(found);
        } else if (slot.state == State::unsent && std::ranges::any_of(ours, orphan)) {
            ruling = SlotRuling::remove;  // written, and the daemon or the line failed before its place was known: it was never sent
        }
        judge.judged.rulings.push_back(ruling);
    }
    if (reading.whole)
        for (const auto& attempt : ours) judge.of(attempt, State::empty);
    return std::move(judge.judged);
}

void free_slots(Tx& tx, const PickRequest& request) {
    for (const auto& at : request.freed)
        for (const auto& attempt : store::attempts_in(tx, at.memory, owner_of(at.memory, request.imei, request.iccid)))
            if (attempt.slot == at.index) store::clear_slot(tx, attempt.id);
}

std::vector<AttemptRow> unread_slots(Tx& tx, WallTime now) {
    std::vector<AttemptRow> late;
    for (auto& attempt : store::open_attempts(tx)) {
        if (!attempt.slot || now - attempt.started_at < submission_window) continue;
        const auto row = store::find(tx, attempt.message);
        const WallTime end = row && row->expires_at ? *row->expires_at : attempt.started_at + longest_unsettled;
        if (end <= now) late.push_back(std::move(attempt));
    }
    return late;
}

std::vector<Changed> give_up_slots(Tx& tx, const Env& env, WallTime now) {
    PickAnswer answer;
    for (const auto& attempt : unread_slots(tx, now)) {
        const auto unread = outcome(Ending::ambiguous, "slot-unread");
        const auto failed = tx.alone([&] {
            settle_for_good(tx, env, attempt, unread, now, 0, answer);
            if (auto row = store::find(tx, attempt.message)) go_on(tx, env, *row, "slot-unread", now);
        });
        if (failed && !tx.failed())
            std::ranges::move(settle_without(tx, env, attempt, unread, *failed, now), std::back_inserter(answer.changed));
    }
    return answer.changed;
}

}  // namespace conductor::service
