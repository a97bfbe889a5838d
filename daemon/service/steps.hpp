#pragma once
// Steps that settling an outcome (ledger.cpp) and choosing the next submission (pick.cpp) share.
#include "daemon/service/ledger.hpp"

namespace conductor::service {

/// A row whose lease is over, or which another box has.
inline constexpr const char* reason_lease_lost = "lease-lost";

inline bool under_way(MessageStatus s) {
    return s == MessageStatus::queued || s == MessageStatus::sending;
}

constexpr std::uint64_t bit_of(ModemIndex modem) {
    return std::uint64_t{1} << (modem & 63);
}

inline bool takes(std::uint64_t lane, ModemIndex modem) {
    return lane != no_lane && (lane == 0 || (lane & bit_of(modem)) != 0);
}

/// What begins is to be completed in one go: a message of that many parts waits for a SIM whose limits allow `room` parts now, unless they
/// never allow it.
constexpr bool waits_for_room(int segments, int room, int most_room) {
    return segments > room && segments <= most_room;
}

inline bool goes_before(const store::Ranked& one, const std::optional<store::Ranked>& other) {
    return !other || std::pair{one.rank, one.id.value} < std::pair{other->rank, other->id.value};
}

/// The first row that this modem takes, of the classes that `lets` lets through and the rows that `accept` takes; looks at no more than
/// `limit` rows of each queue.
template <class Lets, class Accept>
std::optional<store::Ranked> first_of_queues(store::Tx& tx, store::Gate gate, ModemIndex modem, int limit, Lets lets, Accept accept) {
    std::optional<store::Ranked> best;
    for (const auto& queue : store::ready_queues(tx, gate)) {
        if (!takes(queue.lane, modem) || !lets(queue.message_class)) continue;
        const auto one = store::first_ready(tx, queue, limit, accept, gate);
        if (one && goes_before(*one, best)) best = one;
    }
    return best;
}

/// Puts a message back into the queue, to be looked at again at `when` (never later than its expiry).
void requeue(store::MessageRow& row, WallTime when, WallTime now);

/// A message that had ended goes through the queue once more, from its first part.
void begin_again(const Env& env, store::MessageRow& row, WallTime now);

/// A message between two parts, of which none is on a modem, waits for its modem again.
void go_on(store::Tx& tx, const Env& env, store::MessageRow& row, std::string_view why, WallTime now);

/// Applies evidence (a report, a late answer, a slot) to a message. A final state is corrected upwards, and once: what would do otherwise
/// changes nothing, and the answer is false.
bool correct(store::MessageRow& row, const std::function<void(store::MessageRow&)>& evidence);

/// A part's outcome is open: on a modem, or in a modem's storage.
bool is_open(const store::MessageRow& row);

/// As settle(), and final also where the modem's storage could still tell.
void settle_for_good(store::Tx& tx, const Env& env, const store::AttemptRow& attempt, const driver::SubmitOutcome& outcome, WallTime now,
                     std::uint64_t random, PickAnswer& answer);

/// The network took an attempt that was settled otherwise.
std::vector<Changed> accept_later(store::Tx& tx, const Env& env, const store::AttemptRow& attempt, std::optional<int> tp_mr, WallTime now);

/// Slots that were emptied: they hold nobody's part any more.
void free_slots(store::Tx& tx, const PickRequest& request);

/// Not of a round before: what a person asks for again, or a mended SIM, is looked at anew.
bool is_of_this_round(const store::MessageRow& row, const store::AttemptRow& attempt);

/// The outcome of an attempt that may have gone out.
bool ambiguous(const store::AttemptRow& attempt);

/// The setting that says that a campaign is paused.
std::string paused_campaign(std::string_view name);

/// Between a message of a set and the one before it: 2 to 5 s, the same for one message whenever it is asked.
int set_gap_ms(MessageId id);

/// How a message of a set stands to the one that follows it.
dispatch::Facts::Before before_of(MessageStatus status);

/// What the lanes of messages are made from, as text.
std::string lanes_in(const config::Config& config);
/// The next `examined` queued messages get the lanes of this configuration, but for what has begun, or has a modem that its caller chose.
/// How many moved.
int relane(store::Tx& tx, const Env& env, store::LaneCursor& at, int examined);

/// It is not tried any more. It ends as `otherwise` for `reason`; incomplete when parts went out; unknown, for that try's reason, when one
/// may have gone out and was to be repeated.
void give_up(store::Tx& tx, store::MessageRow& row, MessageStatus otherwise, std::string reason);

/// Its next step cannot be stored: it is looked at again in an hour, the audit tells a person why, and nothing waits behind it.
void put_aside(store::Tx& tx, MessageId id, const Error& why, WallTime now, PickAnswer& answer);

/// True when the policy lets a due message go now; else it was parked or ended, and saved.
bool release(store::Tx& tx, const Env& env, store::MessageRow& row, const PickRequest& request, PickAnswer& answer);

/// Parts of it are out, or may be: the rest follows whatever the policy says of it meanwhile, until its time is over.
bool has_parts_out(const store::MessageRow& row);
/// Something of the message left this box, or may have: also where a part waits to be submitted again.
bool has_begun(store::Tx& tx, const store::MessageRow& row);

}  // namespace conductor::service
