// What a modem does next: the release of a message by the policy, its journal, and the choice among what is ready.
#include <algorithm>
#include <charconv>

#include "daemon/dispatch/reasons.hpp"
#include "daemon/dispatch/send_hours.hpp"
#include "daemon/dispatch/submission.hpp"
#include "daemon/service/elements.hpp"
#include "daemon/service/events.hpp"
#include "daemon/service/steps.hpp"
#include "modem/pdu/stored.hpp"
#include "modem/sms/sms.hpp"

namespace conductor::service {

using dispatch::Elements;
using driver::Ending;
using store::MessageRow;
using store::Tx;

void requeue(MessageRow& row, WallTime when, WallTime now) {
    row.status = MessageStatus::queued;
    row.not_before = row.expires_at ? std::min(when, std::max(*row.expires_at, now)) : when;
    row.ready = row.not_before <= now;
}

void begin_again(const Env& env, MessageRow& row, WallTime now) {
    dispatch::new_round(row);
    row.corrected = false;
    if (!row.pinned) row.lane = lane_of(env.config, row, std::nullopt);
    row.attempts_used = 0;
    row.due_at = std::max(row.due_at.value_or(now), now);
    requeue(row, *row.due_at, now);
}

bool is_of_this_round(const MessageRow& row, const store::AttemptRow& attempt) {
    return attempt.started_at >= row.due_at.value_or(row.timestamp);
}

bool ambiguous(const store::AttemptRow& attempt) {
    return attempt.outcome == static_cast<int>(Ending::ambiguous);
}

bool has_parts_out(const MessageRow& row) {
    return std::ranges::any_of(row.parts, [](const Part& p) { return p.status != PartStatus::waiting; });
}

bool has_begun(Tx& tx, const MessageRow& row) {
    if (has_parts_out(row)) return true;
    if (row.retry_count == 0) return false;
    return std::ranges::any_of(store::attempt_chain(tx, row.last_attempt),
                               [&row](const auto& attempt) { return ambiguous(attempt) && is_of_this_round(row, attempt); });
}

void give_up(Tx& tx, MessageRow& row, MessageStatus otherwise, std::string reason) {
    // a try whose outcome is open, and which was to be repeated
    for (const auto& attempt : store::attempt_chain(tx, row.last_attempt)) {
        if (otherwise == MessageStatus::unknown || !ambiguous(attempt) || !is_of_this_round(row, attempt)) continue;
        otherwise = MessageStatus::unknown;
        if (attempt.reason) reason = *attempt.reason;
    }
    dispatch::abandon(row, otherwise, std::move(reason));
}

namespace {

/// The text in the parts that were planned when it was taken in, whatever the configuration is since: those before may be out.
Result<sms::Segmented> planned_segments(const Env& env, const MessageRow& row) {
    auto options = segment_options(env.config, row.id);
    options.encoding = row.encoding == Encoding::ucs2 ? sms::Want::ucs2 : sms::Want::gsm7;
    options.transliterate = false;  // its content is what came of that
    options.max_segments = static_cast<int>(row.parts.size());
    options.national_tables = {row.single_table, row.locking_table};
    auto planned = sms::segment(row.content, options);
    if (planned && planned->segments.size() == row.parts.size()) return planned;
    options.national_tables = env.config.send.national_tables;  // of a database that did not note its tables
    planned = sms::segment(row.content, options);
    if (planned && planned->segments.size() != row.parts.size())
        return fail(sms::SmsErrc::too_long, fmt::format("{} parts, planned {}", planned->segments.size(), row.parts.size()));
    return planned;
}

/// The PDU of part `seq`, or the reason word why there is none.
Result<pdu::Encoded> encode_part(const Env& env, const MessageRow& row, int seq, bool reject_duplicates, Elements elements, WallTime now) {
    const auto segments = planned_segments(env, row);
    if (!segments) return segments.error();
    if (seq < 1 || static_cast<std::size_t>(seq) > segments->segments.size())
        return fail(sms::SmsErrc::too_long, "part", static_cast<std::size_t>(seq));
    const auto& segment = segments->segments[static_cast<std::size_t>(seq) - 1];
    pdu::Submit submit;
    submit.reject_duplicates = reject_duplicates;
    submit.report_request = elements.has(Elements::report);
    submit.to = pdu::address_of(row.phone_number);
    submit.dcs = pdu::parse_dcs(pdu::make_dcs(segments->alphabet, elements.has(Elements::message_class) ? std::optional{0} : std::nullopt));
    if (elements.has(Elements::validity)) submit.validity = pdu::relative_validity(validity_of(row, now));
    submit.data = segment.data;
    return pdu::encode(pdu::Pdu{.smsc = std::nullopt, .tpdu = std::move(submit)});
}

/// The day of the box, as long as its marketing budget lasts.
std::string budget_day(const Env& env, WallTime now) {
    const auto* zone = dispatch::zone_named(env.config.gateway.time_zone);
    return std::to_string(to_ms(zone ? dispatch::next_midnight(zone, now) : std::chrono::ceil<std::chrono::days>(now)));
}

constexpr std::string_view budget_setting = "budget";  // "<end of the day> <messages>"

int budget_used(Tx& tx, const Env& env, WallTime now) {
    const auto stored = store::get_setting(tx, budget_setting).value_or("");
    const std::string day = budget_day(env, now) + " ";
    int used = 0;
    if (stored.starts_with(day)) std::from_chars(stored.data() + day.size(), stored.data() + stored.size(), used);
    return used;
}

/// A message counts once in a round, with its first try; what follows in a set is part of its first message.
void count_budget(Tx& tx, const Env& env, const MessageRow& row, WallTime now) {
    if (env.config.send.daily_budget <= 0 || row.message_class != MessageClass::marketing || row.after) return;
    const auto last = row.last_attempt ? store::find_attempt(tx, *row.last_attempt) : std::nullopt;
    if (last && last->started_at >= row.due_at.value_or(row.timestamp)) return;
    store::set_setting(tx, budget_setting, budget_day(env, now) + " " + std::to_string(budget_used(tx, env, now) + 1));
}

/// Journals the next part of `row` for this modem: from here until its result the outcome is open.
bool journal(Tx& tx, const Env& env, MessageRow& row, const PickRequest& request, PickAnswer& answer) {
    const Part* part = dispatch::waiting_part(row);
    if (!part) return false;
    const int seq = part->seq;
    const bool again = row.on_unknown == OnUnknown::resend && part->attempts > 0;
    const auto tries = row.retry_count > 0 ? tries_of(tx, row, seq, row.last_attempt) : std::vector<store::AttemptRow>{};
    const Elements omitted = left_out(tx, tries, request.iccid, request.now);
    if (omitted.has(Elements::report)) row.report_wanted = false;  // none will come
    auto encoded = encode_part(env, row, seq, again, wished(row).without(omitted), request.now);
    if (!encoded) {
        dispatch::abandon(row, MessageStatus::failed, "not-encodable");
        row.reason_text = encoded.error().text();
        save(tx, env, row, request.now);
        answer.changed.push_back({row.id, row.status, *row.reason});
        return false;
    }
    const bool store = !request.store_memory.empty();
    if (row.due_at > request.now) row.due_at = request.now;  // the clock went back since: a try is never older than its round
    count_budget(tx, env, row, request.now);
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
                                                .previous = row.last_attempt,
                                                .stored = store,
                                                .imei = request.imei,
                                                .pdu_hash = store ? pdu::stored_fingerprint(encoded->octets) : std::nullopt,
                                                .slot_memory = store ? std::optional{request.store_memory} : std::nullopt});
    row.report_until = row.report_wanted ? std::optional{request.now + validity_of(row, request.now) + Limits::report_grace} : std::nullopt;
    save(tx, env, row, request.now);
    store::set_last_attempt(tx, row.id, *row.last_attempt);
    answer.submission = driver::Submission{
        .token = *row.last_attempt, .pdu = std::move(*encoded), .more_follow = dispatch::waiting_part(row) != nullptr, .store = store};
    answer.message = row.id;
    for (const auto& end : {row.lease_until, row.expires_at})
        if (end && (!answer.not_after || *end < *answer.not_after)) answer.not_after = end;
    return true;
}

}  // namespace

