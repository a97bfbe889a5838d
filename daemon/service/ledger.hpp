#pragma once
// The steps of a message in the database: settle what a modem did, pick and journal what it does next. Everything here runs on the store's
// thread inside one transaction, takes its time as a value, and sends nothing.
#include <climits>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/dispatch/policy.hpp"
#include "daemon/service/context.hpp"
#include "daemon/service/granted.hpp"
#include "daemon/service/hand_over.hpp"
#include "daemon/store/messages.hpp"
#include "daemon/store/tables.hpp"
#include "modem/at/errors.hpp"
#include "modem/driver/modem.hpp"

namespace conductor::service {

/// A message changed its status: for metrics, logs and live views.
struct Changed {
    MessageId id;
    MessageStatus status = MessageStatus::queued;
    std::string reason;
};

/// A modem that is up, and its SIM that may send.
struct LiveSim {
    ModemIndex modem = 0;
    std::string iccid;
};

struct PickRequest {
    ModemIndex modem = 0;
    std::string iccid;
    std::optional<driver::SubmitOutcome> finished;
    bool available = true;                      ///< the modem can take a message now
    bool paused = false;                        ///< the queue is paused: only what has begun is completed
    std::vector<LiveSim> others = {};           ///< the other modems that could take a message now
    std::shared_ptr<HandOver> hand_over = {};   ///< absent: nothing is left to another modem
    std::shared_ptr<Granted> granted = {};      ///< claimed rows that have their go; absent: there are none
    std::optional<WallTime> spaced_until = {};  ///< what became overdue goes no earlier through this SIM: no flood after a stop
    int room = INT_MAX, most_room = INT_MAX;    ///< parts that the SIM's limits allow now, and that they ever allow at once
    MessageId kept_for{};                       ///< the message for which the SIM's limits had too little room before
    int passed = 0;                             ///< messages that went before it since, for they are shorter
    WallTime now{};
    std::uint64_t random = 0;
    // journal = "modem"
    std::string imei{};
    std::string store_memory{};             ///< where the modem stores a part before it sends it; empty: it does not
    std::vector<driver::StoredAt> freed{};  ///< slots that are empty now
};
struct PickAnswer {
    std::optional<driver::Submission> submission;
    MessageId message;
    bool more_ready = false;               ///< another modem may find work too
    bool waits_for_go = false;             ///< claimed rows are due and wait for the go of Supabase
    std::uint64_t wake = 0;                ///< modems to which something was left
    bool overdue = false;                  ///< the submission is of a message that became overdue: the next of those is spaced
    std::optional<WallTime> look_again;    ///< when the next waiting message is due
    std::optional<std::string> pause_sim;  ///< reason word: this SIM should rest
    bool until_usable = false;             ///< and only until the modem can use it again
    std::optional<WallTime> not_after;     ///< of the submission: its lease or its time is over then
    int needs_room = 0;                    ///< the first message waits until the SIM's limits have room for so many parts; 0: none does
    MessageId kept_for{};                  ///< which that is
    struct Refused {
        at::Verdict verdict;
        std::string phone_number;
        MessageId message;
    };
    std::optional<Refused> refused;  ///< for the strikes of the SIM
    std::vector<Changed> changed;
};

/// Settles `finished`, then picks and journals the next submission for this modem. All in the caller's transaction.
PickAnswer settle_and_pick(store::Tx& tx, const Env& env, const PickRequest& request);

/// A step of this message cannot be stored, and never will be (a bug, a row that was changed by hand): nothing may wait behind it. Closes
/// the attempt, and makes the message unknown for `step-failed` where its state allows that.
std::vector<Changed> settle_without(store::Tx& tx, const Env& env, const store::AttemptRow& attempt, const driver::SubmitOutcome& outcome,
                                    const Error& why, WallTime now);
std::vector<Changed> settle_without(store::Tx& tx, const Env& env, const driver::SubmitOutcome& outcome, const Error& why, WallTime now);

/// Settles one outcome alone.
void settle(store::Tx& tx, const Env& env, const driver::SubmitOutcome& outcome, WallTime now, std::uint64_t random, PickAnswer& answer);

/// A +CMGS came for the open (or unknown) submission of this modem.
std::vector<Changed> settle_late(store::Tx& tx, const Env& env, ModemIndex modem, int tp_mr, WallTime now);

/// A refusal came for the submission that the process before left open on this modem.
PickAnswer settle_inherited(store::Tx& tx, const Env& env, ModemIndex modem, driver::SubmitOutcome outcome, WallTime now,
                            std::uint64_t random);

/// After a start: submissions that a dead process left open, except on the modems of `still_listening`, become unknown, and messages left
/// between two parts go back to the queue.
std::vector<Changed> recover(store::Tx& tx, const Env& env, const std::vector<ModemIndex>& still_listening, WallTime now);

/// journal = "modem": where the part of an open attempt lies; nothing: it goes by AT+CMGS after all.
void note_slot(store::Tx& tx, std::int64_t token, const std::optional<driver::StoredAt>& at);

struct Judged {
    std::vector<driver::SlotRuling> rulings;  ///< one a slot
    std::vector<Changed> changed;
};
/// What a modem's own slots say of submissions whose outcome is open. "Stored sent" is accepted. "Stored unsent" is not sent, once the
/// modem cannot be sending it any more. A slot that is gone tells nothing: unknown.
Judged judge_slots(store::Tx& tx, const Env& env, const driver::SlotReading& reading, WallTime now, std::uint64_t random);

/// Submissions that lie in a modem which was not read until their time was over become unknown.
std::vector<store::AttemptRow> unread_slots(store::Tx& tx, WallTime now);
std::vector<Changed> give_up_slots(store::Tx& tx, const Env& env, WallTime now);

/// Makes `delivery_status` unknown where no report came in time, of at most `limit` messages.
std::vector<Changed> close_overdue_reports(store::Tx& tx, const Env& env, WallTime now, int limit);

/// Ends those of `ids` that are ready and expired, and makes at most `limit` due rows ready. For what no modem looks at.
std::vector<Changed> expire_overdue(store::Tx& tx, const Env& env, const std::vector<MessageId>& ids, WallTime now, int limit);

/// Messages that failed for their number, though it was the SIM: they wait again, for any modem.
std::vector<Changed> reopen(store::Tx& tx, const Env& env, const std::vector<MessageId>& ids, WallTime now);

/// Ends as suppressed what is queued for a number that opted out. A set under way is completed, and a reply may still answer.
std::vector<Changed> suppress_queued(store::Tx& tx, const Env& env, std::string_view phone, WallTime now);
/// A marketing message that waited this long behind its due time is overdue: with others it leaves evenly, not at once.
inline constexpr std::chrono::minutes overdue_after{1};

/// The modems that may take a message, as a bit mask of their indexes (0-63); 0 = any, `no_lane` = none is configured for it.
inline constexpr std::uint64_t no_lane = ~std::uint64_t{0};
std::uint64_t lane_of(const config::Config& config, const Message& message, std::optional<ModemIndex> pinned);

/// The keys of the gateway's own answers to STOP, START and HELP begin so; a caller's may not.
inline constexpr std::string_view own_answer_key = "answer-";
/// Fills what opt_out_binds() asks for.
void note_opt_out(store::Tx& tx, const store::MessageRow& row, dispatch::Facts& facts);
/// What the policy needs to know, read from the database.
dispatch::Facts facts_of(store::Tx& tx, const Env& env, const store::MessageRow& row, WallTime now);

/// Writes a changed message back, with the outbox row that tells Supabase. `event` is empty when nothing is to be told.
void save(store::Tx& tx, const Env& env, store::MessageRow& row, WallTime now);

}  // namespace conductor::service
