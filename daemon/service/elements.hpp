#pragma once
// Optional elements of a submission that a SIM's network or a modem refused: tried without, and remembered where that helped.
#include "daemon/dispatch/elements.hpp"
#include "daemon/store/messages.hpp"
#include "daemon/store/tables.hpp"

namespace conductor::service {

/// The attempts of part `seq` in this round, from the chain that ends with `last`; oldest first.
std::vector<store::AttemptRow> tries_of(store::Tx& tx, const store::MessageRow& row, int seq, std::optional<std::int64_t> last);

/// Optional elements that the message would like to have.
dispatch::Elements wished(const store::MessageRow& row);

/// What is to be left out on this SIM: what is remembered of it, and what the part's earlier tries were refused for.
dispatch::Elements left_out(store::Tx& tx, const std::vector<store::AttemptRow>& tries, std::string_view iccid, WallTime now);

/// The network took `attempt`, behind `tries`: what this SIM refused before and was left out now is not tried again for 30 days.
void remember_left_out(store::Tx& tx, const std::vector<store::AttemptRow>& tries, const store::AttemptRow& attempt, WallTime now);

}  // namespace conductor::service