void put_aside(Tx& tx, MessageId id, const Error& why, WallTime now, PickAnswer& answer) {
    constexpr std::chrono::hours until{1};
    tx.run("UPDATE messages SET ready = 0, not_before = ?, reason = 'put-aside', reason_detail = NULL WHERE id = ? AND status = 0",
           now + until, id);
    store::audit(tx, now, "daemon", "store-failed", std::to_string(id.value), why.text());
    answer.changed.push_back({id, MessageStatus::queued, "put-aside"});
}

bool release(Tx& tx, const Env& env, MessageRow& row, const PickRequest& request, PickAnswer& answer) {
    const bool lease_over = row.lease_until && *row.lease_until <= request.now;
    if (has_parts_out(row)) {  // a set under way is completed until its time is over
        if (!lease_over && (!row.expires_at || *row.expires_at > request.now)) return true;
        give_up(tx, row, lease_over ? MessageStatus::unknown : MessageStatus::expired, lease_over ? reason_lease_lost : "expired");
    } else if (lease_over && has_begun(tx, row)) {
        give_up(tx, row, MessageStatus::unknown, reason_lease_lost);
    } else if (lease_over) {
        // another box may have it by now. It goes back unsent.
        dispatch::abandon(row, MessageStatus::cancelled, reason_lease_lost);
        row.ready = false;
        row.stored_status = row.status;
        tell_supabase_released(tx, env, *row.scheduled_message_id, row.claim_epoch, reason_lease_lost, request.now);
    } else {
        auto decision = dispatch::decide(env.config, facts_of(tx, env, row, request.now), request.now);
        if (decision.ruling == dispatch::Ruling::send) return true;
        if (decision.ruling == dispatch::Ruling::wait) {
            row.reason = decision.reason;
            // at least a second ahead: a decision that says "now" must not be asked again in the same breath
            requeue(row, std::max(decision.not_before, request.now + std::chrono::seconds{1}), request.now);
        } else {
            give_up(tx, row, decision.refused_as, decision.reason);  // unknown, where a try before it may be out
        }
        row.reason_text = decision.detail.empty() || row.reason != decision.reason ? std::nullopt : std::optional{decision.detail};
        row.ready = false;
    }
    save(tx, env, row, request.now);
    answer.changed.push_back({row.id, row.status, row.reason.value_or("")});
    return false;
}

