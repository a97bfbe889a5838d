#pragma once
// What Supabase asks of this box, as steps inside one write transaction.
#include <string_view>
#include <vector>

#include "daemon/service/ledger.hpp"
#include "sync/plan/types.hpp"

namespace conductor::service {

/// Obeys an "opt_out" command: {"phone_number", "active", "at", "reason", "actor"}, of which each but the number may be absent or null
/// (gateway_reports.sql, spread_opt_out). What this box knows and that is newer than `at` stays: a STOP is not undone by a subscription
/// made before it. Of two of the same moment the opt-out holds. `at` is `now` where it is absent, and never later. A payload without a
/// number changes nothing.
std::vector<Changed> obey_opt_out(store::Tx& tx, const Env& env, std::string_view payload, WallTime now);

/// Obeys a "cancel" or an "edit" of a claimed row that waits: it ends here, and an edited one is claimed afresh with its new revision. False
/// while it is too late and the row has not ended yet (on a modem, or part of it is out): the command stays unacknowledged until then, since
/// what a box does not hold back any more others may be given.
bool withdraw(store::Tx& tx, const Env& env, const sync::Command& command, WallTime now);

/// True when a command failed by itself and would fail again for ever: the disk is not to blame.
bool fails_for_good(const Error& error);

}  // namespace conductor::service
