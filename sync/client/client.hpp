#pragma once
// PostgREST through libcurl on Asio: the gw_*_v1 calls with login, refresh, back-off and a breaker. Decides by class of error
// (SUPABASE.md 8.8).
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "daemon/aio/aio.hpp"
#include "sync/plan/backoff.hpp"
#include "sync/plan/timing.hpp"
#include "sync/plan/types.hpp"

namespace conductor::sync {

class HttpClient;

struct ClientSettings {
    std::string url;                ///< project URL without a path
    std::vector<std::string> keys;  ///< publishable keys, current first
    std::string email, password;    ///< the box's Auth user; or:
    std::string jwt;                ///< a minted JWT
    std::chrono::milliseconds timeout{30'000}, connect_timeout{10'000};
    std::chrono::milliseconds begin_timeout{3'000};  ///< of gw_begin_v1 in haste
    std::string ca_file;                             ///< empty = the system's
    std::string instance;  ///< id of this installation and machine: the newer of two boxes with one identity fences the older; empty: what
                           ///< hello names
    BackOffPolicy back_off;  ///< tests shorten it
};

enum class Patience : std::uint8_t { haste, full };

/// What a websocket needs of the login.
struct Access {
    std::string url, key, token;
};

/// Where the calls stand, for `sync status`.
struct ClientStatus {
    bool connected = false;
    std::string last_error;  ///< empty when the last call succeeded
    std::uint64_t calls = 0, failures = 0;
    std::chrono::milliseconds clock_offset{0};  ///< server minus local wall clock, from the call with the smallest round trip
    bool breaker_open = false;  ///< many failures in a row: calls fail at once until the next probe; the offline rule applies
    bool fenced = false;        ///< a newer box has this identity
    std::uint64_t logins = 0, refreshes = 0;
};

/// All calls run on the executor's one thread or strand, any number at a time. Each call refreshes the token or logs in when it must,
/// and does not retry otherwise: the caller waits back_off() and calls again. Every call may be repeated without harm.
class Client {
public:
    /// `wall` (optional, outlives the client) is only for ClientStatus::clock_offset.
    Client(aio::Executor ex, Log log, ClientSettings settings, const Clock* wall = nullptr);
    ~Client();                             ///< only when no call is pending
    void update(ClientSettings settings);  ///< rotated keys or credentials; used from the next call on, which is tried at once

    aio::awaitable<Result<HelloAnswer>> hello(Hello request);
    /// Repeated with the same request_id it returns the same rows. A fenced box gets SyncErrc::forbidden with where "fenced".
    aio::awaitable<Result<ClaimAnswer>> claim(ClaimRequest request);
    /// Everything this box holds, all pages of it. `adopt`: instances of this box that are no more ("*": all others); what they could send
    /// without asking and is not due yet becomes this one's.
    aio::awaitable<Result<ClaimAnswer>> mine(std::vector<std::string> adopt = {});
    /// Go or no-go per job, and with no-go the reason (cancelled, edited, expired, lease, fenced). At most 500. In haste it is waited for
    /// no longer than a modem should be idle (patience()); asked again, the server gives the same answer.
    using Begin = sync::BeginItem;
    using BeginAnswer = sync::BeginAnswer;
    aio::awaitable<Result<std::vector<BeginAnswer>>> begin(std::vector<Begin> jobs, Patience patience = Patience::full);
    std::chrono::milliseconds patience(Patience patience) const;
    using Renewed = sync::RenewAnswer;
    /// Empty lease: the server decides. At most 1000.
    aio::awaitable<Result<std::vector<Renewed>>> renew(std::vector<Begin> jobs, std::optional<std::chrono::seconds> lease = {});
    /// Verdicts in the items' order, one each: cut into requests of at most 100 items and 256 KB; a refused request is halved until its bad
    /// item is alone, which is then `rejected`. An error means that nothing is known of the items: send the same ones again.
    aio::awaitable<Result<std::vector<ItemVerdict>>> report(std::vector<ReportItem> items);
    aio::awaitable<Result<std::vector<ItemVerdict>>> inbound(std::vector<InboundItem> items);
    /// A page of those that are not acknowledged, of ids above `after`.
    aio::awaitable<Result<std::vector<Command>>> commands(std::int64_t after = 0);
    aio::awaitable<Result<void>> acknowledge(std::vector<std::int64_t> command_ids);

    /// A token that lives for a while, and where it is good; `refused`: a token that was not accepted, and is renewed; or
    /// empty.
    aio::awaitable<Result<Access>> access(std::string refused);
    /// For connections that are no calls.
    HttpClient& http();

    const ClientStatus& status() const;
    /// How long to wait before the next attempt: full jitter up to 5 min (30 s where nobody answered), or what Retry-After asked; zero
    /// after a success.
    std::chrono::milliseconds back_off() const;
    /// A person asked for it: the next call is tried at once.
    void reset_back_off();
    /// What time it is at the server; empty before the first answer.
    const ServerClock& server_clock() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace conductor::sync