namespace {

/// A failure that another SIM or modem may not have.
bool better_elsewhere(const store::AttemptRow& attempt, int tries) {
    if (!attempt.outcome || *attempt.outcome == static_cast<int>(Ending::accepted)) return false;
    if (*attempt.outcome != static_cast<int>(Ending::refused)) return true;
    const auto failure = dispatch::failure_of_word(attempt.reason.value_or(""));
    if (!failure) return false;
    const auto verdict = at::classify(*failure);
    return verdict.scope == at::Scope::sim || verdict.scope == at::Scope::modem || (verdict.scope == at::Scope::network && tries >= 2);
}

/// It was refused for an optional element a moment ago, and goes without that now: the same SIM is to show whether it helps.
bool goes_without(Tx& tx, const MessageRow& row, const store::AttemptRow& last) {
    const std::string word = last.reason.value_or("");
    if (last.outcome != static_cast<int>(Ending::refused) || dispatch::blamed_by(word).empty()) return false;
    const auto tries = tries_of(tx, row, last.seq, row.last_attempt);
    return std::ranges::count(tries, word, [](const auto& a) { return a.reason.value_or(""); }) == 1;
}

/// The other modems that should rather take it: not the one that failed with it, else the one whose SIM wrote to this number last.
std::uint64_t better_modems(Tx& tx, const MessageRow& row, const PickRequest& request) {
    std::uint64_t others = 0;
    for (const auto& sim : request.others)
        if (row.lane == 0 || (row.lane & bit_of(sim.modem)) != 0) others |= bit_of(sim.modem);
    if (others == 0) return 0;
    if (row.retry_count > 0 && row.last_attempt) {
        const auto last = store::find_attempt(tx, *row.last_attempt);
        if (last && last->modem_index == request.modem && goes_without(tx, row, *last)) return 0;
        if (last && last->modem_index == request.modem && better_elsewhere(*last, row.retry_count)) return others;
        if (last && last->modem_index != request.modem) return 0;  // it came here for that reason
    }
    const auto sim = store::last_sim_of(tx, row.phone_number);
    if (!sim || sim->iccid == request.iccid) return 0;
    for (const auto& other : request.others)
        if (other.iccid == sim->iccid) return others & bit_of(other.modem);
    return 0;
}

/// The ready message that goes first through this modem, of those that nobody else should take.
class Choice {
public:
    Choice(Tx& tx, const PickRequest& request) : tx_{tx}, request_{request} {
        for (const auto& sim : request.others) able_ |= bit_of(sim.modem);
    }

