#pragma once
// What Supabase is told: the bodies of gw_report_v1 and gw_inbound_v1 (sync/supabase/API.md), written into the outbox in the transaction
// of the fact itself. Also the few values that every step derives from a message.
#include <string>

#include "daemon/service/context.hpp"
#include "daemon/store/messages.hpp"
#include "daemon/store/tables.hpp"
#include "modem/sms/sms.hpp"

namespace conductor::service {

/// Pushes a report when the message's status or delivery status is not what was stored, and the row is one Supabase knows of or logs.
void tell_supabase(store::Tx& tx, const Env& env, store::MessageRow& row, WallTime now);
/// `reason` of an inbound message that asked in free words to be let alone: its number is opted out, and a person should read it. In
/// Supabase it is `metadata.review`.
inline constexpr std::string_view reason_revoked = "free-text";
void tell_supabase_inbound(store::Tx& tx, const Env& env, const store::MessageRow& row, int parts, WallTime now);
void tell_supabase_opt_out(store::Tx& tx, const Env& env, const store::OptOutRow& row);
/// A claimed row that is given back: Ctrl-Z was never written.
void tell_supabase_released(store::Tx& tx, const Env& env, std::int64_t job, std::int64_t epoch, std::string_view reason, WallTime now);

/// UUID (version 8) of something of this database: `kind` and `id` name it. Equal for equal arguments.
std::string derived_uuid(const Env& env, std::string_view kind, std::int64_t id);

sms::SegmentOptions segment_options(const config::Config& config, MessageId id);
/// TP-VP of a submission now: what remains until the expiry, at least 5 minutes.
std::chrono::minutes validity_of(const store::MessageRow& row, WallTime now);

}  // namespace conductor::service
