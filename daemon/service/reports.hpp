#pragma once
// Status reports: which part of which message a report is about (FIELD part 1 #14), also when it comes before the +CMGS was stored.
#include "daemon/service/ledger.hpp"
#include "modem/pdu/pdu.hpp"

namespace conductor::service {

/// Applies a report to its part. Empty when no message matches, or two may be meant; the caller keeps it for late binding. The first that
/// changed is the report's own; others got a kept one by it.
std::vector<Changed> apply_report(store::Tx& tx, const Env& env, const pdu::StatusReport& report, std::string_view iccid, WallTime now);

/// Kept reports of this number that could be of two messages until one of these turned out to have another reference, or never left.
std::vector<Changed> bind_doubtful_reports(store::Tx& tx, const Env& env, std::string_view phone, WallTime now);

/// A report that came before the part's reference was known. Without a reference (the outcome stayed open): one of this SIM for this number
/// since the attempt began that tells a time (TP-SCTS) at which no other message can have been taken.
void bind_early_report(store::Tx& tx, store::MessageRow& row, const store::AttemptRow& attempt, std::optional<int> tp_mr, WallTime now);

/// The number of a report's recipient in the form messages have it.
std::string recipient_of(const pdu::StatusReport& report, const config::Config& config);

}  // namespace conductor::service