    /// `spaced`: marketing has to wait its turn, whatever stands at its head.
    std::optional<MessageRow> first(bool spaced) {
        const auto lets = [&](MessageClass c) {
            return c == MessageClass::marketing ? !spaced && !request_.paused : !request_.paused || c == MessageClass::reply;
        };
        const auto is_mine = [&](const store::Ranked& one) { return mine(one); };
        auto best = first_of_queues(tx_, store::Gate::open, request_.modem, most_passed, lets, is_mine);
        if (request_.granted)
            for (const auto& row : request_.granted->rows())
                if (takes(row.ranked.lane, request_.modem) && lets(row.message_class) && goes_before(row.ranked, best) && mine(row.ranked))
                    best = row.ranked;
        if (spaced || request_.paused)  // what has begun is completed
            for (const auto& one : store::ready_and_begun(tx_, 4 * Limits::examined_per_pick)) {
                if (!takes(one.lane, request_.modem) || !goes_before(one, best) || !mine(one)) continue;
                const auto row = store::find(tx_, one.id);
                if (row && has_parts_out(*row)) best = one;
            }
        return best ? store::find(tx_, best->id) : std::nullopt;
    }

    /// False: as many as may be were passed over.
    bool pass_over(const MessageRow& row) {
        passed_over_.push_back(row.phone_number);
        return passed_over_.size() < most_without_room;
    }

private:
    bool mine(const store::Ranked& one) const {
        // nor do later ones to its number go before it
        if (!passed_over_.empty() && std::ranges::find(passed_over_, store::phone_of(tx_, one.id)) != passed_over_.end()) return false;
        const auto& kept = request_.hand_over;
        if (!kept || kept->empty()) return true;
        const auto able = one.lane == 0 ? able_ : able_ & one.lane;  // nobody waits for a modem that may not take it
        return !kept->left_to_others(store::phone_of(tx_, one.id), request_.modem, able, request_.now);
    }

    static constexpr int most_passed = 1024;              ///< rows of a queue that are left to others
    static constexpr std::size_t most_without_room = 16;  ///< too long for what the SIM may send now
    Tx& tx_;
    const PickRequest& request_;
    std::uint64_t able_ = 0;
    std::vector<std::string> passed_over_;  ///< numbers
};

/// It should have gone out a while ago, and nothing of it has.
bool is_overdue(const MessageRow& row, bool begun, WallTime now) {
    return row.message_class == MessageClass::marketing && !row.after && !begun && *row.due_at + overdue_after < now;
}

void pick(Tx& tx, const Env& env, const PickRequest& request, PickAnswer& answer) {
    int examined = 0;
    bool spaced = false;
    Choice choice{tx, request};
    store::promote(tx, request.now, Limits::promote_batch);
    while (examined < Limits::examined_per_pick && !answer.submission && !tx.failed()) {
        auto best = choice.first(spaced);
        if (!best) break;
        if (request.granted && best->needs_go() &&
            (best->status != MessageStatus::queued || !best->ready || !request.granted->is_for(*best) ||
             !takes(best->lane, request.modem))) {
            request.granted->drop(best->id);  // cancelled, parked, claimed afresh or routed otherwise since
            continue;
        }
        const bool begun = has_parts_out(*best);
        const bool overdue = is_overdue(*best, begun, request.now);
        if (overdue && !spaced && request.spaced_until && request.now < *request.spaced_until) {
            spaced = true;  // marketing waits its turn, the rest does not
            continue;
        }
        ++examined;
        if (request.hand_over && !begun) {
            const auto better = better_modems(tx, *best, request);
            if (request.hand_over->leave(best->phone_number, better, request.now)) {
                answer.wake |= better;
                continue;
            }
        }
        if (!begun && waits_for_room(best->segments, request.room, request.most_room)) {  // shorter ones pass it, but not for ever
            if (answer.needs_room == 0) {
                answer.needs_room = best->segments;
                answer.kept_for = best->id;
            }
            const bool its_turn = answer.kept_for == request.kept_for && request.passed >= answer.needs_room;
            if (its_turn || !choice.pass_over(*best)) break;
            continue;
        }
        const PickAnswer before = answer;
        const auto failed = tx.alone([&] {
            if (!release(tx, env, *best, request, answer)) return;
            best->begun = best->begun || best->needs_go();  // its go is one of `granted`, and this stores it
            if (journal(tx, env, *best, request, answer)) answer.overdue = overdue;
        });
        if (request.granted) request.granted->drop(best->id);
        if (failed && !tx.failed()) {
            answer = before;
            put_aside(tx, best->id, *failed, request.now, answer);
        }
        if (request.hand_over) request.hand_over->taken(best->phone_number);
    }
    answer.more_ready = store::any_ready(tx) || (request.granted && !request.granted->rows().empty());
    answer.waits_for_go = request.granted && store::any_waits_for_go(tx);
    answer.look_again = store::next_waiting(tx);
    const auto sooner = [&](std::optional<WallTime> when) {
        if (when && (!answer.look_again || *when < *answer.look_again)) answer.look_again = when;
    };
    if (spaced) sooner(request.spaced_until);
    if (!answer.submission && request.hand_over) sooner(request.hand_over->next_end(request.now));
    if (!answer.submission && examined == Limits::examined_per_pick) answer.look_again = request.now;
}

}  // namespace

