#pragma once
// What Supabase asks of this box, as steps inside one write transaction.
#include <span>
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

/// Obeys a "cancel" or an "edit" of a claimed row that waits: it ends here, and an edited one is claimed afresh with its new revision.
/// False while it is too late and the row has not ended yet (on a modem, or part of it is out): the command stays unacknowledged until
/// then, since what a box does not hold back any more others may be given.
bool withdraw(store::Tx& tx, const Env& env, const sync::Command& command, WallTime now, std::vector<Changed>& changed);

/// True when a step failed by itself and would fail again for ever: the disk is not to blame.
bool fails_for_good(const Error& error);

struct Obeyed {
    std::vector<std::int64_t> done;  ///< may be acknowledged: among them those that failed by themselves, and would again
    std::vector<std::pair<std::int64_t, std::string>> failed, unknown;
    std::vector<Changed> changed;
    std::optional<bool> paused;  ///< the queue
};
/// Obeys commands in their order. Whatever the disk is to blame for fails the transaction, and all of them come again.
Obeyed obey(store::Tx& tx, const Env& env, std::span<const sync::Command> commands, WallTime now);

}  // namespace conductor::service
