#pragma once
// PostgREST through libcurl on Asio: the gw_*_v1 calls with login, refresh, back-off and a breaker. Decides by class of error
// (SUPABASE.md 8.8).
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "daemon/aio/aio.hpp"
#include "sync/plan/types.hpp"

namespace conductor::sync {

struct ClientSettings {
    std::string url;                ///< project URL without a path
    std::vector<std::string> keys;  ///< publishable keys, current first
    std::string email, password;    ///< the box's Auth user; or:
    std::string jwt;                ///< a minted JWT
    std::chrono::milliseconds timeout{30'000}, connect_timeout{10'000};
    std::string ca_file;  ///< empty = the system's
};

/// Where the calls stand, for `sync status`.
struct ClientStatus {
    bool connected = false;
    std::string last_error;  ///< empty when the last call succeeded
    std::uint64_t calls = 0, failures = 0;
    std::chrono::milliseconds clock_offset{0};  ///< server minus local wall clock, from the call with the smallest round trip
    std::chrono::milliseconds clock_error{0};   ///< half of that round trip
};

class Client {
public:
    Client(aio::Executor ex, Log log, ClientSettings settings);
    ~Client();                             ///< only when no call is pending
    void update(ClientSettings settings);  ///< rotated keys or credentials; used from the next call on

    aio::awaitable<Result<HelloAnswer>> hello(Hello request);
    aio::awaitable<Result<ClaimAnswer>> claim(ClaimRequest request);
    aio::awaitable<Result<ClaimAnswer>> mine();
    /// Go or no-go per job, and with no-go the reason (cancelled, edited, expired, lease, fenced).
    struct Begin {
        std::int64_t id, epoch, revision;
    };
    struct BeginAnswer {
        std::int64_t id;
        bool go;
        std::string reason;
    };
    aio::awaitable<Result<std::vector<BeginAnswer>>> begin(std::vector<Begin> jobs);
    struct Renewed {
        std::int64_t id;
        bool held;
        std::optional<WallTime> lease_expires_at;
    };
    aio::awaitable<Result<std::vector<Renewed>>> renew(std::vector<Begin> jobs, std::chrono::seconds lease);
    aio::awaitable<Result<std::vector<ItemVerdict>>> report(std::vector<ReportItem> items);
    aio::awaitable<Result<std::vector<ItemVerdict>>> inbound(std::vector<InboundItem> items);
    aio::awaitable<Result<std::vector<Command>>> commands();
    aio::awaitable<Result<void>> acknowledge(std::vector<std::int64_t> command_ids);

    const ClientStatus& status() const;
    /// How long to wait before the next attempt: full jitter, 1 s .. 5 min, or what Retry-After asked; zero after a success.
    std::chrono::milliseconds back_off() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace conductor::sync