std::uint64_t lane_of(const config::Config& config, const Message& message, std::optional<ModemIndex> pinned) {
    const auto takes_class = [&](const config::Modem& m) {
        return m.classes.empty() || std::ranges::find(m.classes, message.message_class) != m.classes.end();
    };
    if (pinned) {
        const auto modem = std::ranges::find(config.modems, *pinned, &config::Modem::index);
        return modem == config.modems.end() || takes_class(*modem) ? bit_of(*pinned) : no_lane;
    }
    std::uint64_t all = 0, lane = 0;
    for (const auto& modem : config.modems) {
        all |= bit_of(modem.index);
        if (takes_class(modem)) lane |= bit_of(modem.index);
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

std::string lanes_in(const config::Config& config) {
    std::string text;
    for (const auto& modem : config.modems) {
        text += fmt::format("{}:", modem.index);
        for (const auto c : modem.classes) text += to_string(c);
        text += ';';
    }
    for (const auto& route : config.routes) text += fmt::format("{}={};", route.prefix, fmt::join(route.modems, ","));
    return text;
}

int relane(Tx& tx, const Env& env, store::LaneCursor& at, int examined) {
    int moved = 0;
    for (const auto& one : store::lanes_of_queued(tx, at, examined)) {
        Message message;
        message.message_class = one.message_class;
        message.phone_number = one.phone_number;
        const auto lane = lane_of(env.config, message, std::nullopt);
        if (lane == one.lane) continue;
        const auto row = store::find(tx, one.id);
        if (!row || has_parts_out(*row)) continue;  // it is completed where it began
        store::set_lane(tx, one.id, lane);
        ++moved;
    }
    return moved;
}

PickAnswer settle_and_pick(Tx& tx, const Env& env, const PickRequest& request) {
    PickAnswer answer;
    free_slots(tx, request);
    if (request.finished) {
        settle(tx, env, *request.finished, request.now, request.random, answer);
        const bool goes_on = std::ranges::any_of(
            answer.changed, [&](const Changed& one) { return one.id == answer.message && one.status == MessageStatus::sending; });
        auto row = goes_on ? store::find(tx, answer.message) : std::nullopt;
        if (row && row->status == MessageStatus::sending && !is_open(*row)) {  // the next part of the same message, back to back
            if (request.available && release(tx, env, *row, request, answer) && journal(tx, env, *row, request, answer)) return answer;
            if (row->status == MessageStatus::sending) {
                requeue(*row, request.now, request.now);
                dispatch::wait_for(*row, "waiting-for-modem");
                save(tx, env, *row, request.now);
            }
        }
    }
    if (request.available && !answer.pause_sim) pick(tx, env, request, answer);
    return answer;
}

std::vector<Changed> expire_overdue(Tx& tx, const Env& env, const std::vector<MessageId>& ids, WallTime now, int limit) {
    store::promote(tx, now, limit);
    PickAnswer answer;
    const PickRequest nobody{.now = now};
    for (const auto id : ids) {
        auto row = store::find(tx, id);
        if (!row || row->status != MessageStatus::queued || !row->ready) continue;
        const bool lost = row->needs_go() && row->lease_until && *row->lease_until <= now;
        if (!lost && (!row->expires_at || *row->expires_at > now)) continue;
        const auto failed = tx.alone([&] { release(tx, env, *row, nobody, answer); });
        if (failed && !tx.failed()) put_aside(tx, id, *failed, now, answer);
    }
    return answer.changed;
}

dispatch::Facts::Before before_of(MessageStatus status) {
    using Before = dispatch::Facts::Before;
    switch (status) {
        case MessageStatus::queued:
        case MessageStatus::sending: return Before::open;
        case MessageStatus::sent:
        case MessageStatus::delivered:
        case MessageStatus::undelivered:  // it left this box: its place in the order is kept
        case MessageStatus::unknown: return Before::out;
        case MessageStatus::failed:
        case MessageStatus::expired:
        case MessageStatus::cancelled:
        case MessageStatus::suppressed: return Before::failed;
        case MessageStatus::unread:
        case MessageStatus::read: break;
    }
    return Before::none;
}

std::string paused_campaign(std::string_view name) {
    return "pause.campaign." + std::string{name};
}

int set_gap_ms(MessageId id) {
    return 2000 + static_cast<int>(static_cast<std::uint64_t>(id.value) * 2654435761U % 3001);
}

namespace {

/// The message of its set that a message waits for: the one before it, or where that waits for another one in turn, the other one.
std::optional<MessageRow> what_stands_before(Tx& tx, MessageId id) {
    constexpr int longest_look = 64;
    auto before = store::find(tx, id);
    for (int n = 0; n < longest_look && before && before->status == MessageStatus::queued && before->after; ++n) {
        auto other = store::find(tx, *before->after);
        if (!other || before_of(other->status) == dispatch::Facts::Before::out) break;
        before = std::move(other);
    }
    return before;
}

}  // namespace

void note_opt_out(Tx& tx, const MessageRow& row, dispatch::Facts& facts) {
    const auto out = store::find_opt_out(tx, row.phone_number);
    if (!out || !out->active) return;
    facts.opted_out = true;
    facts.opted_out_at = out->at;
    facts.own_answer = row.message_class == MessageClass::reply && row.key.starts_with(own_answer_key);
    if (row.message_class != MessageClass::reply || !row.in_reply_to) return;
    if (const auto inbound = store::find(tx, *row.in_reply_to)) facts.answers_inbound_at = inbound->timestamp;
}

dispatch::Facts facts_of(Tx& tx, const Env& env, const MessageRow& row, WallTime now) {
    dispatch::Facts facts{.message_class = row.message_class, .phone_number = row.phone_number};
    facts.due = row.due_at.value_or(row.timestamp);
    // named by the clock of this box, which was ahead then: at its intake, or when a person asked for it once more
    if (facts.due == row.timestamp || row.last_attempt) facts.due = std::min(facts.due, now);
    facts.expires = row.expires_at;
    facts.state = row.state;
    facts.time_zone = row.time_zone;
    if (row.campaign_name) facts.campaign_paused = store::get_setting(tx, paused_campaign(*row.campaign_name)).has_value();
    if (row.after)
        if (const auto before = what_stands_before(tx, *row.after)) {
            facts.before = before_of(before->status);
            facts.before_id = before->id;
            facts.before_job = before->scheduled_message_id;
            facts.before_at = before->sent_at;
            if (!facts.before_at && before->last_attempt)
                if (const auto last = store::find_attempt(tx, *before->last_attempt)) facts.before_at = last->started_at;
            facts.set_gap_ms = set_gap_ms(row.id);
        }
    note_opt_out(tx, row, facts);
    constexpr std::chrono::minutes forsaken{15};  // due for that long, and no modem took it: nobody waits behind it any more
    const auto other = store::under_way_before(tx, row.phone_number, row.message_class, row.id);
    if (other && (other->on_modem || other->not_before + forsaken > now)) {
        constexpr std::chrono::seconds submitting{3}, due{60};  // due, and no modem took it: it may take long
        facts.behind_until = other->on_modem ? now + submitting : other->not_before <= now ? now + due : other->not_before + submitting;
    }
    if (row.message_class != MessageClass::marketing) return facts;
    const auto consent = store::find_consent(tx, row.phone_number);
    facts.consented = consent && consent->active;
    if (has_begun(tx, row)) return facts;  // what is tried again is no new contact
    const auto recent = store::recent_marketing(tx, row.phone_number, now);
    facts.last_sent = recent.last;
    facts.contacts = recent.contacts;
    if (env.config.send.daily_budget > 0) facts.budget_used_today = budget_used(tx, env, now);
    return facts;
}

}  // namespace conductor::service
