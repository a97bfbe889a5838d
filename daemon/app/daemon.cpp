#include "daemon/app/daemon.hpp"

#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/thread_pool.hpp>
#include <csignal>
#include <iostream>
#include <set>

#include "daemon/api/server.hpp"
#include "daemon/app/system.hpp"
#include "daemon/service/house.hpp"
#include "daemon/store/db_file.hpp"
#include "modem/driver/finder.hpp"

namespace conductor::app {
namespace {

using aio::awaitable;

std::optional<config::Config> load(const std::string& path) {
    const auto text = read_file(path);
    if (!text) {
        std::cerr << text.error().text() << '\n';
        return std::nullopt;
    }
    auto loaded = config::parse(*text, path);
    for (const auto& problem : loaded.problems) std::cerr << problem.text() << '\n';
    for (const auto& warning : loaded.warnings) std::cerr << "warning: " << warning.text() << '\n';
    if (!loaded.problems.empty()) return std::nullopt;
    return std::move(loaded.config);
}

constexpr const char* no_pin = " holds no PIN: 4 to 8 digits on its first line";

/// A secret that may be absent: an empty name is none.
Result<std::string> secret(const std::string& name) {
    return name.empty() ? Result<std::string>{std::string{}} : read_secret(name);
}

struct Pin {
    std::optional<std::string> digits;
    std::string problem;  ///< why there is none though a file is named; for people
};

/// A secret that cannot be read, or is no PIN, must not keep the rest down: its modem says so if its SIM asks for a PIN, the others work.
Pin read_pin(const config::Modem& modem, const Log& log) {
    if (modem.pin_file.empty()) return {};
    auto pin = read_secret(modem.pin_file);
    if (!pin) {
        log.error("secret-unreadable", {{"modem", modem.index}, {"error", pin.error().text()}, {"remedy", "mend it and reload"}});
        return {.digits = {}, .problem = "pin_file " + modem.pin_file + " cannot be read, or is empty"};
    }
    if (config::is_pin(*pin)) return {.digits = std::move(*pin), .problem = {}};
    log.error("bad-pin", {{"modem", modem.index}, {"pin_file", modem.pin_file}, {"remedy", "mend it and reload"}});
    return {.digits = {}, .problem = "pin_file " + modem.pin_file + no_pin};
}

driver::ModemSettings modem_settings(const config::Config& config, const config::Modem& modem, const Log& log) {
    Pin pin = read_pin(modem, log);
    auto settings = service::modem_settings(config, modem, pin.digits.value_or(""));
    settings.pin_problem = std::move(pin.problem);
    return settings;
}

/// What --check finds in the PINs' files that this user can read; a service's credentials are looked for where the unit loads them from.
bool pins_are_good(const config::Config& config, const std::string& path) {
    const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
    bool good = true;
    for (const config::Modem& modem : config.modems) {
        if (modem.pin_file.empty()) continue;
        const auto pin = read_secret(config::secret_path(modem.pin_file, directory ? directory : "/etc/conductor/credentials"));
        const std::string where = fmt::format("{}: modem[{}].pin_file: {}", path, modem.index, modem.pin_file);
        if (!pin) std::cerr << "warning: " << where << " is empty, or cannot be read here; it was not checked\n";
        if (!pin || config::is_pin(*pin)) continue;
        std::cerr << where << no_pin << '\n';
        good = false;
    }
    return good;
}

Result<sync::ClientSettings> client_settings(const config::Supabase& supabase) {
    sync::ClientSettings s{.url = supabase.url};
    auto keys =
        read_file(config::secret_path(supabase.key_file, std::getenv("CREDENTIALS_DIRECTORY") ? std::getenv("CREDENTIALS_DIRECTORY") : ""));
    if (!keys) return fail(AppErrc::bad_secret, supabase.key_file);
    for (std::size_t at = 0; at < keys->size();) {  // one key a line: current, next
        const auto end = std::min(keys->find('\n', at), keys->size());
        if (end > at) s.keys.push_back(keys->substr(at, end - at));
        at = end + 1;
    }
    if (!supabase.jwt_file.empty()) {
        auto jwt = secret(supabase.jwt_file);
        if (!jwt) return jwt.error();
        s.jwt = *jwt;
        return s;
    }
    auto user = read_file(
        config::secret_path(supabase.user_file, std::getenv("CREDENTIALS_DIRECTORY") ? std::getenv("CREDENTIALS_DIRECTORY") : ""));
    if (!user) return fail(AppErrc::bad_secret, supabase.user_file);
    const auto line = user->find('\n');
    if (line == std::string::npos) return fail(AppErrc::bad_secret, supabase.user_file + ": e-mail and password on two lines");
    s.email = user->substr(0, line);
    s.password = user->substr(line + 1, user->find_first_of("\r\n", line + 1) - line - 1);
    return s;
}

/// Everything that lives while the daemon runs. Members are destroyed in the reverse order of what needs what.
class Daemon {
public:
    Daemon(config::Config config, std::string path, Log log) : config_{std::move(config)}, path_{std::move(path)}, log_{std::move(log)} {}
    int run();

private:
    Result<void> open();
    service::Inherited inherit(std::string fresh);
    void make_modems();
    awaitable<void> look_for_credentials();
    Result<api::Tokens> tokens() const;
    awaitable<void> start();
    awaitable<void> serve();
    awaitable<void> watch_signals();
    awaitable<void> feed_watchdog();
    void stop(std::string_view why);
    void reload();

