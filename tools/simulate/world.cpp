#include "tools/simulate/world.hpp"

#include <unistd.h>

#include <charconv>
#include <iostream>
#include <nlohmann/json.hpp>

namespace conductor::simulate {
namespace {

constexpr std::size_t trace_limit = 4000;
constexpr int spin_limit = 2'000'000;
constexpr const char* database = "conductor.db";

modemsim::FleetOptions with_seed(modemsim::FleetOptions options, std::uint64_t seed) {
    options.seed = seed;
    return options;
}

}  // namespace

std::int64_t number(std::string_view cell) {
    std::int64_t value = 0;
    std::from_chars(cell.data(), cell.data() + cell.size(), value);
    return value;
}

/// First what waits is destroyed, while all it refers to still lives; then that.
World::Process::~Process() {
    loop.abandon();
    store.reset();
    loop.abandon();
    house.reset();
}

World::World(WorldSettings settings)
    : settings_{std::move(settings)},
      random_{settings_.seed},
      clock_{time_, settings_.start},
      disk_{settings_.seed * 31 + 7},
      fleet_{clock_, with_seed(settings_.fleet, settings_.seed)} {
    config_.gateway.id = "box-1";
    config_.gateway.database = database;
    config_.send.window = {0, 1440};
    config_.send.days = 0b1111111;
    config_.opt_out.brand = "Example Shop";
    for (const auto& modem : fleet_.modems()) {
        config::Modem m{.index = modem->index()};
        if (settings_.by_imei)
            m.imei = modem->imei();
        else
            m.port = "pty:" + modem->link();
        m.per_minute = m.per_hour = m.per_day = 0;
        config_.modems.push_back(m);
        ports_.push_back(std::make_unique<Port>(*modem, settings_.chunk));
        if (settings_.by_imei) ports_.back()->on_change = [this] { ports_changed(); };
    }
    if (settings_.configure) settings_.configure(config_);
    fleet_.network().on_submission = [this](const modemsim::Submission& s) {
        taken_.push_back(s);
        note("network: modem " + std::to_string(s.modem) + " to " + s.to + " #" + std::to_string(s.id) + " " + s.text.substr(0, 12) +
             (s.concat ? " part " + std::to_string(s.concat->seq) : "") + (s.answered ? " -> " + s.answer : " unanswered"));
    };
    log_ = Log{std::make_shared<const Log::Sink>([this](Level, std::string_view line) { note("daemon: " + std::string{line}); }),
               settings_.print ? Level::debug : Level::info};
}

World::~World() {
    bury("end");
}

void World::note(const std::string& what) {
    const auto ms = std::chrono::floor<std::chrono::milliseconds>(time_.now().time_since_epoch());
    std::string line = fmt::format("{:>10}.{:03} {} {}", ms.count() / 1000, ms.count() % 1000, to_rfc3339(clock_.truth()), what);
    if (settings_.print) std::cerr << line << '\n';
    trace_.push_back(std::move(line));
    if (trace_.size() > trace_limit) trace_.pop_front();
}

/// What inotify and udev tell the daemon.
void World::ports_changed() {
    ++port_changes_;
    if (process_ && process_->finder) process_->finder->refresh();
}

std::vector<port::Candidate> World::candidates() const {
    std::vector<port::Candidate> all;
    for (const auto& port : ports_) {
        if (!port->plugged()) continue;
        port::Candidate one;
        one.name = one.path = "pty:" + port->name();
        one.incarnation = std::to_string(port_changes_);
        all.push_back(std::move(one));
    }
    return all;
}

nlohmann::json World::control(const nlohmann::json& request) {
    auto answer = fleet_.control(request);
    note("control: " + request.dump());
    if (!answer.value("ok", false)) throw std::logic_error{request.dump() + ": " + answer.dump()};
    return answer;
}

aio::awaitable<Result<std::unique_ptr<port::ByteStream>>> World::open_port(std::string spec) {
    const auto slash = spec.find_last_of(":/");
    const std::string name = slash == std::string::npos ? spec : spec.substr(slash + 1);
    for (const auto& port : ports_)
        if (port->name() == name) co_return port->open(process_->loop.get_executor());
    co_return fail(port::PortErrc::not_found, std::move(spec));
}

aio::awaitable<void> World::begin(std::string uuid, std::uint64_t seed) {
    Process& p = *process_;
    auto inherited = co_await service::inherit(*p.store, std::move(uuid));
    if (!inherited) {
        note("boot: " + inherited.error().text());
        p.ended = true;
        co_return;
    }
    p.house =
        std::make_unique<service::House>(p.loop.get_executor(), clock_, *p.store, log_, config_, std::move(*inherited), std::nullopt, seed);
    p.house->shared().open_port = [this](std::string spec, port::PortSettings) { return open_port(std::move(spec)); };
    if (settings_.by_imei) {
        driver::FinderOptions options;
        options.hotplug = false;
        options.opener = p.house->shared().open_port;
        options.candidates = [this] { return candidates(); };
        p.finder = std::make_unique<driver::Finder>(p.loop.get_executor(), log_, std::move(options));
        p.house->shared().finder = p.finder.get();
        asio::co_spawn(p.loop, p.finder->run(), asio::detached);
    }
    for (std::size_t i = 0; i < config_.modems.size(); ++i)
        p.house->add_modem(config_.modems[i],
                           service::modem_settings(config_, config_.modems[i], i < settings_.pins.size() ? settings_.pins[i] : ""));
    auto recovered = co_await p.house->recover();
    if (!recovered) {
        note("boot: " + recovered.error().text());
        p.ended = true;
        co_return;
    }
    p.house->start([&p] { p.ended = true; });
    p.running = true;
}

void World::boot() {
    if (process_) return;
    disk_.restart();
    ++boots;
    note("boot " + std::to_string(boots));
    process_ = std::make_unique<Process>();
    process_->worker.delay = [this] { return disk_delay ? disk_delay() : BootClock::duration::zero(); };
    auto opened = store::Store::open({.path = database, .vfs = Disk::vfs}, process_->loop.get_executor(), SlowThread{process_->worker});
    if (!opened) {
        note("boot: " + opened.error().text());
        return bury("cannot start");
    }
    process_->store = std::move(*opened);
    const auto high = random_();
    asio::co_spawn(process_->loop, begin(service::format_uuid(high, random_(), 4), random_()), asio::detached);
}

/// The process is gone; systemd starts it again.
void World::bury(const std::string& how) {
    if (!process_) return;
    note("process: " + how);
    crash_in_.reset();
    disk_.process_dies();
    process_.reset();
    ++deaths;
    if (how == "end") return;
    if (on_death) on_death();
    after(downtime, [this] { boot(); });
}

void World::kill() {
    bury("killed");
}

void World::cut_power() {
    if (!process_) return;
    disk_.power_fails();
    bury("power cut");
}

void World::stop() {
    if (!up()) return;
    note("process: SIGTERM");
    if (process_->finder) process_->finder->stop();
    process_->house->stop();
}

void World::crash_after(std::uint64_t n, bool power) {
    crash_in_ = n;
    crash_cuts_power_ = power;
}

void World::run_ready() {
    int spent = 0;
    while (process_ && process_->loop.run_one_ready()) {
        ++handlers;
        if (disk_.stopped()) return bury("stopped in the midst of a write");
        if (process_->ended) return bury("ended");
        if (crash_in_ && (*crash_in_ == 0 || --*crash_in_ == 0)) {
            if (crash_cuts_power_) return cut_power();
            return kill();
        }
        if (++spent > spin_limit) {
            spinning = "handlers run without end";
            return bury("spins");
        }
    }
}

/// To the next thing that happens; false when nothing does until `limit`.
bool World::step(Instant limit) {
    run_ready();
    Instant next = process_ ? process_->loop.next() : Instant::max();
    if (!script_.empty()) next = std::min(next, script_.begin()->first);
    if (const auto due = fleet_.scheduler().next()) next = std::min(next, *due);
    if (next > limit) {
        time_.move_to(limit);
        return false;
    }
    time_.move_to(next);
    while (!script_.empty() && script_.begin()->first <= time_.now()) {
        const auto action = std::move(script_.extract(script_.begin()).mapped());
        action();
    }
    fleet_.scheduler().run_due();
    if (process_ && process_->loop.next() <= time_.now()) process_->loop.look_at_clock();
    return true;
}

bool World::until(const std::function<bool()>& done, BootClock::duration limit) {
    const Instant end = time_.now() + limit;
    while (!done()) {
        if (!spinning.empty()) return false;
        if (!step(end)) {
            run_ready();
            return done();
        }
    }
    return true;
}

void World::pass(BootClock::duration d) {
    until([] { return false; }, d);
}

std::vector<std::vector<std::string>> World::rows(const char* sql) {
    sqlite3* raw = nullptr;
    const int code = sqlite3_open_v2(database, &raw, SQLITE_OPEN_READWRITE, Disk::vfs);
    const store::Db db{raw};
    if (code != SQLITE_OK) throw std::runtime_error{"the database cannot be opened"};
    sqlite3_stmt* prepared = nullptr;
    if (sqlite3_prepare_v2(raw, sql, -1, &prepared, nullptr) != SQLITE_OK) throw std::runtime_error{sqlite3_errmsg(raw)};
    const store::Stmt statement{prepared};
    std::vector<std::vector<std::string>> out;
    int stepped = SQLITE_ROW;
    while ((stepped = sqlite3_step(prepared)) == SQLITE_ROW) {
        std::vector<std::string> row;
        for (int c = 0; c < sqlite3_column_count(prepared); ++c) {
            const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(prepared, c));
            row.emplace_back(text ? text : "");
        }
        out.push_back(std::move(row));
    }
    if (stepped != SQLITE_DONE) throw std::runtime_error{sqlite3_errmsg(raw)};
    return out;
}

}  // namespace conductor::simulate
