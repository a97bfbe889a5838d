#pragma once
// Table messages: a Message with what only the daemon knows of it.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/core/message.hpp"
#include "daemon/store/sqlite.hpp"

namespace conductor::store {

struct MessageRow : Message {
    bool ready = false;      ///< due: waits for a modem alone
    bool held = false;       ///< queued, and in no queue until somebody confirms it: the database may be an older copy
    std::uint64_t lane = 0;  ///< bit mask of the modems that may take it; 0 = any
    WallTime not_before{};   ///< when it is looked at again
    int attempts_used = 0;   ///< attempts that count against max_attempts
    std::optional<WallTime> report_until;
    bool report_wanted = true, flash = false;
    std::int64_t claim_epoch = 0;
    std::optional<WallTime> lease_until;                  ///< a claimed row may be sent until then
    bool pinned = false;                                  ///< the caller chose the modem
    bool keyed = false;                                   ///< the caller gave the key
    bool corrected = false;                               ///< evidence changed its final state once in this round
    bool begun = false;                                   ///< Supabase said go under this claim, or could not be asked and need not be
    bool offline_ok = false;                              ///< a claimed row that may go while Supabase cannot be asked
    bool ages = false;                                    ///< `expires_at` follows from when it was taken, and nobody named it
    std::int64_t revision = 0;                            ///< of a claimed row, as this box read it
    std::uint8_t single_table = 0, locking_table = 0;     ///< national tables that its parts were planned with (TS 23.038 §6.2.1.2)
    std::optional<std::int64_t> last_attempt;             ///< the newest of its attempts; each names the one before
    std::optional<std::string> state, time_zone;          ///< of the recipient's address
    std::optional<std::string> known;                     ///< what the priority was made of; empty: the caller named it
    std::optional<std::string> set_name;                  ///< of a set of messages to one number that keep their order
    std::optional<MessageId> after;                       ///< the message of its set that goes before it
    MessageStatus stored_status = MessageStatus::queued;  ///< as it was read: update() leaves it
    DeliveryStatus stored_delivery = DeliveryStatus::none;
    /// What few steps change, as it is stored; empty: not known. update() does not write it again, and so leaves its indexes alone.
    struct Seldom {
        std::uint64_t lane = 0;
        std::optional<WallTime> due_at, expires_at, report_until, lease_until;
        std::int64_t claim_epoch = 0, revision = 0;
        bool operator==(const Seldom&) const = default;
    };
    std::optional<Seldom> stored_seldom;
    Seldom seldom() const { return {lane, due_at, expires_at, report_until, lease_until, claim_epoch, revision}; }

