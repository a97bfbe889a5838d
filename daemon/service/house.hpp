#pragma once
// The gateway without its edges: modems, queue, housekeeping and sync on one executor and one store. conductord adds signals, systemd and
// the HTTP listener; the simulation adds a clock, a disk and modems of its own.
#include "daemon/service/gateway.hpp"
#include "daemon/service/sync_service.hpp"

namespace conductor::service {

/// What the process before left in the database.
struct Inherited {
    struct Open {
        ModemIndex modem = 0;
        WallTime since{};
    };
    std::string instance;                              ///< UUID of this database
    std::vector<Open> open = {};                       ///< submissions whose outcome is open
    std::optional<WallTime> newest = {};               ///< time that it holds
    std::string clock = {};                            ///< "boot-id offset": what kept_offset() reads
    std::map<ModemIndex, driver::Identity> last = {};  ///< which modem and SIM were last behind each index
};
/// Wall time minus BootClock when it was last sure, if `clock` is of this run of the machine.
std::optional<std::chrono::milliseconds> kept_offset(std::string_view clock, std::string_view boot_id);
/// Reads it; `fresh` becomes the instance of a database that has none, when recover() writes it.
aio::awaitable<Result<Inherited>> inherit(store::Store& store, std::string fresh);

/// What the driver must know of a modem. `pin`: the content of its pin_file, empty for none.
driver::ModemSettings modem_settings(const config::Config& config, const config::Modem& modem, std::string pin);

class House {
public:
    /// `clock` and `store` outlive it. `sync`: absent without Supabase. `seed`: for everything that is left to chance.
    House(aio::Executor executor, const Clock& clock, store::Store& store, Log log, config::Config config, Inherited inherited,
          std::optional<sync::ClientSettings> sync, std::uint64_t seed);

    Context& context() { return context_; }
    Shared& shared() { return shared_; }
    Gateway& gateway() { return gateway_; }
    std::vector<std::unique_ptr<ModemService>>& modems() { return modems_; }

    /// Before start(). `adopted`: its descriptor that outlived the process before, or -1.
    void add_modem(const config::Modem& modem, driver::ModemSettings settings, int adopted = -1);
    SyncService* sync() { return sync_.get(); }

    /// Settles what the process before left open. Nothing else may run before it; where the disk refuses, start() tries it again until it
    /// is done, and nothing is taken or sent before.
    aio::awaitable<Result<void>> recover();
    /// Starts modems, housekeeping and sync. `ended` is called after stop(), when every modem has ended and the last commit is on the disk.
    void start(std::function<void()> ended);
    /// No new submission; modems end after the result of the one on its way.
    void stop();
    /// Takes over what can change while it runs, and logs what needs a restart.
    void reload(const config::Config& wanted);
    /// The PIN of a modem's SIM, read anew; `problem`: why there is none.
    void set_pin(ModemIndex index, std::optional<std::string> pin, std::string problem);
    const config::Config& config() const { return context_.env->config; }

private:
    std::function<void(std::exception_ptr)> unless_thrown(std::string task, ModemIndex modem = -1);
    aio::awaitable<void> modem_ended(std::size_t index);
    aio::awaitable<void> recover_later();
    aio::awaitable<void> route_anew();

    Context context_;
    Shared shared_;
    Inherited inherited_;
    std::vector<ModemIndex> listening_;
    std::vector<std::unique_ptr<ModemService>> modems_;
    std::unique_ptr<SyncService> sync_;
    Gateway gateway_;
    std::size_t running_ = 0;
    std::function<void()> ended_;
};

}  // namespace conductor::service
