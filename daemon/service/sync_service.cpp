#include "daemon/service/sync_service.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/core/nanp.hpp"
#include "daemon/dispatch/reasons.hpp"
#include "daemon/dispatch/submission.hpp"
#include "daemon/service/commands.hpp"
#include "daemon/service/events.hpp"
#include "daemon/service/heartbeat.hpp"
#include "daemon/service/modem_service.hpp"
#include "daemon/service/steps.hpp"
#include "sync/plan/batch.hpp"
#include "sync/plan/timing.hpp"

namespace conductor::service {
namespace {

using nlohmann::json;
using store::Tx;

constexpr std::chrono::milliseconds gather{300};                        // news of this long share a request
constexpr std::chrono::duration<std::uint64_t, std::milli> crowd{250};  // the boxes of a pool answer a ring within this
constexpr std::chrono::hours hello_period{1};
constexpr std::chrono::minutes heartbeat_period{1}, kept_for_us{2};  // rows of this box's recipients, while it is heard of
constexpr std::size_t most_words = 8;                                // of processes that the server may or may not have heard

std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find(' ', at), text.size());
        if (end > at) words.emplace_back(text.substr(at, end - at));
        at = end + 1;
    }
    return words;
}

}  // namespace

SyncService::SyncService(Context& context, Shared& shared, sync::ClientSettings settings)
    : context_{context},
      shared_{shared},
      log_{context.log.with("part", "sync")},
      usable_{!settings.keys.empty()},
      client_{context.executor, log_, std::move(settings), &context.clock},
      go_ahead_{context, shared, client_},
      doorbell_{context.executor, log_, client_, [this] {
                    rung_ = true;
                    shared_.sync_wake.raise();
                }} {}

void SyncService::listen() {
    const bool wanted = usable_ && !shared_.fenced && context_.env->config.supabase->realtime;
    doorbell_.listen(wanted ? topics_ : std::vector<std::string>{});
}

aio::awaitable<void> SyncService::run() {
    while (!shared_.stopping) {
        // without a key nobody answers; and nothing is claimed that could not be stored
        if (!usable_) go_ahead_.set_link(Link::away);
        if (!usable_ || !shared_.recovered || context_.store.trouble()) {
            if (!co_await aio::sleep_for(std::chrono::seconds{1})) co_return;
            continue;
        }
        // what is asked for while this round is under way is for the next one
        const bool asked = std::exchange(asked_, false);
        bool fine = std::exchange(greeted_, true) && context_.clock.now() < next_hello_;
        if (!fine) fine = co_await greet();
        if (!fine) greeted_ = false;
        listen();
        const bool rung = std::exchange(rung_, false);
        if (fine) fine = co_await round(rung, asked);
        if (rung && !fine) rung_ = true;
        tell_time();
        if (fine) last_success_ = context_.wall();
        if (fine) {
            co_await rest();
        } else {
            const BootClock::duration least = context_.wall() && !shared_.fenced ? std::chrono::milliseconds{200} : std::chrono::seconds{5};
            const Instant until = context_.clock.now() + std::max<BootClock::duration>(client_.back_off(), least);
            while (!asked_ && !shared_.stopping && context_.clock.now() < until) co_await shared_.sync_wake.wait_until(until);
            if (asked_) client_.reset_back_off();
        }
    }
}

/// Until the next poll. News wake it, and several of them share a request. The doorbell does not wait, but of several boxes not all come
/// at once.
aio::awaitable<void> SyncService::rest() {
    if (!rung_ && !asked_) {
        const bool woken = co_await shared_.sync_wake.wait_until(std::min(next_poll_, next_heartbeat_));
        const Instant gathered = context_.clock.now() + gather;
        while (woken && !rung_ && !shared_.stopping && context_.clock.now() < gathered) co_await shared_.sync_wake.wait_until(gathered);
    }
    if (rung_ && !alone_) {
        const std::chrono::milliseconds late{context_.rng() % crowd.count()};
        co_await aio::sleep_for(late);
    }
}

void SyncService::tell_time() {
    const Instant boot = context_.clock.now();
    if (const auto time = client_.server_clock().now(boot)) shared_.told_time(TimeSource::supabase, boot, *time);
}

