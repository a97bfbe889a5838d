#include "daemon/service/house.hpp"

#include <algorithm>
#include <charconv>

#include "modem/driver/probe.hpp"

namespace conductor::service {

aio::awaitable<Result<Inherited>> inherit(store::Store& store, std::string fresh) {
    auto job = [fresh = std::move(fresh)](store::Tx& tx) {
        Inherited inherited{.instance = store::get_setting(tx, "instance").value_or(fresh)};
        for (const auto& attempt : store::open_attempts(tx)) inherited.open.push_back({attempt.modem_index, attempt.started_at});
        inherited.newest = store::newest_time(tx);
        inherited.clock = store::get_setting(tx, clock_setting).value_or("");
        for (int index = 0; index <= 63; ++index)  // [[modem]] index
            if (const auto last = store::get_setting(tx, last_setting(index))) inherited.last[index] = read_last(*last);
        return inherited;
    };
    co_return co_await store.read(job);
}

std::optional<std::chrono::milliseconds> kept_offset(std::string_view clock, std::string_view boot_id) {
    if (boot_id.empty() || !clock.starts_with(boot_id) || clock.size() < boot_id.size() + 2 || clock[boot_id.size()] != ' ')
        return std::nullopt;
    const std::string_view number = clock.substr(boot_id.size() + 1);
    std::int64_t ms = 0;
    const auto [end, bad] = std::from_chars(number.data(), number.data() + number.size(), ms);
    if (bad != std::errc{} || end != number.data() + number.size()) return std::nullopt;
    return std::chrono::milliseconds{ms};
}

driver::ModemSettings modem_settings(const config::Config& config, const config::Modem& modem, std::string pin) {
    driver::ModemSettings s{
        .index = modem.index, .imei = modem.imei, .iccid = modem.iccid, .imsi = modem.imsi, .usb = modem.usb, .port = modem.port};
    s.baud = modem.baud;
    s.smsc = modem.smsc;
    s.journal_in_modem = config.send.journal == config::Journal::modem;
    if (!pin.empty()) s.pin = std::move(pin);
    return s;
}

House::House(aio::Executor executor, const Clock& clock, store::Store& store, Log log, config::Config config, Inherited inherited,
             std::optional<sync::ClientSettings> sync, std::uint64_t seed)
    : context_{executor,
               clock,
               store,
               std::move(log),
               std::make_shared<const Env>(Env{std::move(config), inherited.instance}),
               std::mt19937_64{seed}},
      shared_{executor},
      inherited_{std::move(inherited)},
      sync_{sync ? std::make_unique<SyncService>(context_, shared_, std::move(*sync)) : nullptr},
      gateway_{context_, shared_, modems_, sync_.get()} {}

void House::add_modem(const config::Modem& modem, driver::ModemSettings settings, int adopted) {
    // an older one gets no answer any more: it lies in a modem's storage, or is given up
    const auto now = context_.wall();
    const auto answer_may_come = [&](const Inherited::Open& open) {
        return open.modem == modem.index && (!now || *now - open.since < std::chrono::seconds{80});
    };
    if (const auto last = inherited_.last.find(modem.index); last != inherited_.last.end()) {
        const driver::Identity& was = last->second;  // of another configuration, perhaps
        const bool meant =
            (modem.imsi.empty() || modem.imsi == was.imsi) && (modem.iccid.empty() || driver::same_iccid(modem.iccid, was.iccid));
        if (meant) settings.last = was;
    }
    const bool awaiting = adopted >= 0 && std::ranges::any_of(inherited_.open, answer_may_come);
    if (awaiting) listening_.push_back(modem.index);
    modems_.push_back(std::make_unique<ModemService>(context_, shared_, modem, std::move(settings), adopted, awaiting));
    shared_.modems.push_back(modems_.back().get());
}

aio::awaitable<Result<void>> House::recover() {
    // first: from the end of recover() on the modems take messages, and they may be up by now
    for (auto& modem : modems_) {
        auto restored = co_await modem->restore();
        if (!restored) co_return restored;
    }
    auto recovered = co_await gateway_.recover(listening_);
    co_return recovered;
}

void House::start(std::function<void()> ended) {
    ended_ = std::move(ended);
    const auto& ex = context_.executor;
    aio::supervise(ex, context_.log, "housekeeping", [this] { return gateway_.housekeeping(); });
    if (!shared_.recovered) asio::co_spawn(ex, recover_later(), unless_thrown("recovery"));
    if (sync_) {
        aio::supervise(ex, context_.log, "sync", [this] { return sync_->run(); });
        aio::supervise(ex, context_.log, "go-ahead", [this] { return sync_->go_ahead().run(); });
        aio::supervise(ex, context_.log, "go-ahead-once-more", [this] { return sync_->go_ahead().insist(); });
        aio::supervise(ex, context_.log, "doorbell", [this] { return sync_->doorbell().run(); });
    }
    running_ = modems_.size();
    for (std::size_t i = 0; i < modems_.size(); ++i) asio::co_spawn(ex, modem_ended(i), unless_thrown("modem", modems_[i]->index()));
    if (running_ == 0 && shared_.stopping) ended_();  // stopped before it was started
}

std::function<void(std::exception_ptr)> House::unless_thrown(std::string task, ModemIndex modem) {
    return [this, task = std::move(task), modem](std::exception_ptr thrown) {
        if (!thrown) return;
        std::string why = "unknown";
        try {
            std::rethrow_exception(thrown);
        } catch (const std::exception& e) {
            why = e.what();
        } catch (...) {  // not of ours: `why` says so
        }
        context_.log.error("crashed", {{"task", task}, {"modem", modem}, {"why", why}});
        shared_.end_process();
    };
}

aio::awaitable<void> House::modem_ended(std::size_t index) {
    co_await modems_[index]->run();
    if (--running_ > 0) co_return;
    auto flush = [](store::Tx&) {};  // takes everything with it that waits for a commit
    auto flushed = co_await context_.store.run(flush);
    if (flushed && shared_.recovered) flushed = co_await context_.store.tick();
    if (!flushed) context_.log.error("flush-failed", {{"error", flushed.error().text()}});
    ended_();
}

aio::awaitable<void> House::recover_later() {
    while (!shared_.recovered) {
        const bool on_time = co_await aio::sleep_for(std::chrono::seconds{2});
        if (!on_time || shared_.stopping) co_return;
        if (context_.store.trouble()) continue;  // the store finds out by itself when it is over
        auto recovered = co_await recover();
        if (recovered) context_.log.notice("recovered", {{"what", "database"}});
    }
}

aio::awaitable<void> House::route_anew() {
    auto done = co_await gateway_.follow_configuration();
    if (!done) context_.log.error("queue-not-routed-anew", {{"error", done.error().text()}, {"remedy", "reload again"}});
}

void House::stop() {
    shared_.stopping = true;
    shared_.sync_wake.raise();
    shared_.go_wake.raise();
    if (sync_) sync_->doorbell().stop();
    for (auto& modem : modems_) modem->poke();
    if (running_ == 0 && ended_) ended_();
}

void House::set_pin(ModemIndex index, std::optional<std::string> pin, std::string problem) {
    for (auto& service : modems_)
        if (service->index() == index) service->modem().set_pin(std::move(pin), std::move(problem));
}

void House::reload(const config::Config& wanted) {
    const auto restart = config::needs_restart(config(), wanted);
    for (const auto& section : restart) context_.log.warning("needs-restart", {{"section", section}});
    config::Config next = config();
    const auto journal = next.send.journal;
    next.send = wanted.send;
    next.send.journal = journal;
    next.rules = wanted.rules;
    next.opt_out = wanted.opt_out;
    next.analytics = wanted.analytics;
    next.routes = wanted.routes;
    next.alarms = wanted.alarms;
    next.retention = wanted.retention;
    if (next.supabase && wanted.supabase) {  // who and where it is stays
        next.supabase->realtime = wanted.supabase->realtime;
        next.supabase->poll = wanted.supabase->poll;
        next.supabase->horizon = wanted.supabase->horizon;
        next.supabase->lease = wanted.supabase->lease;
        next.supabase->batch = wanted.supabase->batch;
    }
    if (std::ranges::find(restart, "modem") == restart.end()) {
        next.modems = wanted.modems;
        for (const auto& modem : next.modems)
            for (auto& service : modems_)
                if (service->index() == modem.index) service->reload(modem);
    }
    context_.env = std::make_shared<const Env>(Env{std::move(next), context_.env->instance});
    if (shared_.recovered) asio::co_spawn(context_.executor, route_anew(), unless_thrown("reload"));
    context_.log.notice("reloaded", {{"what", "configuration"}});
}

}  // namespace conductor::service
