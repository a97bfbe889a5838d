#pragma once
// What becomes of a message when one of its parts was submitted, reported on, or interrupted (CONTRACT part 4). Pure: Message in, Message
// changed. The message's status always follows from its parts.
#include <optional>
#include <string>

#include "daemon/core/message.hpp"

namespace conductor::dispatch {

/// What the error engine made of an outcome.
enum class After : std::uint8_t {
    accepted,  ///< the network took the part
    again,     ///< the part goes back to waiting: it was not sent, or may be repeated
    give_up,   ///< the part failed for good
    unknown,   ///< the part may have gone out, and is never submitted again
};

/// What a status report says of one part (TP-ST by ranges, TS 23.040 §9.2.3.15).
enum class Report : std::uint8_t {
    delivered,
    unconfirmed,  ///< 01: forwarded, the SC cannot confirm: counts as delivered
    pending,      ///< the SC still tries: proof that it has the part
    failed,
    expired,  ///< 46: the validity period ended at the SC
    untold,   ///< 80-FF, reserved: the SC has ended, and does not say how
};

/// The first part that waits, or nullptr.
const Part* waiting_part(const Message& m);
/// The part is journaled: from here until settle() its outcome is open.
void begin_part(Message& m, int seq, ModemIndex modem);
/// Settles part `seq`. The message becomes queued (again), sending (parts are left), or what its parts say. `reason` is the stable word of
/// a failure, empty when accepted. A part that is not submitting is left alone.
void settle_part(Message& m, int seq, After after, std::optional<int> tp_mr, std::string reason, bool report_wanted);
/// A +CMGS came after the part was settled as unknown, or was put back to be submitted again. A message that ended keeps its status
/// while other parts wait; else its parts decide anew.
void accept_late(Message& m, int seq, std::optional<int> tp_mr, bool report_wanted);
/// Applies a status report; false when it changes nothing. A failed or pending report never takes back a delivery.
bool report_part(Message& m, int seq, Report report);
/// Why the rest of it waits. What is known of a part that failed or whose outcome is open says more, and stays.
void wait_for(Message& m, std::string reason);
/// Nothing more is to be tried (expired, cancelled, no modem until TP-VP ended): parts that went out make it undelivered/incomplete, else
/// it becomes `otherwise` with `reason`.
void abandon(Message& m, MessageStatus otherwise, std::string reason);
/// No report came in time: delivery_status unknown, which makes sent and unknown final.
void close_reports(Message& m);
/// Starts a new round of a message that ended without success (`retry`): parts that may have gone out are submitted again too.
void new_round(Message& m);

}  // namespace conductor::dispatch
