#include "daemon/service/intake.hpp"

#include <algorithm>

#include "daemon/analytics/priority.hpp"
#include "daemon/core/msisdn.hpp"
#include "daemon/core/nanp.hpp"
#include "daemon/dispatch/reasons.hpp"
#include "daemon/dispatch/send_hours.hpp"
#include "daemon/service/events.hpp"

namespace conductor::service {
namespace {

using api::Refusal;
using store::MessageRow;
using store::Tx;

Refusal refuse(std::string code, std::string field, std::string detail = {}) {
    return {422, code, dispatch::reason_text(code, detail), std::move(field)};
}

std::string_view without_blanks(std::string_view text) {
    constexpr std::string_view blanks = " \t\r\n";
    const auto first = text.find_first_not_of(blanks);
    return first == text.npos ? std::string_view{} : text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

/// True when `text` holds `open`, something that `is_mark` of what stands up to `close` without the blanks around it, and `close`.
template <class IsMark>
bool has_marked(std::string_view text, char open, char close, IsMark is_mark) {
    const char both[] = {open, close};
    const std::string_view ends{both, 2};
    for (auto at = text.find(open); at != text.npos;) {
        const auto end = text.find_first_of(ends, at + 1);
        if (end == text.npos) return false;
        if (text[end] == close && is_mark(without_blanks(text.substr(at + 1, end - at - 1)))) return true;
        at = text[end] == open ? end : text.find(open, end);
    }
    return false;
}

/// "{first_name}" or "{ First Name }" left in a text: a brace, words, a brace.
bool has_variable(std::string_view text) {
    constexpr std::size_t longest = 64;  // of a name, also where Supabase looks for it
    return has_marked(text, '{', '}', [](std::string_view name) {
        const auto word = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; };
        const auto inside = [&](char c) { return word(c) || c == ' ' || c == '.' || c == '-'; };
        return !name.empty() && name.size() <= longest && word(name.front()) && std::ranges::all_of(name, inside);
    });
}

/// "[BUBBLE]", "[ bubble ]".
bool has_bubble(std::string_view text) {
    return has_marked(text, '[', ']', [](std::string_view mark) {
        return std::ranges::equal(mark, std::string_view{"BUBBLE"},
                                  [](char c, char want) { return (c >= 'a' && c <= 'z' ? c - 32 : c) == want; });
    });
}

double default_priority(MessageClass message_class) {
    switch (message_class) {
        case MessageClass::reply: return 100;
        case MessageClass::transactional: return 80;
        case MessageClass::marketing: return 50;
    }
    return 50;
}

constexpr std::chrono::hours farthest_due{24 * 366 * 5};
constexpr std::chrono::hours set_ends{1};  // behind the last message of a set: its name begins another one then

std::optional<Refusal> check_text(const Env& env, const NewMessage& m, WallTime now) {
    if (m.text.find_first_not_of(" \t\r\n") == std::string::npos) return refuse("empty-text", "text");
    if (has_bubble(m.text)) return refuse("bubble-in-text", "text");
    if (m.message_class.value_or(MessageClass::marketing) != MessageClass::reply && has_variable(m.text))
        return refuse("unreplaced-variable", "text");
    if (m.due_at && *m.due_at > now + farthest_due) return refuse("due-too-far", "due_at");
    if (m.state && !is_state(*m.state)) return refuse("bad-state", "state");
    if (m.time_zone && !dispatch::zone_named(*m.time_zone)) return refuse("bad-time-zone", "time_zone");
    if (m.modem_index && std::ranges::find(env.config.modems, *m.modem_index, &config::Modem::index) == env.config.modems.end())
        return refuse("no-such-modem", "modem_index", std::to_string(*m.modem_index));
    return std::nullopt;
}

/// The send priority of a marketing message: from what the caller and this box know of the recipient. A named priority stands, and orders
/// before all that is known; among rows of Supabase with the same one the better customer goes first.
void score(Tx& tx, const Env& env, const NewMessage& m, MessageRow& row, WallTime now) {
    const auto history = store::history_of(tx, row.phone_number, now);
    analytics::Counters counters{.last_visit = m.customer.last_visit,
                                 .cycle_days = m.customer.cycle_days,
                                 .value_percentile = m.customer.value_percentile,
                                 .visits = m.customer.visits,
                                 .campaign = m.customer.campaign,
                                 .sent = std::max(history.sent, m.customer.sent.value_or(0)),
                                 .replied = std::max(std::min(history.inbound, history.sent), m.customer.replied.value_or(0)),
                                 .sent_30_days = std::max(history.sent_30_days, m.customer.sent_30_days.value_or(0))};
    if (m.expire_after) counters.life_hours = std::chrono::duration<double, std::ratio<3600>>(*m.expire_after).count();
    const double value = analytics::priority_of(counters, env.config.analytics, now).value;
    row.priority = m.priority ? std::clamp(*m.priority + ranking(value), 0.0, 100.0) : value;
    row.known = analytics::pack(counters);
}

/// The first moment at which window and days allow it. Numbers of one area code, due together, share it.
WallTime opening(const Env& env, const MessageRow& row, Openings* openings) {
    const auto calculated = [&] {
        const dispatch::Facts facts{.message_class = row.message_class,
                                    .phone_number = row.phone_number,
                                    .state = row.state,
                                    .time_zone = row.time_zone,
                                    .due = *row.due_at};
        return dispatch::expiry_of(env.config, facts, std::chrono::milliseconds{0});
    };
    if (row.message_class != MessageClass::marketing || !openings) return calculated();
    const auto area = std::string_view{row.phone_number}.substr(0, row.phone_number.starts_with("+1") ? 5 : 8);
    const auto key = fmt::format("{}|{}|{}|{}", area, row.state.value_or(""), row.time_zone.value_or(""), to_ms(*row.due_at));
    const auto known = openings->find(key);
    return known != openings->end() ? known->second : (*openings)[key] = calculated();
}

/// That the caller vouches for a consent. What is on record, with the text that was shown, stays. A revocation ends with a caller's word,
/// and not with Supabase's, whose consent may be the older one.
void note_consent(Tx& tx, const NewMessage& m, const std::string& phone, WallTime now) {
    const auto known = store::find_consent(tx, phone);
    const std::string who = m.scheduled_message_id ? "supabase" : "api";
    if (known && (known->active || m.scheduled_message_id)) return;
    store::set_consent(tx, {.phone = phone, .active = true, .source = who, .shown = {}, .actor = who, .at = now});
}

std::string number_word(const Error& error) {
    return error.is(NumberErrc::premium) ? "premium-number" : "bad-number";
}

}  // namespace

api::Answer<MessageRow> make_row(const Env& env, const NewMessage& m, WallTime now, Openings* openings) {
    const auto number = parse_msisdn(m.to, env.config.gateway.region);
    if (!number) return refuse(number_word(number.error()), "to", number.error().code.message());
    const bool reply = m.message_class == MessageClass::reply;  // bound by the limits of the SIM alone
    if (const auto word = dispatch::refused_number(env.config, number->text); !word.empty() && !(reply && word == "country-not-allowed"))
        return refuse(word, "to");
    if (auto refusal = check_text(env, m, now)) return *refusal;
    auto segments = sms::segment(m.text, segment_options(env.config, MessageId{}));
    if (!segments) {
        const bool long_one = segments.error().is(sms::SmsErrc::too_long);
        return refuse(long_one ? "too-many-segments" : "bad-text", "text",
                      long_one ? std::to_string(env.config.send.max_segments) : segments.error().text());
    }
    MessageRow row;
    row.keyed = m.key.has_value();
    row.key = m.key.value_or("");
    row.message_class = m.message_class.value_or(MessageClass::marketing);
    row.phone_number = number->text;
    row.content = segments->text;
    row.encoding = segments->alphabet == pdu::Alphabet::ucs2 ? Encoding::ucs2 : Encoding::gsm7;
    row.single_table = segments->national.single;
    row.locking_table = segments->national.locking;
    row.segments = static_cast<int>(segments->segments.size());
    for (int seq = 1; seq <= row.segments; ++seq) row.parts.push_back({.seq = seq});
    row.timestamp = now;
    row.due_at = m.due_at.value_or(now);
    row.not_before = std::max(*row.due_at, now);
    row.ready = *row.due_at <= now;
    row.priority = std::clamp(m.priority.value_or(default_priority(row.message_class)), 0.0, 100.0);
    row.on_unknown = m.on_unknown.value_or(env.config.send.on_unknown[static_cast<std::size_t>(row.message_class)]);
    row.report_wanted = m.report.value_or(env.config.send.delivery_reports);
    row.flash = m.flash;
    row.in_reply_to = m.in_reply_to;
    row.scheduled_message_id = m.scheduled_message_id;
    row.claim_epoch = m.claim_epoch;
    row.revision = m.revision;
    row.offline_ok = m.offline_ok;
    row.campaign_name = m.campaign_name;
    row.state = m.state;
    row.time_zone = m.time_zone;
    row.set_name = m.set;
    row.pinned = m.modem_index.has_value();
    row.lane = lane_of(env.config, row, m.modem_index);
    row.ages = !m.expires_at;
    row.expires_at = m.expires_at ? *m.expires_at : opening(env, row, openings) + m.expire_after.value_or(env.config.send.expire_after);
    if (!m.scheduled_message_id && *row.expires_at <= now) return refuse("expired", m.expires_at ? "expires_at" : "due_at");
    return row;
}

api::Answer<Taken> take(Tx& tx, const Env& env, const NewMessage& m, MessageRow row, WallTime now, std::int64_t open) {
    if (m.key) {
        if (auto known = store::find_by_key(tx, *m.key)) {
            if (known->phone_number == row.phone_number && known->content == row.content) return Taken{std::move(*known), false};
            return Refusal{409, "key-in-use", dispatch::reason_text("key-in-use"), "key", known->id};
        }
    }
    if (open >= env.config.gateway.queue_limit)
        return Refusal{503, "queue-full", dispatch::reason_text("queue-full", std::to_string(open))};
    if (row.message_class == MessageClass::reply) {
        const auto inbound = m.in_reply_to ? store::find(tx, *m.in_reply_to) : std::nullopt;
        bool answers = inbound && inbound->direction == Direction::inbound && inbound->phone_number == row.phone_number &&
                       inbound->timestamp > now - std::chrono::hours{24 * 7};
        if (!answers && !m.in_reply_to)
            for (const auto& last : store::list(tx, {.direction = Direction::inbound, .phone = row.phone_number, .limit = 1}))
                if (last.timestamp > now - std::chrono::hours{24 * 7}) {
                    answers = true;
                    row.in_reply_to = last.id;
                }
        if (!answers) return refuse("no-inbound", "class");
    }
    if (m.in_reply_to && row.message_class != MessageClass::reply) {
        const auto inbound = store::find(tx, *m.in_reply_to);
        if (!inbound || inbound->direction != Direction::inbound) return refuse("no-inbound", "in_reply_to");
    }
    const auto& send = env.config.send;
    const bool checks_duplicates =
        row.message_class == MessageClass::marketing || (row.message_class == MessageClass::transactional && !m.key);
    if (checks_duplicates && send.duplicate_window.count() > 0 && !m.scheduled_message_id)
        if (const auto twin = store::duplicate_of(tx, row.phone_number, row.content, now - send.duplicate_window))
            return Refusal{409, "duplicate", dispatch::reason_text("duplicate", std::to_string(twin->id.value)), "text", twin->id};
    if (m.set && m.scheduled_message_id)
        row.after = store::before_in_set(tx, row);
    else if (m.set)
        row.after = store::last_of_set(tx, row.phone_number, *m.set, now - set_ends);
    if (m.consent) note_consent(tx, m, row.phone_number, now);
    dispatch::Facts facts{.message_class = row.message_class};
    note_opt_out(tx, row, facts);
    if (dispatch::opt_out_binds(facts)) return refuse("opted-out", "to");
    if (row.message_class == MessageClass::marketing && env.config.opt_out.require_consent) {
        const auto consent = store::find_consent(tx, row.phone_number);
        if (!consent || !consent->active) return refuse("no-consent", "to");
    }
    if (row.message_class == MessageClass::marketing && (!m.priority || m.scheduled_message_id)) score(tx, env, m, row, now);
    store::insert(tx, row);
    if (m.set && m.scheduled_message_id) store::take_place_in_set(tx, row);
    return Taken{std::move(row), true};
}

api::Answer<Taken> take(Tx& tx, const Env& env, const NewMessage& m, WallTime now, std::int64_t open) {
    auto row = make_row(env, m, now);
    if (!row) return row.error();
    return take(tx, env, m, std::move(*row), now, open);
}

Message present(const Env& env, MessageRow row) {
    if (!row.keyed) row.key = derived_uuid(env, "message", row.id.value);
    row.message_hash = message_hash(row.phone_number, row.content);
    if (row.status != MessageStatus::queued) row.next_attempt_at.reset();
    if (row.status == MessageStatus::queued && !row.reason && *row.due_at > row.timestamp && !row.ready) row.reason = "not-due";
    if (row.reason) row.reason_text = dispatch::reason_text(*row.reason, row.status, row.reason_text.value_or(""));
    return row;
}

}  // namespace conductor::service
