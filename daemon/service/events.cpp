#include "daemon/service/events.hpp"

#include <nlohmann/json.hpp>

#include "daemon/core/sha256.hpp"
#include "daemon/dispatch/reasons.hpp"

namespace conductor::service {
namespace {

using nlohmann::json;
using store::MessageRow;

std::string dump(const json& body) {
    return body.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string hashed_uuid(const Env& env, std::string_view rest) {
    const auto digest = sha256(env.instance + "|" + std::string{rest});
    std::uint64_t words[2] = {};
    for (std::size_t i = 0; i < 16; ++i) words[i / 8] = words[i / 8] << 8 | digest[i];
    return format_uuid(words[0], words[1], 8);
}

/// The kind of event that a status is; empty for those that Supabase need not know.
std::string_view kind_of(MessageStatus status) {
    switch (status) {
        case MessageStatus::sent:
        case MessageStatus::delivered:
        case MessageStatus::undelivered:
        case MessageStatus::failed:
        case MessageStatus::expired:
        case MessageStatus::cancelled:
        case MessageStatus::suppressed:
        case MessageStatus::unknown: return to_string(status);
        case MessageStatus::queued:
        case MessageStatus::sending:
        case MessageStatus::unread:
        case MessageStatus::read: return {};
    }
    return {};
}

}  // namespace

std::string derived_uuid(const Env& env, std::string_view kind, std::int64_t id) {
    return hashed_uuid(env, std::string{kind} + "|" + std::to_string(id));
}

void tell_supabase(store::Tx& tx, const Env& env, MessageRow& row, WallTime now) {
    if (!env.config.supabase || row.direction != Direction::outbound) return;
    const bool news = row.status != row.stored_status || row.delivery_status != row.stored_delivery;
    const auto kind = kind_of(row.status);
    if (!news || kind.empty()) return;
    row.stored_status = row.status;
    row.stored_delivery = row.delivery_status;
    json body = {{"kind", kind},
                 {"at", to_rfc3339(now)},
                 {"local_id", derived_uuid(env, "message", row.id.value)},
                 {"message_hash", message_hash(row.phone_number, row.content)},
                 {"parts", row.parts.size()},
                 {"delivery_status", to_string(row.delivery_status)}};
    // Each octet is written to the card twice: what Supabase has of a row of its own is not told again, and no zeros.
    if (row.scheduled_message_id) {
        body["job_id"] = *row.scheduled_message_id;
        body["epoch"] = row.claim_epoch;
    } else {
        body["phone_number"] = row.phone_number;
        body["content"] = row.content;
        body["class"] = to_string(row.message_class);
        if (row.campaign_name) body["campaign_name"] = *row.campaign_name;
    }
    if (row.retry_count > 0) body["retry_count"] = row.retry_count;
    if (row.cost > 0) body["cost"] = row.cost;
    if (row.sent_at && *row.sent_at != now) body["sent_at"] = to_rfc3339(*row.sent_at);
    if (row.modem_index) body["modem_index"] = *row.modem_index;
    if (row.iccid) body["iccid"] = *row.iccid;
    if (row.reason) {
        body["reason"] = *row.reason;
        body["reason_text"] = dispatch::reason_text(*row.reason, row.status, row.reason_text.value_or(""));
    }
    const auto what = fmt::format("report|{}|{}|{}|{}", row.id.value, kind, to_string(row.delivery_status), to_ms(now));
    store::push_outbox(tx, store::Stream::report, hashed_uuid(env, what), dump(body));
}

void tell_supabase_inbound(store::Tx& tx, const Env& env, const MessageRow& row, int parts, WallTime now) {
    if (!env.config.supabase) return;
    json body = {{"phone_number", row.phone_number},
                 {"content", row.content},
                 {"timestamp", to_rfc3339(now)},
                 {"message_hash", message_hash(row.phone_number, row.content)},
                 {"parts", parts}};
    if (row.modem_timestamp) body["modem_timestamp"] = to_rfc3339(*row.modem_timestamp);
    if (row.modem_index) body["modem_index"] = *row.modem_index;
    if (row.iccid) body["iccid"] = *row.iccid;
    if (row.reason == reason_revoked) body["metadata"] = {{"review", *row.reason}};
    store::push_outbox(tx, store::Stream::inbound, derived_uuid(env, "message", row.id.value), dump(body));
}

void tell_supabase_opt_out(store::Tx& tx, const Env& env, const store::OptOutRow& row) {
    if (!env.config.supabase) return;
    const json body = {{"kind", row.active ? "opt_out" : "opt_in"},
                       {"at", to_rfc3339(row.at)},
                       {"phone_number", row.phone},
                       {"reason", row.reason},
                       {"actor", row.actor},
                       {"source", "sms"}};
    const auto what = fmt::format("opt-out|{}|{}|{}", row.phone, row.active, to_ms(row.at));
    store::push_outbox(tx, store::Stream::report, hashed_uuid(env, what), dump(body));
}

void tell_supabase_released(store::Tx& tx, const Env& env, std::int64_t job, std::int64_t epoch, std::string_view reason, WallTime now) {
    if (!env.config.supabase) return;
    const json body = {{"kind", "released"},
                       {"at", to_rfc3339(now)},
                       {"job_id", job},
                       {"epoch", epoch},
                       {"instance", env.instance},  // what another one began it cannot give back
                       {"reason", reason},
                       {"reason_text", dispatch::reason_text(reason)}};
    store::push_outbox(tx, store::Stream::report, hashed_uuid(env, fmt::format("released|{}|{}", job, epoch)), dump(body));
}

sms::SegmentOptions segment_options(const config::Config& config, MessageId id) {
    sms::SegmentOptions options;
    options.national_tables = config.send.national_tables;
    options.max_segments = config.send.max_segments;
    options.transliterate = config.send.transliterate;
    options.ref = static_cast<std::uint16_t>(id.value & 0xff);
    return options;
}

std::chrono::minutes validity_of(const MessageRow& row, WallTime now) {
    const auto rest = row.expires_at ? *row.expires_at - now : std::chrono::milliseconds{std::chrono::hours{24}};
    return std::max(std::chrono::minutes{5}, std::chrono::floor<std::chrono::minutes>(rest));
}

}  // namespace conductor::service
