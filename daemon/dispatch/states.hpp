#pragma once
// Which state of a message and of a part may follow which (CONTRACT part 4), as tables. The database holds the same table of messages
// (message_steps), and refuses every other step.
#include <array>
#include <span>

#include "daemon/core/message.hpp"

namespace conductor::dispatch {

/// A message may go from one status to the other: by a step of ours, by evidence, or by a new round.
bool may_follow(MessageStatus from, MessageStatus to);
/// The same of a part. A new round begins anew with parts that wait, whatever they were: not among these steps.
bool may_follow(PartStatus from, PartStatus to);

/// `to` says more of the message than `from`: undelivered than failed, expired or unknown; sent than these; delivered than all. Evidence
/// may take a final state there, once.
bool is_upward(MessageStatus from, MessageStatus to);

/// All states, in the order of their numbers.
std::span<const MessageStatus> all_message_states();
std::span<const PartStatus> all_part_states();

}  // namespace conductor::dispatch