aio::awaitable<bool> SyncService::greet() {
    auto request = co_await introduction();
    if (!request) co_return false;
    auto hello = co_await client_.hello(std::move(*request));
    if (!hello) {
        go_ahead_.set_link(Link::away);
        log_.warning("hello-failed", {{"error", hello.error().text()}});
        co_return false;
    }
    shared_.fenced = hello->fenced;
    alone_ = hello->alone;
    if (shared_.fenced) {
        go_ahead_.set_link(Link::fenced);
        log_.error("fenced", {{"gateway", hello->gateway_id}, {"remedy", "conductorctl db release, where the other box is no more"}});
        co_await give_up_unsent();
        for (const auto stream : {store::Stream::report, store::Stream::inbound})  // what has happened is told all the same
            if (!co_await upload(stream)) break;
        co_return false;
    }
    if (hello->forked) {
        log_.error("forked", {{"gateway", hello->gateway_id}});
        auto begun = co_await shared_.begin_instance("another copy of it is or was in use under the same identity");
        if (!begun) log_.error("instance-not-begun", {{"error", begun.error().text()}});
        co_return false;
    }
    generation_ = hello->generation;
    topics_ = hello->topics;
    log_.notice("connected", {{"gateway", hello->gateway_id}, {"pool", hello->pool}, {"alone", alone_}});
    tell_time();
    if (!context_.wall()) {  // what `mine` names could not be stored, and it is asked for once
        log_.warning("clock-unsure", {{"held", "claimed rows"}});
        co_return false;
    }
    const bool taken = co_await take_what_is_ours();
    next_poll_ = {};
    next_hello_ = context_.clock.now() + hello_period;
    go_ahead_.set_link(taken ? Link::up : Link::away);
    co_return taken;
}

/// The word of this process is stored before it is said: whoever says a later one must be this box. Those before it are said too: a project
/// that was put back knows an older one.
aio::awaitable<Result<sync::Hello>> SyncService::introduction() {
    if (word_.empty()) word_ = context_.uuid();
    auto job = [word = word_](Tx& tx) {
        auto words = words_of(store::get_setting(tx, "words").value_or(""));
        if (std::ranges::find(words, word) == words.end()) words.push_back(word);
        if (words.size() > most_words) words.erase(words.begin());
        store::set_setting(tx, "words", fmt::format("{}", fmt::join(words, " ")));
        words.pop_back();
        return words;
    };
    auto words = co_await context_.store.run(job);
    if (!words) {
        log_.error("hello-not-stored", {{"error", words.error().text()}});
        co_return words.error();
    }
    sync::Hello hello{.instance = context_.env->instance, .version = CONDUCTOR_VERSION, .word = word_, .words = std::move(*words)};
    co_return hello;
}

aio::awaitable<bool> SyncService::take_what_is_ours() {
    auto look = [](Tx& tx) { return words_of(store::get_setting(tx, "adopt").value_or("")); };
    auto adopt = co_await context_.store.read(look);
    if (!adopt) co_return false;
    const bool adopts = !adopt->empty();
    auto mine = co_await client_.mine(std::move(*adopt));
    if (!mine) co_return false;
    std::vector<std::int64_t> ours;
    for (const auto& job : mine->jobs) ours.push_back(job.id);
    auto taken = co_await take_jobs(std::move(*mine));
    if (taken) taken = co_await give_up_held(std::move(ours));
    if (!taken) co_return false;
    if (adopts) {
        auto forget = [](Tx& tx) { tx.run("DELETE FROM settings WHERE name = 'adopt'"); };
        auto forgotten = co_await context_.store.run(forget);
        if (!forgotten) co_return false;
    }
    co_return true;
}

/// Confess first, then take more; but what rang is taken at once.
aio::awaitable<bool> SyncService::round(bool rung, bool asked) {
    const bool at_once = rung && waiting_ <= high_water;
    if (at_once) {
        const bool claimed = co_await claim();
        if (!claimed) co_return false;
    }
    for (const auto stream : {store::Stream::report, store::Stream::inbound})
        if (!co_await upload(stream)) co_return false;
    const Instant now = context_.clock.now();
    if (!asked && !rung && now < next_poll_) {
        co_await tell_heartbeat();
        co_return true;
    }
    const bool obeyed = co_await obey_commands();
    if (!obeyed) co_return false;
    const bool kept = co_await keep_leases();
    if (!kept) co_return false;
    if (!at_once) {
        const bool claimed = co_await claim();
        if (!claimed) co_return false;
    }
    co_await tell_heartbeat();
    // boxes of one project must not keep step; what is due waits no longer than `poll`, this round's own time included
    const auto percent = static_cast<int>(75 + context_.rng() % 20);
    next_poll_ = now + std::chrono::duration_cast<BootClock::duration>(context_.env->config.supabase->poll) * percent / 100;
    const Instant renewal = co_await next_renewal();
    next_poll_ = std::min(next_poll_, renewal);
    co_return true;
}

