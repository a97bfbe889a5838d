#pragma once
// A row of Supabase that this box has claimed, taken in as a message, as a step inside one write transaction.
#include "daemon/service/ledger.hpp"
#include "sync/plan/types.hpp"

namespace conductor::service {

/// A claimed row, with the deadline of its lease on this box's wall clock.
struct Claimed {
    sync::Job job;
    WallTime lease_until{};
};

/// Takes one claimed row in. True when something became sendable.
bool take_claimed(store::Tx& tx, const Env& env, const Claimed& claimed, WallTime now);

}  // namespace conductor::service
