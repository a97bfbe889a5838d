// Gateway: what is done before anything is sent, and what a database that may be an older copy waits for.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/dispatch/reasons.hpp"
#include "daemon/service/gateway.hpp"
#include "daemon/service/steps.hpp"
#include "daemon/service/sync_service.hpp"

namespace conductor::service {

using api::Actor;
using api::Answer;
using api::Refusal;
using nlohmann::json;
using store::Tx;

namespace {

constexpr int rows_a_commit = 5000;
constexpr std::chrono::minutes tick_period{10}, sweep_period{1};
constexpr std::chrono::minutes journal_kept{5};  // in memory, while modems come up
constexpr std::chrono::minutes first_care{10};   // after a start: it has better things to do then
constexpr std::chrono::seconds longest_sweep{2};
constexpr std::chrono::hours sweep_from_start{24}, file_care_period{24};

/// The words of the API for a database that does not take or give something.
std::string word_of(const Error& error) {
    const std::string word = trouble_word(error);
    return word == "disk-failed" ? "store-failed" : word;
}

}  // namespace

Refusal Gateway::unavailable(const Error& error) const {
    context_.log.error("store-failed", {{"error", error.text()}});
    const auto word = word_of(error);
    std::string text = dispatch::reason_text(word, error.text());
    if (const auto promise = text.find("; then it go"); promise != text.npos) text.replace(promise, text.npos, ".");  // of what waits
    return {503, word, text + " Nothing of this request is stored; repeat it then."};
}

aio::awaitable<Result<void>> Gateway::recover(std::vector<ModemIndex> still_listening) {
    auto newest_job = [](Tx& tx) { return store::newest_time(tx); };
    auto newest = co_await context_.store.read(newest_job);
    if (!newest) co_return newest.error();
    if (*newest) {
        const Instant boot = context_.clock.now();
        context_.records.not_before(boot, **newest);
        latest_ = {**newest, boot};
    }
    const WallTime now = context_.record_time();
    const std::string why = context_.store.doubt();
    if (!why.empty()) {
        // ids of this copy were used before by what was lost: everything that is derived from them must differ from now on
        context_.env = std::make_shared<const Env>(Env{context_.env->config, context_.uuid()});
        still_listening.clear();
    }
    struct Recovered {
        std::vector<Changed> changed;
        std::int64_t open = 0, held = 0;
        int opted_out = 0;
        bool paused = false;
        std::string instance, held_why;
    };
    // what people said since an older copy was made
    const auto kept = why.empty() ? std::vector<store::OptOutRow>{} : store::kept_opt_outs(context_.store.opt_outs_file());
    auto job = [env = context_.env, still_listening = std::move(still_listening), now, kept, doubted = !why.empty(),
                of_this_machine = context_.store.of_this_machine()](Tx& tx) {
        Recovered r{.changed = service::recover(tx, *env, still_listening, now)};
        r.opted_out = store::take_back_opt_outs(tx, kept);
        r.open = store::count_open(tx);
        r.held = store::count_held(tx);
        r.paused = store::get_setting(tx, "paused").has_value();
        r.held_why = store::get_setting(tx, "restored").value_or("");
        const auto known = store::get_setting(tx, "instance");
        r.instance = doubted || !known ? env->instance : *known;
        if (doubted && known && of_this_machine)  // what that one had claimed nobody else can be sending
            store::set_setting(tx, "adopt", store::get_setting(tx, "adopt").value_or("") + " " + *known);
        if (r.instance != known) store::set_setting(tx, "instance", r.instance);
        return r;
    };
    auto done = co_await context_.store.run(job);
    if (!done) co_return done.error();
    if (done->instance != context_.env->instance) context_.env = std::make_shared<const Env>(Env{context_.env->config, done->instance});
    open_ = *counted_ = done->open;  // nothing else runs yet
    held_ = done->held;
    held_why_ = done->held_why;
    shared_.paused = done->paused;
    for (const auto& c : done->changed)
        context_.log.notice("recovered", {{"msg", c.id.value}, {"status", to_string(c.status)}, {"reason", c.reason}});
    shared_.note(done->changed);
    if (done->opted_out > 0) context_.log.notice("opt-outs-taken-back", {{"numbers", done->opted_out}});
    if (!why.empty()) {
        auto held = co_await hold_everything(why, now);
        if (!held) co_return held;
    }
    auto ticked = co_await context_.store.tick();
    if (!ticked) co_return ticked;
    auto followed = co_await follow_configuration();
    if (!followed) co_return followed;
    shared_.recovered = true;
    shared_.wake_all();
    co_return Result<void>{};
}

aio::awaitable<Result<void>> Gateway::follow_configuration() {
    const std::string lanes = lanes_in(context_.env->config);
    auto look = [](Tx& tx) { return store::get_setting(tx, "lanes"); };
    auto known = co_await context_.store.read(look);
    if (!known) co_return known.error();
    if (*known == lanes) co_return Result<void>{};
    int moved = 0;
    for (store::LaneCursor at; !at.done();) {
        auto job = [env = context_.env, at](Tx& tx) {
            auto next = at;
            const int changed = relane(tx, *env, next, rows_a_commit);
            return std::pair{changed, next};
        };
        auto done = co_await context_.store.run(job);
        if (!done) co_return done.error();
        moved += done->first;
        at = done->second;
    }
    auto note = [lanes](Tx& tx) { store::set_setting(tx, "lanes", lanes); };  // last: a crash before it begins again
    auto noted = co_await context_.store.run(note);
    if (!noted) co_return noted;
    if (moved > 0) context_.log.notice("queue-routed-anew", {{"messages", moved}});
    shared_.wake_all();
    co_return Result<void>{};
}

/// When the last held row was freed or has ended, by whomever, nothing is doubtful any more.
aio::awaitable<void> Gateway::settle_held() {
    auto look = [](Tx& tx) { return std::pair{store::count_held(tx, 1), store::get_setting(tx, "restored").value_or("")}; };
    auto held = co_await context_.store.read(look);
    if (!held) co_return;
    held_ = held->first == 0 ? 0 : std::max<std::int64_t>(held_, 1);  // how many is counted with the queue
    held_why_ = held->second;
    if (held_ > 0 || held_why_.empty()) co_return;
    auto job = [now = context_.record_time()](Tx& tx) {
        tx.run("DELETE FROM settings WHERE name = 'restored'");
        store::audit(tx, now, "daemon", "db-confirmed", "queue");
    };
    auto done = co_await context_.store.run(job);
    if (done) held_why_.clear();
}

/// In bounded commits; a crash between them starts over, for the witness has not said yet that this is our database.
aio::awaitable<Result<void>> Gateway::hold_everything(std::string why, WallTime now) {
    for (;;) {
        auto job = [why, now](Tx& tx) {
            store::set_setting(tx, "restored", why);
            const auto held = store::hold_queued(tx, rows_a_commit);
            if (held == 0) store::audit(tx, now, "daemon", "hold", "queue", why);
            return held;
        };
        auto held = co_await context_.store.run(job);
        if (!held) co_return held.error();
        held_ += *held;
        if (*held == 0) break;
    }
    held_why_ = why;
    context_.log.error("database-doubted", {{"why", why}, {"held", held_}, {"remedy", "conductorctl db release"}});
    co_return Result<void>{};
}

aio::awaitable<Result<void>> Gateway::begin_instance(std::string why) {
    const WallTime now = context_.record_time();
    if (!why.empty()) {
        auto held = co_await hold_everything(why, now);
        if (!held) co_return held;
    }
    auto job = [instance = context_.uuid()](Tx& tx) {
        store::set_setting(tx, "instance", instance);
        return instance;
    };
    auto begun = co_await context_.store.run(job);
    if (!begun) co_return begun.error();
    context_.env = std::make_shared<const Env>(Env{context_.env->config, *begun});
    co_return Result<void>{};
}

aio::awaitable<Answer<json>> Gateway::release_database(Actor actor) {
    if (const auto& trouble = context_.store.trouble(); trouble && trouble->is(store::StoreErrc::missing)) {
        auto begun = co_await context_.store.begin_anew();
        if (!begun) co_return unavailable(begun.error());
        context_.log.notice("database-begun-anew", {{"actor", actor.name}});
    }
    const WallTime now = context_.record_time();
    std::int64_t released = 0;
    for (;;) {
        auto job = [name = actor.name, now, released](Tx& tx) {
            const auto count = store::release_held(tx, now, rows_a_commit);
            if (count > 0) return count;
            tx.run("DELETE FROM settings WHERE name = 'restored'");
            store::set_setting(tx, "adopt", "*");  // a person says that no other copy is in use
            store::audit(tx, now, name, "db-release", "queue", std::to_string(released) + " messages");
            return count;
        };
        auto count = co_await context_.store.run(job);
        if (!count) co_return unavailable(count.error());
        released += *count;
        if (*count == 0) break;
    }
    held_ = 0;
    held_why_.clear();
    context_.log.notice("database-released", {{"actor", actor.name}, {"messages", released}});
    if (shared_.fenced && shared_.begin_instance) {  // and not the newer one either, that had fenced this one
        auto begun = co_await begin_instance("");
        if (!begun) co_return unavailable(begun.error());
    }
    if (sync_) sync_->greet_again();
    shared_.wake_all();
    json body = {{"released", released}};
    co_return body;
}

aio::awaitable<void> Gateway::tidy(WallTime now) {
    const Instant boot = context_.clock.now();
    if (boot >= next_tick_) {
        next_tick_ = boot + tick_period;
        auto ticked = co_await context_.store.tick(store::Urgency::soon);
        if (!ticked) context_.log.warning("tick-failed", {{"error", ticked.error().text()}});
    }
    if (boot < next_tidy_) co_return;
    note_damage();
    if (shared_.journaled && boot - shared_.journaled->at > journal_kept) shared_.journaled.reset();
    next_tidy_ = boot + sweep_period;
    if (!swept_from_start_ || boot - *swept_from_start_ > sweep_from_start) {
        swept_from_start_ = boot;
        sweep_ = {.raw = sweep_.raw};  // of PDUs none is passed over
    }
    // while something can be sent, a little at a time; else as long as there is something to do and nothing new comes
    const Instant until = boot + longest_sweep;  // expiries, reports and parts wait behind it
    for (bool more = true; more && !shared_.stopping && context_.clock.now() < until;) {
        auto look = [env = context_.env, at = sweep_, now](Tx& tx) {
            return std::pair{wants_sweep(tx, env->config.retention, at, now), store::any_ready(tx)};
        };
        auto seen = co_await context_.store.read(look);
        if (!seen) co_return;
        const auto [wanted, busy] = *seen;
        look_after_file(now, !busy);
        if (!wanted) co_return;
        auto job = [env = context_.env, at = sweep_, now, limit = busy ? 100 : 200](Tx& tx) mutable {
            const auto swept = sweep(tx, env->config.retention, at, now, limit);
            return std::pair{swept, at};
        };
        auto done = co_await context_.store.run(job);
        if (!done) co_return;
        sweep_ = done->second;
        const auto& swept = done->first;
        if (swept.messages + swept.raw > 0)
            context_.log.info("retention", {{"messages", swept.messages}, {"pdus", swept.raw}, {"pages", swept.pages}});
        more = swept.more && !busy;
    }
}

aio::awaitable<void> Gateway::follow_clock(WallTime now) {
    const Instant boot = context_.clock.now();
    const auto [was, at_boot] = latest_.value_or(std::pair{now, boot});
    const auto ahead = std::chrono::duration_cast<std::chrono::milliseconds>(was - now + (boot - at_boot));
    if (ahead > std::chrono::minutes{1}) {
        store::AheadCursor at;
        for (bool more = true; more && !shared_.stopping;) {
            auto job = [at, now, ahead](Tx& tx) {
                auto next = at;
                return std::pair{store::set_right(tx, next, now, ahead, rows_a_commit / 10), next};
            };
            auto done = co_await context_.store.run(job);
            if (!done) co_return;  // the next time
            std::tie(more, at) = *done;
        }
        context_.log.notice("clock-was-ahead", {{"seconds", std::chrono::duration_cast<std::chrono::seconds>(ahead).count()}});
        if (sync_) sync_->greet_again();  // leases that were renewed meanwhile are longer here than at Supabase
        shared_.wake_all();
    }
    latest_ = {now, boot};
    co_await keep_clock(now, boot);
}

/// A clock that is moved while no daemon runs is noticed by the next one, as long as the machine runs.
aio::awaitable<void> Gateway::keep_clock(WallTime now, Instant boot) {
    if (shared_.boot_id.empty()) co_return;
    const auto offset = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch() - boot.time_since_epoch());
    if (kept_offset_ && std::chrono::abs(offset - *kept_offset_) < std::chrono::minutes{1}) co_return;
    auto job = [offset, boot_id = shared_.boot_id](Tx& tx) {
        store::set_setting(tx, clock_setting, fmt::format("{} {}", boot_id, offset.count()));
    };
    const auto kept = co_await context_.store.run(job);
    if (kept) kept_offset_ = offset;
}

/// What the check of the pages found ends all writing, as damage that shows itself does.
void Gateway::note_damage() {
    const std::lock_guard lock{file_care_->mutex};
    if (file_care_->damage.empty() || context_.store.trouble()) return;
    context_.log.error("database-damaged", {{"what", file_care_->damage}, {"remedy", "conductorctl db check, db restore"}});
    context_.store.condemn(file_care_->damage);
}

/// Once after the start, then once a day, at an idle moment where there is one.
void Gateway::look_after_file(WallTime now, bool idle) {
    if (!shared_.in_background || context_.env->config.gateway.database.empty()) return;
    const Instant boot = context_.clock.now();
    const auto since = boot - looked_after_.value_or(started_ - file_care_period + first_care);
    if (since < file_care_period || (!idle && since < file_care_period * 5 / 4)) return;
    {
        const std::lock_guard lock{file_care_->mutex};
        if (std::exchange(file_care_->running, true)) return;
    }
    looked_after_ = boot;
    shared_.in_background([care = file_care_, env = context_.env, now] {
        care_for_file(env->config.gateway.database, env->config.retention, now, *care);
        const std::lock_guard lock{care->mutex};
        care->running = false;
    });
}

}  // namespace conductor::service
