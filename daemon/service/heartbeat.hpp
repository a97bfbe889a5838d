#pragma once
// What a box tells of itself to Supabase: table gateways, column heartbeat (gw_report_v1, kind "heartbeat").
#include <nlohmann/json_fwd.hpp>

#include "daemon/service/shared.hpp"

namespace conductor::service {

/// `claims`: what is due is claimed within the two minutes for which Supabase keeps rows of this box's recipients for it.
/// {"kind", "at", "version", "outbox": rows that wait to be told, "able": modems that can send, "claims", "modems": [{"index", "state",
/// "reason", "iccid", "registration" (<stat> of CEREG, TS 27.007 clause 7.2), "signal_dbm", "able"}]}
nlohmann::json heartbeat_of(const Shared& shared, std::int64_t outbox, bool claims, WallTime now);

}  // namespace conductor::service
