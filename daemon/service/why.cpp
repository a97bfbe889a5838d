#include "daemon/service/why.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/analytics/priority.hpp"
#include "daemon/api/message_json.hpp"
#include "daemon/dispatch/reasons.hpp"
#include "daemon/dispatch/send_hours.hpp"
#include "daemon/service/intake.hpp"
#include "daemon/service/steps.hpp"

namespace conductor::service {
namespace {

using nlohmann::json;
using store::MessageRow;
using store::Tx;

constexpr int most_counted = 1000;  ///< messages before this one

std::string at_the_box(const Env& env, WallTime when) {
    const auto* zone = dispatch::zone_named(env.config.gateway.time_zone);
    return zone ? dispatch::local_text(zone, when) : to_rfc3339(when);
}

/// The reason word of a modem that takes no message now, best news first.
struct Block {
    int rank;
    Why why;
};
Block block_of(const Env& env, const MessageRow& row, const ModemView& modem, WallTime now) {
    if (!modem.enabled) return {3, {"modem-disabled"}};
    if (!modem.up) return {2, {modem.reason.empty() ? "no-modem" : modem.reason}};
    if (modem.paused && row.message_class != MessageClass::reply && !has_parts_out(row)) return {1, {"modem-paused"}};
    if (!modem.resting.empty()) return {1, {"sim-paused"}};
    if (modem.next_slot && *modem.next_slot > now) return {0, {"sim-limit", at_the_box(env, *modem.next_slot)}};
    return {-1, {}};
}

Why no_lane_reason(const Env& env, const MessageRow& row) {
    const bool class_has_one = std::ranges::any_of(env.config.modems, [&](const config::Modem& m) {
        return m.classes.empty() || std::ranges::find(m.classes, row.message_class) != m.classes.end();
    });
    if (class_has_one) return {row.pinned ? "modem-not-for-class" : "route-has-no-modem"};
    return {env.config.modems.empty() ? "no-modem-configured" : "class-has-no-modem"};
}

/// It failed and is tried again later: that is why it waits, whatever the policy says of later.
bool backs_off(const MessageRow& row, WallTime now) {
    return row.retry_count > 0 && !row.ready && row.not_before > now && row.reason && dispatch::failure_of_word(*row.reason);
}

Why of_queued(Tx& tx, const Env& env, const MessageRow& row, const BoxView& box, WallTime now) {
    const bool begun = has_parts_out(row);
    if (row.expires_at && *row.expires_at <= now) return {"expired"};
    if (row.reason == "restored" || row.reason == "held") return {*row.reason};
    if (backs_off(row, now)) return {*row.reason, row.reason_text.value_or("")};
    if (!begun) {
        const auto decision = dispatch::decide(env.config, facts_of(tx, env, row, now), now);
        if (decision.ruling != dispatch::Ruling::send) return {decision.reason, decision.detail};
    }
    if (auto blocked = blocked_by_box(env, row, box, now)) return *std::move(blocked);
    if (!row.ready && row.not_before > now && row.reason) return {*row.reason, row.reason_text.value_or("")};
    if (row.needs_go() && !(box.granted && box.granted->is_for(row))) return {"awaiting-go"};
    const int before = store::ready_before(tx, row, most_counted);
    if (before == 0) return {"waiting-for-modem"};
    return {"behind", before < most_counted ? std::to_string(before) : fmt::format("{} or more", most_counted)};
}

Why of_sent(const Env& env, const MessageRow& row) {
    if (row.delivery_status == DeliveryStatus::unknown) return {"no-report"};
    if (row.delivery_status != DeliveryStatus::pending) return {row.reason.value_or("sent")};
    return {"awaiting-report", row.report_until ? at_the_box(env, *row.report_until) : ""};
}

std::string_view ending_name(std::optional<int> outcome) {
    if (!outcome) return "open";
    switch (static_cast<driver::Ending>(*outcome)) {
        case driver::Ending::accepted: return "accepted";
        case driver::Ending::refused: return "refused";
        case driver::Ending::ambiguous: return "ambiguous";
        case driver::Ending::not_sent: return "not-sent";
    }
    return "open";
}

template <class T>
json or_null(const std::optional<T>& value) {
    return value ? json(*value) : json(nullptr);
}

json attempts_of(Tx& tx, const MessageRow& row) {
    json attempts = json::array();
    for (const auto& a : store::attempt_chain(tx, row.last_attempt))
        attempts.push_back({{"part", a.seq},
                            {"modem_index", a.modem_index},
                            {"iccid", a.iccid},
                            {"started_at", to_rfc3339(a.started_at)},
                            {"ended_at", a.ended_at ? json(to_rfc3339(*a.ended_at)) : json(nullptr)},
                            {"outcome", ending_name(a.outcome)},
                            {"tp_mr", or_null(a.tp_mr)},
                            {"reason", or_null(a.reason)}});
    return attempts;
}

/// The priority and what it was made of, when the message was taken in.
json priority_of_row(const Env& env, const MessageRow& row) {
    json parts = json::array();
    if (row.known && row.scheduled_message_id) {
        const double value = analytics::priority_of(analytics::unpack(*row.known), env.config.analytics, row.timestamp).value;
        parts.push_back({{"name", "named"}, {"points", row.priority - ranking(value)}, {"sentence", "Supabase named it."}});
        parts.push_back({{"name", "customer"},
                         {"points", ranking(value)},
                         {"sentence", fmt::format("Among equal ones, by what is known of the customer: {} of 100 points.", value)}});
    } else if (row.known) {
        for (const auto& part : analytics::priority_of(analytics::unpack(*row.known), env.config.analytics, row.timestamp).parts)
            parts.push_back({{"name", part.name}, {"points", part.points}, {"sentence", part.sentence}});
    } else {
        const bool named = row.message_class == MessageClass::marketing || row.scheduled_message_id;
        parts.push_back({{"name", named ? "named" : "class"},
                         {"points", row.priority},
                         {"sentence", named ? "The caller named it." : "That of its class, or the caller named it."}});
    }
    const auto due = std::max(row.due_at.value_or(row.timestamp), row.timestamp - analytics::full_ageing);
    return {{"total", row.priority},
            {"parts", std::move(parts)},
            {"class", to_string(row.message_class)},
            {"waiting_since", to_rfc3339(due)},
            {"rank", analytics::aged_rank(static_cast<int>(row.message_class), row.priority, due)}};
}

/// Nothing leaves this box, whatever else a message waits for.
std::optional<Why> whole_box_waits(const BoxView& box) {
    if (!box.clock_sure) return Why{"clock-unsure", "", true};
    if (!box.trouble.empty()) return Why{box.trouble, "", true};
    return std::nullopt;
}

}  // namespace

std::string trouble_word(const Error& error) {
    using store::StoreErrc;
    if (error.is(StoreErrc::full)) return "disk-full";
    if (error.is(StoreErrc::read_only)) return "disk-read-only";
    if (error.is(StoreErrc::corrupt)) return "database-damaged";
    if (error.is(StoreErrc::missing)) return "database-missing";
    if (error.is(StoreErrc::newer_schema)) return "database-newer";
    return "disk-failed";
}

std::string Why::sentence(MessageStatus status) const {
    return dispatch::reason_text(word, status, detail);
}

std::optional<Why> blocked_by_box(const Env& env, const MessageRow& row, const BoxView& box, WallTime now) {
    if (box.paused && row.message_class != MessageClass::reply) return Why{"paused", "", true};
    if (row.lane == no_lane) {
        auto reason = no_lane_reason(env, row);
        reason.blocked = true;
        return reason;
    }
    std::optional<Block> best;
    for (const auto& modem : box.modems) {
        if (row.lane != 0 && (row.lane & bit_of(modem.index)) == 0) continue;
        auto block = block_of(env, row, modem, now);
        if (block.rank < 0) return std::nullopt;
        const bool sooner = best && block.rank == 0 && best->rank == 0 && block.why.detail < best->why.detail;
        if (!best || block.rank < best->rank || sooner) best = std::move(block);
    }
    Why blocked = best ? std::move(best->why) : Why{"no-modem"};
    blocked.blocked = true;
    return blocked;
}

void name_reason(const Env& env, MessageRow& row, const BoxView& box, WallTime now) {
    if (row.status != MessageStatus::queued) return;
    auto why = whole_box_waits(box);
    if (!why) {
        if (!row.ready || has_parts_out(row)) return;
        why = blocked_by_box(env, row, box, now).value_or(Why{"waiting-for-modem"});
    }
    row.reason = why->word;
    row.reason_text = why->detail;
}

Why why(Tx& tx, const Env& env, const MessageRow& row, const BoxView& box, WallTime now) {
    Why found;
    switch (row.status) {
        case MessageStatus::queued:
            if (auto waits = whole_box_waits(box)) return *std::move(waits);
            found = of_queued(tx, env, row, box, now);
            found.blocked = found.word != "waiting-for-modem";
            return found;
        case MessageStatus::sending: return {"on-modem", row.modem_index ? std::to_string(*row.modem_index) : "", false};
        case MessageStatus::sent: return of_sent(env, row);
        case MessageStatus::delivered:
        case MessageStatus::undelivered:
        case MessageStatus::failed:
        case MessageStatus::expired:
        case MessageStatus::cancelled:
        case MessageStatus::suppressed:
        case MessageStatus::unknown:
        case MessageStatus::unread:
        case MessageStatus::read: break;
    }
    return {row.reason.value_or(std::string{to_string(row.status)}), row.reason_text.value_or(""), false};
}

json explain(Tx& tx, const Env& env, const MessageRow& row, const BoxView& box, WallTime now) {
    const Why found = why(tx, env, row, box, now);
    MessageRow shown = row;
    if (row.status == MessageStatus::queued) {
        shown.reason = found.word;
        shown.reason_text = found.detail;
    }
    std::string next = found.sentence(row.status);
    if (row.status == MessageStatus::queued && backs_off(row, now)) next += " The next try is at " + at_the_box(env, row.not_before) + ".";
    json body = {{"message", api::to_json(present(env, std::move(shown)))},
                 {"blocked_by", found.blocked ? json(found.word) : json(nullptr)},
                 {"priority", priority_of_row(env, row)},
                 {"attempts", attempts_of(tx, row)},
                 {"next", std::move(next)}};
    return body;
}

}  // namespace conductor::service
