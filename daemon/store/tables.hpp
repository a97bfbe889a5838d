#pragma once
// The smaller tables: journal of attempts, incoming PDUs, opt-outs, consents, audit, outbox, settings, SIMs.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/core/clock.hpp"
#include "daemon/core/ids.hpp"
#include "daemon/store/sqlite.hpp"

namespace conductor::store {

// --- attempts: the journal ------------------------------------------------------------------------------------------------------------
struct AttemptRow {
    std::int64_t id = 0;
    MessageId message;
    int seq = 1;
    ModemIndex modem_index = 0;
    std::string iccid;
    WallTime started_at{};
    std::optional<WallTime> ended_at;
    std::optional<int> outcome;  ///< driver::Ending
    std::optional<int> tp_mr;
    std::optional<std::string> reason;
    std::optional<std::int64_t> previous;  ///< the attempt before it of the same message
    // journal = "modem"
    bool stored = false;                     ///< goes out by AT+CMGW and AT+CMSS
    std::string imei{};                      ///< whose memory "ME" is
    std::optional<std::int64_t> pdu_hash{};  ///< pdu::stored_fingerprint
    std::optional<std::string> slot_memory{};
    std::optional<int> slot{};  ///< while the slot is not known to be empty; -1: it may lie anywhere in slot_memory
};
std::int64_t open_attempt(Tx& tx, const AttemptRow& row);
void close_attempt(Tx& tx, std::int64_t id, WallTime at, int outcome, std::optional<int> tp_mr, std::string_view reason);
/// Where the part lies; -1: somewhere, or nowhere.
void set_slot(Tx& tx, std::int64_t id, std::string_view memory, int slot);
void clear_slot(Tx& tx, std::int64_t id);
/// The part goes by AT+CMGS after all.
void not_stored(Tx& tx, std::int64_t id);
/// Attempts whose part may lie in this memory, newest first. `owner`: the SIM's ICCID for "SM", else the modem's IMEI.
std::vector<AttemptRow> attempts_in(Tx& tx, std::string_view memory, std::string_view owner);
/// A later attempt of the same modem was accepted: whatever the modem did before, it has ended.
bool accepted_since(Tx& tx, const AttemptRow& attempt);
/// A report told the reference of a submission whose answer was lost.
void name_attempt(Tx& tx, std::int64_t id, int tp_mr);
std::optional<AttemptRow> find_attempt(Tx& tx, std::int64_t id);
/// Without an outcome: of messages that are being sent, and in slots of modems. Oldest first.
std::vector<AttemptRow> open_attempts(Tx& tx);
/// The attempts that end at `last`, oldest first.
std::vector<AttemptRow> attempt_chain(Tx& tx, std::optional<std::int64_t> last);
/// Attempts that reached the network (accepted or ambiguous) since `since`, newest first, for rate limits and late binding of reports.
std::vector<AttemptRow> attempts_since(Tx& tx, WallTime since, int limit);
/// Of the newest `messages` messages to this number, newest attempt first.
std::vector<AttemptRow> attempts_to(Tx& tx, std::string_view phone, WallTime since, int messages);

/// When the newest parts of each SIM were submitted, newest first: at most `most` of each, and none that is older than `reach` by `now`,
/// nor by the newest attempt there is: a clock that is not sure yet may be ahead. What never left is none. One walk through the journal.
struct PartsOfSims {
    std::map<std::string, std::vector<WallTime>, std::less<>> sims;  ///< by ICCID
    std::int64_t newest = 0;                                         ///< attempt
};
PartsOfSims parts_of_sims(Tx& tx, WallTime now, std::chrono::milliseconds reach, int most, std::int64_t after = 0);

// --- incoming: every PDU that arrived ---------------------------------------------------------------------------------------------------
struct IncomingRow {
    std::int64_t id = 0;
    std::int64_t fingerprint = 0;
    int kind = 0;  ///< 0 message, 1 status report
    ModemIndex modem_index = 0;
    std::string iccid, hex;
    WallTime received_at{};
    std::string sender;
    std::optional<int> ref;
    int total = 1, seq = 1;
    int state = 0;  ///< 0 waits, 1 done, 2 undecodable
    std::optional<MessageId> message;
};
/// False when the same PDU is there already.
bool insert_incoming(Tx& tx, IncomingRow& row);
/// The PDU with this fingerprint; an empty text once its octets were forgotten.
std::optional<std::string> incoming_octets(Tx& tx, std::int64_t fingerprint);
std::vector<IncomingRow> open_parts(Tx& tx, std::string_view sender, int ref);
/// Concatenated messages that still miss parts and were begun before `before`: one row of each.
std::vector<IncomingRow> stale_parts(Tx& tx, WallTime before, int limit);
void finish_incoming(Tx& tx, std::int64_t id, int state, std::optional<MessageId> message);
/// Status reports that matched no message, newest first.
std::vector<IncomingRow> unmatched_reports(Tx& tx, std::string_view sender, int limit);
bool any_unmatched_report(Tx& tx, std::string_view sender);
/// Status reports of this SIM that matched a message, newest first, among what arrived lately.
std::vector<IncomingRow> matched_reports(Tx& tx, std::string_view iccid, int limit);

// --- opt-outs, consents, audit
// ------------------------------------------------------------------------------------------------------------
struct OptOutRow {
    std::string phone;
    bool active = true;
    std::string reason, actor;
    WallTime at{};
};
std::optional<OptOutRow> find_opt_out(Tx& tx, std::string_view phone);
std::vector<OptOutRow> all_opt_outs(Tx& tx);
/// Also kept in a file beside the database, durable before the commit: a database that is put back from a backup has forgotten what people
/// said since, and they must not be written to.
void set_opt_out(Tx& tx, const OptOutRow& row);
inline std::string opt_outs_path(const std::string& database) {
    return database + ".optouts";
}
/// What such a file says last of each number; lines that nobody can read are passed over.
std::vector<OptOutRow> kept_opt_outs(const std::string& file);
/// Opt-outs that are newer than what the database knows of their numbers; how many.
int take_back_opt_outs(Tx& tx, const std::vector<OptOutRow>& kept);
struct ConsentRow {
    std::string phone;
    bool active = true;
    std::string source, shown, actor;
    WallTime at{};
};
std::optional<ConsentRow> find_consent(Tx& tx, std::string_view phone);
void set_consent(Tx& tx, const ConsentRow& row);
void audit(Tx& tx, WallTime at, std::string_view actor, std::string_view action, std::string_view target, std::string_view detail = {});

// --- outbox
// -------------------------------------------------------------------------------------------------------------------------------
enum class Stream : int { report = 0, inbound = 1 };
struct OutboxRow {
    std::int64_t id = 0;
    std::string event_id, body;
};
void push_outbox(Tx& tx, Stream stream, std::string_view event_id, std::string_view body);
std::vector<OutboxRow> peek_outbox(Tx& tx, Stream stream, int limit, std::size_t bytes);
void drop_outbox(Tx& tx, std::int64_t id);
void bury_outbox(Tx& tx, std::int64_t id, std::string_view why);
struct OutboxCount {
    static constexpr std::int64_t most = 10'000;  ///< so many are counted: it is asked for with each request
    std::int64_t waiting = 0;                     ///< `most`: that many or more
    std::int64_t dead = 0;
};
OutboxCount count_outbox(Tx& tx);
/// Of those that were refused for good the newest `kept` stay; at most `limit` others go. Returns how many went.
std::int64_t forget_dead_outbox(Tx& tx, std::int64_t kept, int limit);

/// The newest time at which anything was written, as far as the newest rows tell; empty in an empty database.
std::optional<WallTime> newest_time(Tx& tx);

// --- settings, PINs, SIMs ---------------------------------------------------------------------------------------------------------------
std::optional<std::string> get_setting(Tx& tx, std::string_view name);
void set_setting(Tx& tx, std::string_view name, std::string_view value);
/// What became of a try. A PIN that was right, and after which the SIM was seen open, has none.
enum class PinOutcome : std::uint8_t {
    unknown,   ///< it never ended: the power or the modem went away
    answered,  ///< with OK, and the SIM was not seen open since
    refused,
};
std::optional<PinOutcome> pin_try(Tx& tx, std::string_view sim, std::string_view pin_hash);
void set_pin_try(Tx& tx, std::string_view sim, std::string_view pin_hash, WallTime at);
/// Changes nothing where there is no such try.
void set_pin_outcome(Tx& tx, std::string_view sim, std::string_view pin_hash, PinOutcome outcome);
/// The PIN was right: it may be entered again.
void forget_pin_try(Tx& tx, std::string_view sim, std::string_view pin_hash);
/// Any PIN was tried on this SIM, and is not known to be right.
bool any_pin_try(Tx& tx, std::string_view sim);
std::optional<std::string> sim_of(Tx& tx, ModemIndex modem);
void set_sim(Tx& tx, ModemIndex modem, std::string_view iccid, WallTime at);

}  // namespace conductor::store