    /// A claimed row goes to a modem after gw_begin_v1 alone. Due and without it, it is in none of the ready queues.
    bool needs_go() const { return scheduled_message_id && claim_epoch > 0 && !begun; }
};

void insert(Tx& tx, MessageRow& row);  ///< sets row.id
std::optional<MessageRow> find(Tx& tx, MessageId id);
std::optional<MessageRow> find_by_key(Tx& tx, std::string_view key);
/// The newest local round of a row of scheduled_messages.
std::optional<MessageRow> find_by_scheduled(Tx& tx, std::int64_t scheduled_id);
/// Queued rows whose lease ends before `before`.
std::vector<MessageRow> leases_ending(Tx& tx, WallTime before, int limit);
/// The earliest end of a queued row's lease.
std::optional<WallTime> first_lease_ending(Tx& tx);
/// Its newest attempt. Apart from update(), because the index over what was sent should be written once a try.
void set_last_attempt(Tx& tx, MessageId id, std::int64_t attempt);
/// Writes back what a step may change: everything but identity, content and the newest attempt.
void update(Tx& tx, MessageRow& row);

struct Filter {
    std::optional<MessageStatus> status;
    std::optional<Direction> direction;
    std::optional<std::string> phone;
    std::optional<MessageId> before;  ///< older than this one
    int limit = 100;
    std::int64_t down_to = 0;  ///< only ids above; not where `phone` is given
};
/// Newest first.
std::vector<MessageRow> list(Tx& tx, const Filter& filter);
/// The message from this number that was taken in at `at`, if it is one of its last hundred.
std::optional<MessageRow> inbound_of(Tx& tx, std::string_view phone, WallTime at);
struct Listed {
    std::vector<MessageRow> rows;
    std::optional<MessageId> go_on;  ///< filter.before of the next part; empty: all was looked at
};
/// list() in parts, for a filter that few rows may pass: looks at about `examined` of them and no more.
Listed list_some(Tx& tx, Filter filter, std::int64_t examined);

/// Where set_right() is: ids below which it has not looked yet.
struct AheadCursor {
    std::int64_t message = INT64_MAX, attempt = INT64_MAX;
};
/// The clock was `ahead` and is right at `now`: what was taken in meanwhile and has not ended counts as taken in now, and is due now unless
/// it names a time of its own; its lease, and an end that follows from when it was taken, are earlier by as much. What was tried meanwhile
/// and waits is looked at now. From the newest rows down, `examined` of each table; false when there are no more.
bool set_right(Tx& tx, AheadCursor& at, WallTime now, std::chrono::milliseconds ahead, int examined);

/// Makes due rows ready; how many.
std::int64_t promote(Tx& tx, WallTime now, int limit);
/// The ready rows of one class in one lane are one queue, so that no class stands in front of another.
struct ReadyQueue {
    std::uint64_t lane = 0;
    MessageClass message_class = MessageClass::marketing;
    bool operator==(const ReadyQueue&) const = default;
};
/// Due rows wait for a modem; claimed ones wait first for the go of Supabase.
enum class Gate : std::uint8_t { open, go, go_offline };  ///< go_offline: of those that wait for a go, the ones that may do without
struct Ranked {
    MessageId id;
    std::int64_t rank = 0;  ///< lower goes first
    std::uint64_t lane = 0;
};
const char* first_ready_sql(Gate gate);
/// Calls `accept` with one after the other until it returns true; that one, or nothing when `limit` were looked at.
template <class Accept>
std::optional<Ranked> first_ready(Tx& tx, const ReadyQueue& queue, int limit, Accept accept, Gate gate = Gate::open) {
    for (Rows q = tx.query(first_ready_sql(gate), queue.lane, queue.message_class, limit); q.next();) {
        const Ranked one{MessageId{q.i64(0)}, q.i64(1), queue.lane};
        if (accept(one)) return one;
    }
    return std::nullopt;
}
/// How many ready rows go before this one in the lanes that share a modem with it, counted up to `most`.
int ready_before(Tx& tx, const MessageRow& row, int most);
/// The queues that have ready rows; those that wait for the go, for either of its gates.
std::vector<ReadyQueue> ready_queues(Tx& tx, Gate gate = Gate::open);
/// A claimed row that was begun, and waits for a modem again.
struct Ahead {
    std::uint64_t lane = 0;
    std::string phone_number;
};
/// Those that one of the modems of the mask takes; replies alone, where that is asked.
std::vector<Ahead> rows_ahead(Tx& tx, std::uint64_t modems, bool replies_alone, int limit);
/// Claimed rows that wait, counted up to `most`.
std::size_t count_unsent_of_supabase(Tx& tx, std::size_t most);
bool any_waits_for_go(Tx& tx);
struct GoRow {
    Ranked ranked;
    MessageClass message_class = MessageClass::transactional;
    std::int64_t epoch = 0;  ///< of its claim
    std::string phone_number;
    int segments = 1;
};
/// The row, when it is due and waits for a go under that claim.
std::optional<GoRow> waiting_for_go(Tx& tx, MessageId id, std::int64_t epoch);
/// The number of a message; empty when there is none.
std::string phone_of(Tx& tx, MessageId id);
/// Ready rows of any lane of which parts are out, or may be, best first.
std::vector<Ranked> ready_and_begun(Tx& tx, int limit);
/// Where a walk through the rows that are due is; a new one begins at their head.
struct ReadyCursor {
    std::int64_t lane = INT64_MIN, message_class = -1, rank = 0, id = 0;
};
/// Of the next `examined` ready rows behind `at` those whose time is over; or of those that wait for the go of Supabase (any gate but open)
/// those whose time or lease is over. Moves `at` on; behind the last row to the head again.
std::vector<MessageId> ready_and_expired(Tx& tx, ReadyCursor& at, WallTime now, int examined, Gate gate = Gate::open);
/// When the next waiting row is due.
std::optional<WallTime> next_waiting(Tx& tx);
bool any_ready(Tx& tx);
/// Rows of the queue by what they wait for; `go`: that of Supabase.
struct QueueCounts {
    std::int64_t ready = 0, waiting = 0, go = 0, held = 0, sending = 0;
    std::int64_t open() const { return ready + waiting + go + held + sending; }
};
/// Counts no further than `most` of each.
QueueCounts count_queue(Tx& tx, std::int64_t most = INT64_MAX);
/// The column `watched` of a message that is on a modem (012_watched.sql).
inline constexpr std::int64_t watched_on_modem = INT64_MAX;
std::int64_t count_open(Tx& tx);  ///< queued (held ones too) and sending
/// Holds at most `limit` queued rows, for `restored`; how many. Repeat until 0.
std::int64_t hold_queued(Tx& tx, int limit);
/// Lets at most `limit` held rows go on at `now`; how many. Repeat until 0.
std::int64_t release_held(Tx& tx, WallTime now, int limit);
std::int64_t count_held(Tx& tx, std::int64_t most = INT64_MAX);
/// Held rows of Supabase with an id above `after`, by id.
std::vector<MessageRow> held_of_supabase(Tx& tx, MessageId after, int limit);
/// Claimed rows of which no try was made, with a go or without: at most `limit` of them.
std::vector<MessageRow> unsent_of_supabase(Tx& tx, int limit);
/// Messages of a number that may be what a status report is about: sent or unknown ones, newest first.
std::vector<MessageRow> reportable(Tx& tx, std::string_view phone, int limit);
std::vector<MessageRow> overdue_reports(Tx& tx, WallTime now, int limit);
/// The last outbound message to a number that was given to a modem.
std::optional<MessageRow> last_sent_to(Tx& tx, std::string_view phone);
/// Marketing messages to a number that were given to a modem in the last week.
struct Recent {
    std::optional<WallTime> last;
    std::vector<WallTime> contacts;  ///< newest first; a set is one
};
Recent recent_marketing(Tx& tx, std::string_view phone, WallTime now);
/// The SIM that wrote to a number last.
struct LastSim {
    ModemIndex modem = 0;
    std::string iccid;
};
std::optional<LastSim> last_sim_of(Tx& tx, std::string_view phone);
/// The newest of the begun and not yet settled messages of a class to this number that goes before message `id`: one that is on a modem, or
/// an older one that waits for another try, but for what only a person lets go on. Looks at the last 32 that were begun.
struct UnderWay {
    bool on_modem = false;
    WallTime not_before{};  ///< its next try
};
/// The oldest of those that wait behind a message that is settled now is looked at again at once, before what came later.
void wake_behind(Tx& tx, const MessageRow& settled, WallTime now);
std::optional<UnderWay> under_way_before(Tx& tx, std::string_view phone, MessageClass message_class, MessageId id);
/// What a number was sent and what it answered, for the send priority. Counts stop at 100.
struct History {
    int sent = 0, sent_30_days = 0, inbound = 0;
};
History history_of(Tx& tx, std::string_view phone, WallTime now);
/// The newest message of a set to a number; one that was cancelled has no place any more.
std::optional<MessageId> last_of_set(Tx& tx, std::string_view phone, std::string_view set_name, WallTime since);
/// The message of its set that is due before a row of Supabase; one that was cancelled or given back has no place any more.
std::optional<MessageId> before_in_set(Tx& tx, const MessageRow& row);
/// What waits for an earlier round of this row of Supabase waits for this one now.
void take_place_in_set(Tx& tx, const MessageRow& row);
/// The messages that go right after this one in its set are looked at again at `when`, and no earlier.
void follow(Tx& tx, MessageId id, WallTime when);
/// What went right after this one in its set goes after the one before it, and the other way round.
void leave_set(Tx& tx, const MessageRow& row);
void enter_set_again(Tx& tx, const MessageRow& row);
/// What waits for others of the set of this message is looked at again at `now`.
void look_at_set(Tx& tx, const MessageRow& row, WallTime now);
/// What a pause of this campaign parked is due again, of the rows with an id above `after` and up to `to`.
void resume_campaign(Tx& tx, std::string_view campaign, WallTime now, std::int64_t after, std::int64_t to);
/// The newest id.
std::int64_t last_message(Tx& tx);
/// What decides on the lane of a queued row for which no caller chose the modem.
struct Laned {
    MessageId id;
    MessageClass message_class = MessageClass::marketing;
    std::string phone_number;
    std::uint64_t lane = 0;
};
/// Where lanes_of_queued() is: which of the queue's indexes, and its last key.
struct LaneCursor {
    std::size_t queue = 0;
    std::int64_t key[3] = {INT64_MIN, INT64_MIN, INT64_MIN}, id = INT64_MIN;
    bool done() const;
};
/// The next of them, of `examined` rows; nothing that has ended is read. What moves from one index to another meanwhile is found in one of
/// them.
std::vector<Laned> lanes_of_queued(Tx& tx, LaneCursor& at, int examined);
void set_lane(Tx& tx, MessageId id, std::uint64_t lane);
/// Automatic answers to a number since `since` (replies whose key says so), and how many of them have this text.
struct Answers {
    int all = 0, same = 0;
};
Answers answers_since(Tx& tx, std::string_view phone, std::string_view text, WallTime since);
/// Queued messages to a number.
std::vector<MessageRow> queued_for(Tx& tx, std::string_view phone);
/// Outbound messages to a number with this text since `since`, except cancelled, failed and suppressed ones.
std::optional<MessageRow> duplicate_of(Tx& tx, std::string_view phone, std::string_view content, WallTime since);
/// `reason` of an inbound row that shows a PDU which could not be decoded.
inline constexpr std::string_view reason_undecodable = "undecodable";
/// Unread messages for a bot, oldest first; never those that could not be decoded.
std::vector<MessageRow> claim_unread(Tx& tx, std::string_view owner, WallTime now, WallTime until, int limit);

std::string pack_parts(const std::vector<Part>& parts);
std::vector<Part> unpack_parts(std::string_view text);

}  // namespace conductor::store
