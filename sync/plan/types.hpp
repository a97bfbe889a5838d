#pragma once
// The requests and answers of the gw_*_v1 functions (sync/supabase/API.md) as values. Pure: JSON in, JSON out.
#include <chrono>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/clock.hpp"
#include "daemon/core/message.hpp"
#include "daemon/core/result.hpp"

namespace conductor::sync {

enum class SyncErrc {
    bad_answer = 1,  ///< not the JSON that API.md promises
    transport,       ///< DNS, connect, TLS, timeout
    retry_later,     ///< a server-side condition that passes (SUPABASE.md 8.8)
    unauthorized,    ///< credentials refused after a refresh and a new login
    forbidden,       ///< the box is disabled, or the project restricted
    not_ready,       ///< schema of the server is older or newer, or its cache is stale
    rejected,        ///< the request's data is bad: bisect
};
const char* errc_library(SyncErrc);
std::string_view describe(SyncErrc e);

struct Hello {
    std::string instance, version;
    std::int64_t protocol = 1;
    std::string word = {};                ///< of this process
    std::vector<std::string> words = {};  ///< of those before it, as far as the server may know them
};
struct HelloAnswer {
    std::string gateway_id, pool, generation;
    WallTime server_now{};
    bool alone = true;                                ///< no other enabled box in the pool: pinned mode
    bool fenced = false;                              ///< a newer instance of this identity exists: stop
    bool forked = false;                              ///< another copy of this box has said hello: begin an instance of one's own
    std::int64_t protocol_min = 1, protocol_max = 1;  ///< what the server speaks
    std::vector<std::string> topics = {};             ///< private Realtime channels that ring when there is something to fetch
};

/// A row of scheduled_messages that this box holds a lease on.
struct Job {
    std::int64_t id = 0;
    std::int64_t epoch = 0, revision = 0;
    std::string phone_number, content;
    MessageClass message_class = MessageClass::marketing;
    double priority = 50;
    WallTime send_at{};
    std::optional<WallTime> expires_at;
    WallTime lease_expires_at{};
    bool offline_ok = false;  ///< may be sent without gw_begin_v1 while the server cannot be asked
    std::optional<OnUnknown> on_unknown;
    std::optional<std::string> campaign_name;
    std::optional<std::string> set = {};       ///< rows of one contact, to go out in order: bubbles of one message
    std::optional<std::string> state = {};     ///< of the recipient's address, "CA"
    Customer customer = {};                    ///< what the send priority is made of
    bool consent = false;                      ///< a consent is on record
    bool opted_out = false;                    ///< of this number, business-wide
    std::optional<std::string> instance = {};  ///< of the box that claimed it
    bool begun = false;                        ///< gw_begin_v1 said go in this round (status "sending")
    bool cancel_requested = false;             ///< too late to forbid it, early enough to try
    bool operator==(const Job&) const = default;
};
struct ClaimRequest {
    std::string request_id;
    int limit = 20;
    std::optional<std::chrono::seconds> horizon, lease;  ///< empty: the server decides, by whether the box is alone in its pool
};
struct ClaimAnswer {
    WallTime server_now{};
    std::vector<Job> jobs;
    std::vector<std::string> unread;  ///< rows that cannot be read: which, and what of it
    bool alone = true, fenced = false;
    std::optional<std::int64_t> next;  ///< of gw_mine_v1: ask again with `after`
    Instant requested_at{};            ///< when the request left; set by the client, for lease_deadline()
};

/// One row of gw_begin_v1 and gw_renew_v1.
struct BeginItem {
    std::int64_t id = 0, epoch = 0, revision = 0;
    std::string phone_number = {};  ///< normalised, for the opt-out test; empty: the row's own
    bool offline_ok = false;        ///< it may go without the answer, and is not kept waiting for it for long
};
struct BeginAnswer {
    std::int64_t id = 0;
    bool go = false;
    /// With no-go: "cancelled", "edited", "expired", "lease", "stale-epoch", "opted-out", "not-found", "state", "fenced",
    /// "begun-before" (through another instance of this box).
    std::string reason;
};
struct RenewAnswer {
    std::int64_t id = 0;
    bool held = false;
    std::optional<WallTime> lease_expires_at;
    std::string reason;  ///< as in BeginAnswer, when not held
    std::int64_t revision = 0;
    WallTime server_now{};
    Instant requested_at{};
};

/// Anything of the outbox for gw_report_v1: `body` is the JSON object of the event (API.md), `event_id` a UUID.
struct ReportItem {
    std::string event_id;
    std::string body;
};
/// An inbound message for gw_inbound_v1; `local_id` a UUID.
struct InboundItem {
    std::string local_id;
    std::string body;
};
enum class Verdict : std::uint8_t { applied, duplicate, stale_epoch, unknown_job, rejected };
std::optional<Verdict> parse_verdict(std::string_view text);
struct ItemVerdict {
    std::string id;
    Verdict verdict = Verdict::applied;
    std::string reason;
};

/// What gw_commands_v1 is asked for, and gives at most: those that cannot be obeyed yet hide none behind them.
constexpr std::size_t commands_a_page = 500;

struct Command {
    std::int64_t id = 0;
    std::string kind;
    std::optional<std::int64_t> job_id;
    std::int64_t epoch = 0;
    std::string payload;
};

}  // namespace conductor::sync
