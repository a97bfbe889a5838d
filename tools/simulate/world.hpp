#pragma once
// A gateway in a world of its own: the daemon's code (service::House) on virtual time, simulated modems behind ports in memory, a disk that
// forgets what was not synced. The process can be killed, or its power cut, between any two steps or in the midst of a write, and starts
// again on what the disk kept. Everything follows from the seed.
#include <deque>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "daemon/service/house.hpp"
#include "modem/driver/finder.hpp"
#include "tools/modemsim/core/fleet.hpp"
#include "tools/simulate/clockwork.hpp"
#include "tools/simulate/disk.hpp"
#include "tools/simulate/port.hpp"

namespace conductor::simulate {

/// A cell of World::rows() as a number; 0 when it is none.
std::int64_t number(std::string_view cell);

struct WorldSettings {
    std::uint64_t seed = 1;
    modemsim::FleetOptions fleet;  ///< its seed is the world's
    /// Changes the configuration from its defaults: every modem by its port "pty:modemN", sends at any hour, to anybody.
    std::function<void(config::Config&)> configure;
    WallTime start = *parse_rfc3339("2026-11-24T17:00:00Z");  ///< a Tuesday, 09:00 in Los Angeles
    std::size_t chunk = 4096;                                 ///< most octets that one read of a port gives
    /// Modems are found by their IMEI among all ports of a folder, so that one may come back under another name.
    bool by_imei = false;
    std::vector<std::string> pins{};  ///< by modem; empty: none
    bool print = false;               ///< the trace goes to stderr as it grows
};

class World {
public:
    explicit World(WorldSettings settings);
    ~World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    // The process.
    void boot();                                           ///< starts it; it starts itself again after a crash
    void kill();                                           ///< SIGKILL
    void cut_power();                                      ///< and the disk forgets
    void stop();                                           ///< SIGTERM; it is started again `downtime` after it has ended
    void crash_after(std::uint64_t handlers, bool power);  ///< at the n-th step from now
    bool up() const { return process_ && process_->house && process_->running; }
    service::House* house() { return up() ? process_->house.get() : nullptr; }
    BootClock::duration downtime = std::chrono::seconds{2};
    std::function<void()> on_death;  ///< it has ended, one way or another
    int boots = 0, deaths = 0;

    // Time.
    /// Runs until `done()`; false when `limit` of virtual time has passed first.
    bool until(const std::function<bool()>& done, BootClock::duration limit);
    void pass(BootClock::duration d);
    void at(Instant when, std::function<void()> action) { script_.emplace(when, std::move(action)); }
    void after(BootClock::duration d, std::function<void()> action) { at(time_.now() + d, std::move(action)); }
    Instant now() const { return time_.now(); }
    SimClock& clock() { return clock_; }

    /// Calls the gateway and waits for its answer; empty when the process died or does not run.
    template <class T>
    std::optional<T> ask(std::function<aio::awaitable<T>(service::Gateway&)> call) {
        auto answer = std::make_shared<std::optional<T>>();
        if (!up()) return std::nullopt;
        const int life = boots;
        asio::co_spawn(process_->loop, keep(call(process_->house->gateway()), answer), asio::detached);
        until([&] { return answer->has_value() || boots != life || !process_; }, std::chrono::minutes{5});
        return std::move(*answer);
    }
    /// Calls the gateway; `then` gets the answer, unless the process dies before. False when it does not run.
    template <class T, class Call, class Then>
    bool tell(Call call, Then then) {
        if (!up()) return false;
        asio::co_spawn(process_->loop, hand_over<T, Then>(call(process_->house->gateway()), std::move(then)), asio::detached);
        return true;
    }

    // The rest of the world.
    modemsim::Fleet& fleet() { return fleet_; }
    nlohmann::json control(const nlohmann::json& request);  ///< modemsim's request; a refused one is a mistake of the caller
    const std::vector<modemsim::Submission>& taken() const { return taken_; }  ///< by the network, in order
    Port& port(std::size_t modem) { return *ports_[modem]; }
    Disk& disk() { return disk_; }
    std::function<BootClock::duration()> disk_delay;  ///< of one batch of the store
    const config::Config& config() const { return config_; }
    /// Runs SQL on the database as it is, through a connection of its own; each row as texts. Throws when it fails.
    std::vector<std::vector<std::string>> rows(const char* sql);

    // What happened.
    void note(const std::string& what);
    const std::deque<std::string>& trace() const { return trace_; }
    std::uint64_t handlers = 0;
    std::string spinning;  ///< not empty: something runs without end and no time passes

private:
    struct Process {
        explicit Process() : worker{loop} {}
        ~Process();
        Loop loop;
        SlowThread::State worker;
        std::unique_ptr<store::Store> store;
        std::unique_ptr<driver::Finder> finder;
        std::unique_ptr<service::House> house;
        bool running = false, ended = false;
    };
    template <class T>
    static aio::awaitable<void> keep(aio::awaitable<T> call, std::shared_ptr<std::optional<T>> answer) {
        answer->emplace(co_await std::move(call));
    }
    template <class T, class Then>
    static aio::awaitable<void> hand_over(aio::awaitable<T> call, Then then) {
        T answer = co_await std::move(call);
        then(std::move(answer));
    }
    aio::awaitable<void> begin(std::string uuid, std::uint64_t seed);
    aio::awaitable<Result<std::unique_ptr<port::ByteStream>>> open_port(std::string spec);
    bool step(Instant limit);
    void run_ready();
    void bury(const std::string& how);
    void ports_changed();
    std::vector<port::Candidate> candidates() const;

    WorldSettings settings_;
    std::mt19937_64 random_;
    VirtualTime time_;
    SimClock clock_;
    Disk disk_;
    modemsim::Fleet fleet_;
    std::vector<std::unique_ptr<Port>> ports_;
    std::uint64_t port_changes_ = 0;
    config::Config config_;
    std::multimap<Instant, std::function<void()>> script_;
    std::vector<modemsim::Submission> taken_;
    std::deque<std::string> trace_;
    Log log_;
    std::unique_ptr<Process> process_;
    std::optional<std::uint64_t> crash_in_;
    bool crash_cuts_power_ = false;
};

}  // namespace conductor::simulate