    config::Config config_;
    std::string path_;
    Log log_;
    Systemd systemd_;
    LongStart long_start_{systemd_};
    SystemClock clock_;
    asio::io_context io_{1};
    /// Without it the disk's thread may drop the last piece of work between inherit() and run(): a context without work stops, and run()
    /// would return before anything began. stop() alone ends it.
    asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
    asio::thread_pool disk_{1};
    std::unique_ptr<store::Store> store_;
    std::unique_ptr<driver::Finder> finder_;
    std::unique_ptr<service::House> house_;
    std::unique_ptr<api::Server> server_;
    int exit_code_ = 0;
};

/// A database that cannot be read now leaves nothing: Gateway::recover() looks again when it can.
service::Inherited Daemon::inherit(std::string fresh) {
    // read on the disk's thread like everything else, before any other coroutine runs
    service::Inherited inherited{.instance = fresh};
    bool done = false;
    asio::co_spawn(
        io_,
        [](store::Store& store, std::string uuid, service::Inherited& out, bool& ended) -> awaitable<void> {
            auto found = co_await service::inherit(store, std::move(uuid));
            if (found) out = std::move(*found);
            ended = true;
        }(*store_, std::move(fresh), inherited, done),
        asio::detached);
    while (!done && io_.run_one() > 0) {}
    io_.restart();
    return inherited;
}

void Daemon::make_modems() {
    std::set<std::string> adopted;
    for (const auto& modem : config_.modems) {
        const auto kept = systemd_.kept().find("modem-" + std::to_string(modem.index));
        house_->add_modem(modem, modem_settings(config_, modem, log_), kept == systemd_.kept().end() ? -1 : kept->second);
        if (kept != systemd_.kept().end()) adopted.insert(kept->first);
    }
    // a port of a modem that has another number now, or none, would stay locked by ourselves
    for (const auto& [name, descriptor] : systemd_.kept()) {
        if (adopted.contains(name)) continue;
        log_.notice("kept-port-closed", {{"name", name}});
        ::close(descriptor);
        systemd_.forget(name);
    }
}

Result<api::Tokens> Daemon::tokens() const {
    if (!config_.http || config_.http->token_file.empty()) return api::Tokens{};
    const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
    auto text = read_file(config::secret_path(config_.http->token_file, directory ? directory : ""));
    if (!text) return text.error();
    return api::Tokens::parse(*text);
}

Result<void> Daemon::open() {
    const std::string database = store::real_path(config_.gateway.database);
    if (auto locked = lock_file(database + ".lock"); !locked) return locked;
    auto store = store::Store::open({.path = database,
                                     .opt_outs = store::opt_outs_path(database),
                                     .witness = store::witness_path(database),
                                     .machine = store::machine_id()},
                                    io_.get_executor(), disk_.get_executor());
    if (!store) return store.error();
    store_ = std::move(*store);
    std::random_device device;
    const auto word = [&device] { return std::uint64_t{device()} << 32 | device(); };
    auto inherited = inherit(service::format_uuid(word(), word(), 4));
    if (inherited.newest) clock_.judge().not_before(*inherited.newest);
    const std::string boot_id = store::boot_id();
    if (const auto offset = service::kept_offset(inherited.clock, boot_id)) clock_.judge().trusted_before(*offset);
    std::optional<sync::ClientSettings> supabase;
    if (config_.supabase) {
        auto settings = client_settings(*config_.supabase);
        if (settings)
            supabase = std::move(*settings);
        else  // messages go out without it; look_for_credentials() tries again
            log_.error("secret-unreadable", {{"what", "supabase"}, {"error", settings.error().text()}});
        if (!supabase) supabase = sync::ClientSettings{.url = config_.supabase->url};
    }
    house_ = std::make_unique<service::House>(io_.get_executor(), clock_, *store_, log_, config_, std::move(inherited), std::move(supabase),
                                              word());
    house_->shared().told_time = [this](TimeSource source, Instant at, WallTime time) { clock_.judge().told(source, at, time); };
    house_->shared().clock_state = [this] { return clock_.state(); };
    house_->shared().boot_id = boot_id;
    house_->shared().in_background = run_in_background;
    house_->shared().keep_descriptor = [this](ModemIndex index, int descriptor) {
        const auto name = "modem-" + std::to_string(index);
        systemd_.forget(name);
        if (descriptor >= 0) systemd_.keep(name, descriptor);
    };
    driver::FinderOptions finder;
    finder.scan = config_.discovery.scan;
    for (const auto& modem : config_.modems)
        if (!modem.port.empty()) finder.ports.push_back(modem.port);
    finder_ = std::make_unique<driver::Finder>(io_.get_executor(), log_, std::move(finder));
    house_->shared().finder = finder_.get();
    make_modems();
    auto allowed = tokens();
    api::ServerOptions options{.socket = config_.gateway.socket};
    if (!allowed)
        log_.error(
            "secret-unreadable",
            {{"what", "http"}, {"error", allowed.error().text()}, {"until_then", "the socket alone"}, {"remedy", "mend it and restart"}});
    else
        options.tokens = std::move(*allowed);
    if (config_.http && allowed) {
        options.listen = config_.http->listen;
        options.tls = !config_.http->tls_cert_file.empty();
    }
    server_ = std::make_unique<api::Server>(io_.get_executor(), log_, house_->gateway(), std::move(options));
    return {};
}

/// Supabase's credentials could not be read at the start.
awaitable<void> Daemon::look_for_credentials() {
    while (house_->sync() && !house_->sync()->usable()) {
        if (!co_await aio::sleep_for(std::chrono::minutes{1})) co_return;
        if (house_->sync()->usable() || !config_.supabase) co_return;
        if (auto settings = client_settings(*config_.supabase)) house_->sync()->update(std::move(*settings));
    }
}

/// The listener, until the process ends: stop() makes run() return, and that is no failure.
awaitable<void> Daemon::serve() {
    co_await server_->run();
    while (house_->shared().stopping) co_await aio::sleep_for(std::chrono::hours{1});
}

awaitable<void> Daemon::start() {
    auto recovered = co_await house_->recover();
    if (!recovered)  // it answers, receives nothing that it cannot store, and sends nothing until the database takes it
        log_.error("cannot-recover", {{"error", recovered.error().text()}, {"technician", store_->needs_technician()}});
    if (auto opened = server_->listen(); !opened) {
        log_.error("cannot-listen", {{"error", opened.error().text()}});
        exit_code_ = 1;
        io_.stop();
        co_return;
    }
    const auto ex = io_.get_executor();
    aio::supervise(ex, log_, "api", [this] { return serve(); });
    asio::co_spawn(ex, finder_->run(), asio::detached);
    house_->start([this] {
        server_->stop();
        io_.stop();
    });
    if (house_->sync() && !house_->sync()->usable()) asio::co_spawn(ex, look_for_credentials(), asio::detached);
    if (systemd_.watchdog_period()) asio::co_spawn(ex, feed_watchdog(), asio::detached);
    long_start_.end();
    systemd_.ready(fmt::format("{} modems configured", config_.modems.size()));
    log_.notice("started", {{"version", CONDUCTOR_VERSION}, {"gateway", config_.gateway.id}, {"modems", config_.modems.size()}});
}

awaitable<void> Daemon::feed_watchdog() {
    // this coroutine runs on the thread that everything runs on: when that hangs, the watchdog bites
    const auto period = *systemd_.watchdog_period();
    for (;;) {
        systemd_.feed_watchdog();
        const bool slept = co_await aio::sleep_for(period);
        if (!slept) co_return;
    }
}

void Daemon::stop(std::string_view why) {
    log_.notice("stopping", {{"why", why}});
    systemd_.stopping();
    finder_->stop();
    house_->stop();
}

awaitable<void> Daemon::watch_signals() {
    asio::signal_set signals{io_, SIGTERM, SIGINT, SIGHUP};
    for (;;) {
        const auto [ec, number] = co_await signals.async_wait(aio::as_value);
        if (ec) co_return;
        if (number != SIGHUP) {
            stop(number == SIGTERM ? "SIGTERM" : "SIGINT");
            continue;
        }
        systemd_.reloading();
        reload();
        systemd_.ready("reloaded");
    }
}

/// SIGHUP: secrets always, and of the configuration what can change while it runs. A file with problems changes nothing.
void Daemon::reload() {
    clock_.judge().confirm(clock_.look());  // whoever reloads has looked at the box
    if (auto wanted = load(path_)) {
        house_->reload(*wanted);
        config_ = house_->config();
    } else {
        log_.error("reload-failed", {{"file", path_}, {"running_on", "the configuration before"}});
    }
    if (house_->sync() && config_.supabase) {
        auto settings = client_settings(*config_.supabase);
        if (settings)
            house_->sync()->update(std::move(*settings));
        else
            log_.error("reload-failed", {{"error", settings.error().text()}});
    }
    for (const config::Modem& modem : config_.modems) {
        Pin pin = read_pin(modem, log_);
        house_->set_pin(modem.index, std::move(pin.digits), std::move(pin.problem));
    }
    if (auto fresh = tokens(); fresh)
        server_->set_tokens(std::move(*fresh));
    else
        log_.error("reload-failed", {{"error", fresh.error().text()}});
    log_.notice("reloaded", {{"what", "secrets"}});
}

int Daemon::run() {
    if (auto opened = open(); !opened) {
        log_.error("cannot-start", {{"error", opened.error().text()}});
        return 1;
    }
    asio::co_spawn(io_, start(), asio::detached);
    asio::co_spawn(io_, watch_signals(), asio::detached);
    io_.run();
    disk_.join();  // what was handed to the disk is on it
    log_.notice("stopped", {{"code", exit_code_}});
    // What must last is committed. Coroutines that still wait (connections, timers) end with the process: they hold nothing that needs a
    // destructor's work, and unwinding them in an order that suits all of them would only add a way to hang.
    std::_Exit(exit_code_);
}

}  // namespace

int run(const Options& options) {
    auto config = load(options.config);
    if (!config) return 2;
    if (options.check) {
        if (!pins_are_good(*config, options.config)) return 2;
        std::cout << options.config << ": no problems\n";
        return 0;
    }
    ::signal(SIGPIPE, SIG_IGN);
    const Log log = make_log(config->log.level);
    try {
        Daemon daemon{std::move(*config), options.config, log};
        return daemon.run();
    } catch (const std::exception& e) {
        log.error("crashed", {{"what", e.what()}});
        return 1;
    }
}

}  // namespace conductor::app