/// Once a minute, however long the poll is. The last one is kept, and no history of them: one that is lost is not told again.
aio::awaitable<void> SyncService::tell_heartbeat() {
    const auto now = context_.wall();
    if (context_.clock.now() < next_heartbeat_) co_return;
    next_heartbeat_ = context_.clock.now() + heartbeat_period;
    if (!now) co_return;
    const bool claims = doorbell_.status().joined || context_.env->config.supabase->poll < kept_for_us;
    std::vector<sync::ReportItem> items;
    items.push_back({context_.uuid(), heartbeat_of(shared_, waiting_, claims, *now).dump(-1, ' ', false, json::error_handler_t::replace)});
    const auto verdicts = co_await client_.report(std::move(items));
    if (!verdicts) log_.warning("heartbeat-failed", {{"error", verdicts.error().text()}});
}

aio::awaitable<bool> SyncService::upload(store::Stream stream) {
    for (;;) {
        auto job = [stream](Tx& tx) {
            return std::pair{store::peek_outbox(tx, stream, sync::max_batch_items, sync::max_batch_octets), store::count_outbox(tx)};
        };
        auto rows = co_await context_.store.read(job);
        if (!rows) co_return false;
        auto& [batch, count] = *rows;
        waiting_ = count.waiting;
        dead_ = count.dead;
        if (batch.empty()) co_return true;
        Result<std::vector<sync::ItemVerdict>> verdicts = std::vector<sync::ItemVerdict>{};
        if (stream == store::Stream::report) {
            std::vector<sync::ReportItem> items;
            for (const auto& row : batch) items.push_back({row.event_id, row.body});
            verdicts = co_await client_.report(std::move(items));
        } else {
            std::vector<sync::InboundItem> items;
            for (const auto& row : batch) items.push_back({row.event_id, row.body});
            verdicts = co_await client_.inbound(std::move(items));
        }
        if (!verdicts || verdicts->size() != batch.size()) {
            log_.warning("upload-failed", {{"error", verdicts ? std::string{"wrong number of verdicts"} : verdicts.error().text()}});
            co_return false;
        }
        std::size_t octets = 0;
        for (const auto& row : batch) octets += row.body.size();
        const bool full = batch.size() >= sync::max_batch_items || octets >= sync::max_batch_octets / 2;
        auto job2 = [batch = batch, verdicts = *verdicts](Tx& tx) {
            for (std::size_t i = 0; i < batch.size(); ++i) {
                if (verdicts[i].verdict == sync::Verdict::rejected)
                    store::bury_outbox(tx, batch[i].id, verdicts[i].reason);
                else
                    store::drop_outbox(tx, batch[i].id);
            }
        };
        // told twice it does no harm: a batch that was not full may share somebody's commit
        auto done = co_await context_.store.run(job2, full || rung_ ? store::Urgency::now : store::Urgency::soon);
        if (!done) co_return false;
        told_ += batch.size();
        waiting_ -= std::min<decltype(waiting_)>(waiting_, static_cast<decltype(waiting_)>(batch.size()));
        for (std::size_t i = 0; i < batch.size(); ++i)
            if (const auto v = (*verdicts)[i].verdict; v != sync::Verdict::applied && v != sync::Verdict::duplicate)
                log_.warning("told-in-vain",
                             {{"event", batch[i].event_id}, {"verdict", static_cast<int>(v)}, {"why", (*verdicts)[i].reason}});
        if (!full) co_return true;  // what came meanwhile gathers for the next round
    }
}

json SyncService::status() const {
    const auto& s = client_.status();
    json out = {{"connected", s.connected},
                {"last_error", usable_ ? s.last_error : "credentials-unreadable"},
                {"calls", s.calls},
                {"failures", s.failures},
                {"alone", alone_},
                {"fenced", shared_.fenced},
                {"generation", generation_},
                {"outbox", waiting_},
                {"dead_letters", dead_},
                {"claimed", claimed_},
                {"told", told_},
                {"clock_offset_ms", s.clock_offset.count()},
                {"breaker_open", s.breaker_open},
                {"begins", go_ahead_.asked()},
                {"taken_back", go_ahead_.refused()},
                {"begun_offline", go_ahead_.unasked()}};
    const auto& bell = doorbell_.status();
    out["realtime"] = {{"on", context_.env->config.supabase->realtime},
                       {"joined", bell.joined},
                       {"rings", bell.rings},
                       {"connections", bell.connections},
                       {"malformed", bell.malformed},
                       {"dropped", bell.dropped},
                       {"last_error", bell.last_error}};
    out["last_success"] = last_success_ ? json(to_rfc3339(*last_success_)) : json(nullptr);
    return out;
}

}  // namespace conductor::service
