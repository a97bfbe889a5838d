#include "daemon/app/daemon.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/thread_pool.hpp>
#include <csignal>
#include <iostream>

#include "daemon/api/server.hpp"
#include "daemon/app/system.hpp"
#include "daemon/service/gateway.hpp"
#include "daemon/service/sync_service.hpp"

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
    if (!loaded.problems.empty()) return std::nullopt;
    return std::move(loaded.config);
}

/// A secret that may be absent: an empty name is none.
Result<std::string> secret(const std::string& name) {
    return name.empty() ? Result<std::string>{std::string{}} : read_secret(name);
}

Result<driver::ModemSettings> modem_settings(const config::Config& config, const config::Modem& modem) {
    driver::ModemSettings s{
        .index = modem.index, .imei = modem.imei, .iccid = modem.iccid, .imsi = modem.imsi, .usb = modem.usb, .port = modem.port};
    s.baud = modem.baud;
    s.delivery_reports = config.send.delivery_reports;
    s.scan = config.discovery.scan;
    if (!modem.pin_file.empty()) {
        auto pin = read_secret(modem.pin_file);
        if (!pin) return pin.error();
        s.pin = *pin;
    }
    return s;
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
    /// What the last run left: who this database is, and the modems with a submission open.
    struct Inherited {
        std::string instance;
        std::vector<ModemIndex> open;
    };
    Result<Inherited> inherit();
    Result<void> make_modems(const std::vector<ModemIndex>& open);
    Result<api::Tokens> tokens() const;
    awaitable<void> start();
    awaitable<void> serve();
    awaitable<void> watch_signals();
    awaitable<void> feed_watchdog();
    awaitable<void> modem_ended(std::size_t index);
    void stop(std::string_view why);
    void reload();

    config::Config config_;
    std::string path_;
    Log log_;
    Systemd systemd_;
    SystemClock clock_;
    asio::io_context io_{1};
    asio::thread_pool disk_{1};
    std::unique_ptr<store::Store> store_;
    std::unique_ptr<service::Context> context_;
    std::unique_ptr<service::Shared> shared_;
    std::vector<std::unique_ptr<service::ModemService>> modems_;
    std::unique_ptr<service::SyncService> sync_;
    std::unique_ptr<service::Gateway> gateway_;
    std::unique_ptr<api::Server> server_;
    std::vector<ModemIndex> listening_;
    std::size_t running_ = 0;
    int exit_code_ = 0;
};

Result<Daemon::Inherited> Daemon::inherit() {
    // read on the disk's thread like everything else, before any other coroutine runs
    std::random_device device;
    const auto word = [&device] { return std::uint64_t{device()} << 32 | device(); };
    const std::string fresh = service::format_uuid(word(), word(), 4);
    Result<Inherited> inherited = fail(AppErrc::system, "database");
    asio::co_spawn(
        io_,
        [](store::Store& store, std::string uuid, Result<Inherited>& out) -> awaitable<void> {
            auto job = [uuid](store::Tx& tx) {
                Inherited i{.instance = uuid};
                if (auto known = store::get_setting(tx, "instance"))
                    i.instance = *known;
                else
                    store::set_setting(tx, "instance", uuid);
                for (const auto& attempt : store::open_attempts(tx)) i.open.push_back(attempt.modem_index);
                return i;
            };
            out = co_await store.run(job);
        }(*store_, fresh, inherited),
        asio::detached);
    io_.run();
    io_.restart();
    return inherited;
}

Result<void> Daemon::make_modems(const std::vector<ModemIndex>& open) {
    for (const auto& modem : config_.modems) {
        auto settings = modem_settings(config_, modem);
        if (!settings) return settings.error();
        const auto name = "modem-" + std::to_string(modem.index);
        const auto kept = systemd_.kept().find(name);
        const int descriptor = kept == systemd_.kept().end() ? -1 : kept->second;
        const bool awaiting = descriptor >= 0 && std::ranges::find(open, modem.index) != open.end();
        if (awaiting) listening_.push_back(modem.index);
        modems_.push_back(std::make_unique<service::ModemService>(*context_, *shared_, modem, std::move(*settings), descriptor, awaiting));
        shared_->modems.push_back(modems_.back().get());
    }
    return {};
}

Result<api::Tokens> Daemon::tokens() const {
    if (!config_.http || config_.http->token_file.empty()) return api::Tokens{};
    const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
    auto text = read_file(config::secret_path(config_.http->token_file, directory ? directory : ""));
    if (!text) return text.error();
    return api::Tokens::parse(*text);
}

