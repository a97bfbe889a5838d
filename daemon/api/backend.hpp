#pragma once
// What the HTTP API needs from the daemon. daemon/service implements it; tests of the routes implement it with values.
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "daemon/aio/aio.hpp"
#include "daemon/core/message.hpp"

namespace conductor::api {

/// A request that was understood and refused, or could not be done: HTTP status, stable code, sentence, and the field it is about.
struct Refusal {
    int status = 500;
    std::string code;
    std::string message;
    std::string field;
    std::optional<MessageId> existing;  ///< the earlier message of a duplicate

    Refusal() = default;
    // Not an aggregate: else a json could initialise it, and no Answer<json> could be made from a json.
    Refusal(int s, std::string c, std::string m, std::string f = {}, std::optional<MessageId> e = {})
        : status{s}, code{std::move(c)}, message{std::move(m)}, field{std::move(f)}, existing{e} {}
};
[[noreturn]] void throw_exception_from_error(const Refusal& r, const boost::source_location&);
template <class T>
using Answer = boost::system::result<T, Refusal>;

/// Who asks: "uid:1000" on the socket, "token:NAME" on TCP.
struct Actor {
    std::string name;
};

struct Submitted {
    Message message;
    bool created = true;
};  ///< created: 202, else the same message for a known key: 200

struct ListQuery {
    std::optional<MessageStatus> status;
    std::optional<Direction> direction;
    std::optional<std::string> to;   ///< any written form
    std::optional<MessageId> after;  ///< cursor: messages older than this one
    int limit = 100;                 ///< 1-1000
};
struct Page {
    std::vector<Message> messages;
    std::optional<MessageId> next;
};

struct ClaimRequest {
    int limit = 10;
    std::string owner;
    std::chrono::seconds lease{60};
};

struct OptOut {
    std::string phone_number;
    bool active = true;
    std::string reason, actor;
    WallTime at{};
};

class Backend {
public:
    virtual ~Backend() = default;
    virtual aio::awaitable<Answer<Submitted>> submit(NewMessage message, Actor actor) = 0;
    /// One answer per message, in order; a bad one never fails the others. One commit.
    virtual aio::awaitable<std::vector<Answer<Submitted>>> submit_all(std::vector<NewMessage> messages, Actor actor) = 0;
    /// What would become of a text, with nothing stored: {"encoding", "segments", "units", "units_per_segment", "text",
    /// "replaced": [{"from", "to", "count"}]}; `text` is what would be sent.
    virtual Answer<nlohmann::json> preview(std::string_view text) const = 0;
    virtual aio::awaitable<Answer<Message>> message(MessageId id) = 0;
    /// {"message": to_json(), "blocked_by": reason word or null, "next": sentence, "priority": {part: number},
    /// "attempts": [{"started_at", "ended_at", "part", "modem_index", "outcome", "reason"}]}: what `conductorctl why` prints.
    virtual aio::awaitable<Answer<nlohmann::json>> explain(MessageId id) = 0;
    virtual aio::awaitable<Answer<Page>> list(ListQuery query) = 0;
    virtual aio::awaitable<Answer<Message>> cancel(MessageId id, Actor actor) = 0;
    virtual aio::awaitable<Answer<Message>> retry(MessageId id, Actor actor) = 0;
    virtual aio::awaitable<Answer<Message>> mark_read(MessageId id, Actor actor) = 0;
    virtual aio::awaitable<Answer<Page>> claim_inbox(ClaimRequest request) = 0;
    /// The whole queue, or one campaign where it is named.
    virtual aio::awaitable<Answer<void>> pause(bool paused, Actor actor, std::string campaign = {}) = 0;
    /// Array of {"index", "state", "reason", "reason_text", "operator", "signal_dbm", "iccid", "port", …}: these are the columns of
    /// `conductorctl modem list`; `modem show` prints every member.
    virtual nlohmann::json modems() const = 0;
    virtual Answer<nlohmann::json> modem(ModemIndex index) const = 0;
    /// action: enable, disable, reset, accept-sim
    virtual aio::awaitable<Answer<nlohmann::json>> modem_action(ModemIndex index, std::string action, Actor actor) = 0;
    /// `command` without "AT": "+CSQ". {"lines": […], "result": "OK"}
    virtual aio::awaitable<Answer<nlohmann::json>> modem_at(ModemIndex index, std::string command, Actor actor) = 0;
    /// {"text": "…"}
    virtual aio::awaitable<Answer<nlohmann::json>> modem_ussd(ModemIndex index, std::string code, Actor actor) = 0;
    virtual Answer<std::string> modem_trace(ModemIndex index) const = 0;
    /// {"ports": [{"port", "answer", "imei", "score", "modem_index", "suggestion", ...}], "hints": [{"device", "state", "text"}]}. With
    /// `ask` every port that no modem uses is asked first, for at most 20 s.
    virtual aio::awaitable<Answer<nlohmann::json>> discovery(bool ask, Actor actor) = 0;
    /// Identity, SIM, registration, storage and settings of the modem behind a port, whoever uses it: "findings" holds what it answered.
    virtual aio::awaitable<Answer<nlohmann::json>> probe_port(std::string name, Actor actor) = 0;
    virtual aio::awaitable<Answer<std::vector<OptOut>>> opt_outs() = 0;
    virtual aio::awaitable<Answer<OptOut>> set_opt_out(std::string number, bool active, std::string reason, Actor actor) = 0;
    virtual aio::awaitable<Answer<nlohmann::json>> consent(std::string number) = 0;
    virtual aio::awaitable<Answer<nlohmann::json>> set_consent(std::string number, nlohmann::json body, Actor actor) = 0;
    /// {"gateway": {"id", "pool", "version"}, "uptime_s", "paused", "queue": {"ready", "waiting", "sending", "next_at"}, "inbox":
    /// {"unread"}, "modems": as above, "since_start": {"accepted", …}, "clock": {"sure"}, "store": {"trouble"}, "sync": object or null}
    virtual aio::awaitable<Answer<nlohmann::json>> status() = 0;
    /// What a restored, downgraded or moved database holds goes on: {"released": count}.
    virtual aio::awaitable<Answer<nlohmann::json>> release_database(Actor actor) = 0;
    virtual aio::awaitable<Answer<nlohmann::json>> sync_status() = 0;
    virtual aio::awaitable<Answer<nlohmann::json>> sync_now(Actor actor) = 0;
    virtual nlohmann::json health() const = 0;  ///< {"ok": bool, …}: progress, not liveness
    virtual std::string metrics() const = 0;    ///< Prometheus text
};

}  // namespace conductor::api
