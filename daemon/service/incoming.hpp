#pragma once
// What arrives: stored as it came before anything else, then read, joined, and acted on (STOP, START, HELP; status reports).
#include "daemon/service/ledger.hpp"

namespace conductor::service {

struct Arrived {
    bool duplicate = false;
    bool undecodable = false;
    std::optional<MessageId> message;     ///< a whole message came to be
    std::optional<MessageId> unreadable;  ///< what could not be decoded is shown as this one
    bool wants_sending = false;           ///< an answer was queued
    std::vector<Changed> changed;
};

/// Stores one incoming PDU and does what follows from it, all in the caller's transaction. The modem's copy may go after its commit.
Arrived take_in(store::Tx& tx, const Env& env, const driver::Incoming& incoming, WallTime now);

/// Stores a PDU as it came, and shows it to people as unreadable: what take_in() makes of it cannot be stored, and never will be.
Arrived keep_raw(store::Tx& tx, const driver::Incoming& incoming, const Error& why, WallTime now);

/// Concatenated messages whose missing parts did not come in time are shown with gaps.
std::vector<Arrived> give_up_parts(store::Tx& tx, const Env& env, WallTime before, WallTime now, int limit);

}  // namespace conductor::service