Result<void> Daemon::open() {
    if (auto locked = lock_file(config_.gateway.database + ".lock"); !locked) return locked;
    auto store = store::Store::open({.path = config_.gateway.database}, io_.get_executor(), disk_.get_executor());
    if (!store) return store.error();
    store_ = std::move(*store);
    auto inherited = inherit();
    if (!inherited) return inherited.error();
    auto env = std::make_shared<const service::Env>(service::Env{config_, inherited->instance});
    std::random_device device;
    context_ = std::make_unique<service::Context>(
        service::Context{io_.get_executor(), clock_, *store_, log_, std::move(env), std::mt19937_64{device()}});
    shared_ = std::make_unique<service::Shared>(io_.get_executor());
    shared_->keep_descriptor = [this](ModemIndex index, int descriptor) {
        const auto name = "modem-" + std::to_string(index);
        systemd_.forget(name);
        if (descriptor >= 0) systemd_.keep(name, descriptor);
    };
    if (auto made = make_modems(inherited->open); !made) return made;
    if (config_.supabase) {
        auto settings = client_settings(*config_.supabase);
        if (!settings) return settings.error();
        sync_ = std::make_unique<service::SyncService>(*context_, *shared_, std::move(*settings));
    }
    gateway_ = std::make_unique<service::Gateway>(*context_, *shared_, modems_, sync_.get());
    auto allowed = tokens();
    if (!allowed) return allowed.error();
    api::ServerOptions options{.socket = config_.gateway.socket};
    options.tokens = std::move(*allowed);
    if (config_.http) {
        options.listen = config_.http->listen;
        options.tls = !config_.http->tls_cert_file.empty();
    }
    server_ = std::make_unique<api::Server>(io_.get_executor(), log_, *gateway_, std::move(options));
    return {};
}

/// The listener, until the process ends: stop() makes run() return, and that is no failure.
awaitable<void> Daemon::serve() {
    co_await server_->run();
    while (shared_->stopping) co_await aio::sleep_for(std::chrono::hours{1});
}

awaitable<void> Daemon::modem_ended(std::size_t index) {
    co_await modems_[index]->run();
    if (--running_ > 0) co_return;
    server_->stop();
    auto flush = [](store::Tx&) {};  // takes everything with it that waits for a commit
    if (auto flushed = co_await store_->run(flush); !flushed) log_.error("flush-failed", {{"error", flushed.error().text()}});
    io_.stop();
}

awaitable<void> Daemon::start() {
    auto recovered = co_await gateway_->recover(listening_);
    if (!recovered) {
        log_.error("cannot-recover", {{"error", recovered.error().text()}});
        exit_code_ = 1;
        io_.stop();
        co_return;
    }
    for (auto& modem : modems_) co_await modem->restore();
    if (auto opened = server_->listen(); !opened) {
        log_.error("cannot-listen", {{"error", opened.error().text()}});
        exit_code_ = 1;
        io_.stop();
        co_return;
    }
    const auto ex = io_.get_executor();
    aio::supervise(ex, log_, "api", [this] { return serve(); });
    aio::supervise(ex, log_, "housekeeping", [this] { return gateway_->housekeeping(); });
    if (sync_) aio::supervise(ex, log_, "sync", [this] { return sync_->run(); });
    running_ = modems_.size();
    for (std::size_t i = 0; i < modems_.size(); ++i) asio::co_spawn(ex, modem_ended(i), asio::detached);
    if (systemd_.watchdog_period()) asio::co_spawn(ex, feed_watchdog(), asio::detached);
    systemd_.ready(fmt::format("{} modems configured", modems_.size()));
    log_.notice("started", {{"version", CONDUCTOR_VERSION}, {"gateway", config_.gateway.id}, {"modems", modems_.size()}});
}

awaitable<void> Daemon::feed_watchdog() {
    // this coroutine runs on the thread that everything runs on: when that hangs, the watchdog bites
    for (;;) {
        systemd_.feed_watchdog();
        if (!co_await aio::sleep_for(*systemd_.watchdog_period())) co_return;
    }
}

void Daemon::stop(std::string_view why) {
    log_.notice("stopping", {{"why", why}});
    systemd_.stopping();
    shared_->stopping = true;
    shared_->sync_wake.raise();
    for (auto& modem : modems_) modem->poke();
    if (running_ == 0) io_.stop();
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
    if (auto wanted = load(path_)) {
        const auto restart = config::needs_restart(config_, *wanted);
        for (const auto& section : restart) log_.warning("needs-restart", {{"section", section}});
        config::Config next = config_;
        const auto journal = next.send.journal;
        next.send = wanted->send;
        next.send.journal = journal;
        next.rules = wanted->rules;
        next.opt_out = wanted->opt_out;
        next.analytics = wanted->analytics;
        next.routes = wanted->routes;
        next.alarms = wanted->alarms;
        next.retention = wanted->retention;
        if (std::ranges::find(restart, "modem") == restart.end()) {
            next.modems = wanted->modems;
            for (const auto& modem : next.modems)
                for (auto& service : modems_)
                    if (service->index() == modem.index) service->reload(modem);
        }
        config_ = next;
        context_->env = std::make_shared<const service::Env>(service::Env{std::move(next), context_->env->instance});
        log_.notice("reloaded", {{"what", "configuration"}});
    } else {
        log_.error("reload-failed", {{"file", path_}, {"running_on", "the configuration before"}});
    }
    if (sync_ && config_.supabase) {
        auto settings = client_settings(*config_.supabase);
        if (settings)
            sync_->update(std::move(*settings));
        else
            log_.error("reload-failed", {{"error", settings.error().text()}});
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
