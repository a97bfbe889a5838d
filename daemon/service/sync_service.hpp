#pragma once
// Supabase's side of the daemon: claims what is due, tells what became of it, brings inbound messages. The send path never waits for it.
#include <nlohmann/json_fwd.hpp>

#include "daemon/service/go_ahead.hpp"
#include "daemon/service/intake.hpp"
#include "daemon/service/shared.hpp"
#include "sync/client/doorbell.hpp"

namespace conductor::service {

class SyncService {
public:
    SyncService(Context& context, Shared& shared, sync::ClientSettings settings);
    aio::awaitable<void> run();
    /// Run beside it.
    GoAhead& go_ahead() { return go_ahead_; }
    sync::Doorbell& doorbell() { return doorbell_; }
    void update(sync::ClientSettings settings) {
        usable_ = !settings.keys.empty();
        client_.update(std::move(settings));
        doorbell_.renew();
        now();
    }
    /// It has a key to knock with. Without one (the file could not be read) it waits for update().
    bool usable() const { return usable_; }
    void now() {
        asked_ = true;
        shared_.sync_wake.raise();
    }
    /// Who is this box, and what is its? Asked anew.
    void greet_again() {
        greeted_ = false;
        now();
    }
    nlohmann::json status() const;

private:
    static constexpr std::int64_t high_water = 2000;  ///< outbox rows above which a box confesses before it takes more

    std::size_t able_modems() const;
    void tell_time();
    void listen();
    aio::awaitable<void> rest();
    aio::awaitable<bool> greet();
    aio::awaitable<Result<sync::Hello>> introduction();
    aio::awaitable<bool> take_what_is_ours();
    aio::awaitable<void> give_up_unsent();
    aio::awaitable<bool> round(bool rung, bool asked);
    aio::awaitable<void> tell_heartbeat();
    aio::awaitable<bool> upload(store::Stream stream);
    aio::awaitable<bool> obey_commands();
    aio::awaitable<bool> claim();
    std::chrono::seconds lease() const;
    aio::awaitable<bool> keep_leases();
    aio::awaitable<Instant> next_renewal();
    aio::awaitable<Result<void>> give_up_held(std::vector<std::int64_t> ours);
    aio::awaitable<Result<void>> take_jobs(sync::ClaimAnswer answer);
    aio::awaitable<Result<std::vector<std::int64_t>>> obey(std::vector<sync::Command> commands);

    Context& context_;
    Shared& shared_;
    Log log_;
    bool usable_;
    sync::Client client_;
    GoAhead go_ahead_;
    sync::Doorbell doorbell_;
    std::vector<std::string> topics_;  ///< that hello named
    bool greeted_ = false, asked_ = false, rung_ = false, alone_ = true;
    std::string generation_, word_;
    Instant next_poll_{}, next_hello_{}, next_heartbeat_{};
    Instant able_at_{};  ///< when a modem could send last
    std::int64_t waiting_ = 0, dead_ = 0;
    std::uint64_t claimed_ = 0, told_ = 0;
    std::optional<WallTime> last_success_;
};

}  // namespace conductor::service
