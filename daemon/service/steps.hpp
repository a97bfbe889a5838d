#pragma once
// Steps that settling an outcome (ledger.cpp) and choosing the next submission (pick.cpp) share.
#include "daemon/service/ledger.hpp"

namespace conductor::service {

constexpr std::uint64_t bit_of(ModemIndex modem) {
    return std::uint64_t{1} << (modem & 63);
}

/// Puts a message back into the queue, to be looked at again at `when` (never later than its expiry).
void requeue(store::MessageRow& row, WallTime when, WallTime now);

/// The outcome of an attempt that may have gone out.
bool ambiguous(const store::AttemptRow& attempt);

/// Something of the message left this box, or may have: also where a part waits to be submitted again.
bool has_begun(store::Tx& tx, const store::MessageRow& row);

}  // namespace conductor::service
