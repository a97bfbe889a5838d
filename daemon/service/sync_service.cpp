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
using store::MessageRow;
using store::Tx;

constexpr int claim_limit = 200;                                        // the server cuts it to what the pool allows
constexpr std::int64_t high_water = 2000;                               // outbox rows above which a box confesses before it takes more
constexpr std::chrono::milliseconds gather{100};                        // news of this long share a request
constexpr std::chrono::duration<std::uint64_t, std::milli> crowd{250};  // the boxes of a pool answer a ring within this
constexpr std::chrono::seconds default_lease{600};
constexpr std::size_t commands_a_page = 100;   // as gw_commands_v1 answers
constexpr std::size_t rows_a_modem = 20;       // that a box of several holds ahead
constexpr std::chrono::minutes unable_for{3};  // without a modem that can send, a box of several renews no lease
constexpr std::chrono::hours hello_period{1};
constexpr std::chrono::minutes heartbeat_period{1};
constexpr std::size_t most_words = 8;  // of processes that the server may or may not have heard

/// A claimed row, with the deadline of its lease on this box's wall clock.
struct Claimed {
    sync::Job job;
    WallTime lease_until{};
};

NewMessage message_of(const sync::Job& job) {
    NewMessage m;
    m.to = job.phone_number;
    m.text = job.content;
    m.key = fmt::format("supabase-{}-{}", job.id, job.epoch);
    m.message_class = job.message_class;
    m.due_at = job.send_at;
    m.expires_at = job.expires_at;
    m.on_unknown = job.on_unknown;
    m.priority = job.priority;
    m.scheduled_message_id = job.id;
    m.claim_epoch = job.epoch;
    m.revision = job.revision;
    m.offline_ok = job.offline_ok;
    m.campaign_name = job.campaign_name;
    m.set = job.set;
    if (job.state && is_state(*job.state)) m.state = job.state;  // an address that nobody can place is none
    m.customer = job.customer;
    m.consent = job.consent;
    return m;
}

MessageRow refused_row(const sync::Job& job, const api::Refusal& refusal, WallTime now) {
    MessageRow row;
    row.key = fmt::format("supabase-{}-{}", job.id, job.epoch);
    row.keyed = true;
    row.message_class = job.message_class;
    row.phone_number = job.phone_number;
    row.content = job.content;
    row.scheduled_message_id = job.id;
    row.claim_epoch = job.epoch;
    row.campaign_name = job.campaign_name;
    row.timestamp = row.not_before = now;
    row.due_at = job.send_at;
    const bool policy = refusal.code == "opted-out" || refusal.code == "no-consent";
    row.status = policy ? MessageStatus::suppressed : MessageStatus::failed;
    row.reason = refusal.code;
    return row;
}

std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find(' ', at), text.size());
        if (end > at) words.emplace_back(text.substr(at, end - at));
        at = end + 1;
    }
    return words;
}

bool may_have_gone_out(const MessageRow& row) {
    return std::ranges::any_of(row.parts, [](const Part& p) { return p.status != PartStatus::waiting && p.status != PartStatus::failed; });
}

/// Of a row that this database does not know, or holds: may another instance of this box have sent it?
enum class Standing : std::uint8_t {
    free,      ///< it had no go, and could not leave without
    doubtful,  ///< not yet; when it is due that one may, without asking
    out        ///< with the go of Supabase, or without asking
};
Standing standing_of(const Env& env, const sync::Job& job, WallTime now) {
    if (job.begun) return Standing::out;
    if (!job.offline_ok || job.instance == env.instance) return Standing::free;
    return job.send_at <= now ? Standing::out : Standing::doubtful;
}

void hold(Tx& tx, MessageRow& row) {
    row.held = true;
    row.offline_ok = false;
    row.reason = "restored";
    store::update(tx, row);
    if (!store::get_setting(tx, "restored"))
        store::set_setting(tx, "restored", "another box of this identity had claimed rows, and may send them");
}

/// Keeps what is not sent as a row too, so that its reason goes back and can be read here.
void keep_unsent(Tx& tx, const Env& env, MessageRow row, WallTime now) {
    store::insert(tx, row);
    row.stored_status = MessageStatus::queued;
    save(tx, env, row, now);
}

/// Takes one claimed row in. True when something became sendable.
bool take_job(Tx& tx, const Env& env, const Claimed& claimed, WallTime now) {
    const auto& job = claimed.job;
    const auto standing = standing_of(env, job, now);
    if (auto known = store::find_by_scheduled(tx, job.id)) {
        known->lease_until = claimed.lease_until;
        if (known->held && known->status == MessageStatus::queued && standing == Standing::out) {
            known->held = false;
            known->claim_epoch = job.epoch;
            dispatch::abandon(*known, MessageStatus::unknown, "begun-before");
            known->delivery_status = DeliveryStatus::unknown;
            save(tx, env, *known, now);
            return false;
        }
        const bool confirmed = known->held && standing == Standing::free;
        if (confirmed) {
            known->held = false;
            known->not_before = std::max(known->not_before, now);
            known->reason.reset();
        }
        const bool same_round = known->claim_epoch == job.epoch;
        const bool under_way = known->status == MessageStatus::queued || known->status == MessageStatus::sending;
        const bool out = known->status == MessageStatus::sent || known->status == MessageStatus::delivered;
        // What ended otherwise was told before this claim was made: claimed afresh, it is a new round that somebody asked for.
        if (same_round || under_way || out) {
            // Ours already, perhaps under an older claim: never a second copy. What is known of it is told under the new claim.
            known->claim_epoch = job.epoch;
            // its text is that of the revision which it was taken with: where it was edited since, gw_begin_v1 says so
            known->offline_ok = job.offline_ok && job.instance == env.instance && known->revision == job.revision;
            if (!same_round) known->begun = false;  // the go was for the claim before
            if (!same_round) known->stored_status = MessageStatus::queued;
            save(tx, env, *known, now);
            return confirmed;
        }
    }
    if (standing == Standing::out) {
        auto row = refused_row(job, {409, "begun-before", ""}, now);
        row.status = MessageStatus::unknown;
        row.delivery_status = DeliveryStatus::unknown;
        keep_unsent(tx, env, std::move(row), now);
        return false;
    }
    if (job.opted_out && job.message_class != MessageClass::reply) {
        keep_unsent(tx, env, refused_row(job, {422, "opted-out", ""}, now), now);
        return false;
    }
    auto taken = take(tx, env, message_of(job), now, 0);
    if (!taken) {
        keep_unsent(tx, env, refused_row(job, taken.error(), now), now);
        return false;
    }
    taken->row.lease_until = claimed.lease_until;
    if (standing == Standing::doubtful)
        hold(tx, taken->row);
    else
        store::update(tx, taken->row);
    return true;
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
        bool fine = greeted_ && context_.clock.now() < next_hello_;
        if (!fine) fine = co_await greet();
        listen();
        const bool rung = std::exchange(rung_, false);
        if (fine) fine = co_await round(rung);
        if (rung && !fine) rung_ = true;
        asked_ = false;
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
    if (!rung_) {
        const bool woken = co_await shared_.sync_wake.wait_until(next_poll_);
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
    greeted_ = co_await take_what_is_ours();
    next_poll_ = {};
    next_hello_ = context_.clock.now() + hello_period;
    go_ahead_.set_link(greeted_ ? Link::up : Link::away);
    co_return greeted_;
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
    if (!words) co_return words.error();
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

/// A newer box has this identity, and these rows: they leave this one unsent, also when it cannot ask any more.
aio::awaitable<void> SyncService::give_up_unsent() {
    const WallTime now = context_.record_time();
    for (;;) {
        auto job = [env = context_.env, now](Tx& tx) {
            auto rows = store::unsent_of_supabase(tx, 500);
            for (auto& row : rows) {
                dispatch::abandon(row, MessageStatus::cancelled, "lease-lost");
                row.held = row.ready = false;
                row.stored_status = row.status;  // nothing to tell: it is the other one's
                save(tx, *env, row, now);
            }
            return rows.size();
        };
        auto given = co_await context_.store.run(job);
        if (!given || *given == 0) co_return;
    }
}

/// After a restore: held rows that Supabase does not name are another box's by now, or have ended. They leave this box unsent.
aio::awaitable<Result<void>> SyncService::give_up_held(std::vector<std::int64_t> ours) {
    const auto now = context_.wall();
    if (!now) co_return fail(sync::SyncErrc::retry_later, "clock-unsure");
    std::ranges::sort(ours);
    MessageId after{0};
    for (;;) {
        auto job = [env = context_.env, ours, now = *now, after](Tx& tx) {
            MessageId last = after;
            for (auto& row : store::held_of_supabase(tx, after, 500)) {
                last = row.id;
                if (std::ranges::binary_search(ours, *row.scheduled_message_id)) continue;
                dispatch::abandon(row, MessageStatus::cancelled, "lease-lost");
                row.held = false;
                row.stored_status = row.status;  // nothing to tell: the server knows better
                save(tx, *env, row, now);
            }
            return last;
        };
        auto last = co_await context_.store.run(job);
        if (!last) co_return last.error();
        if (*last == after) co_return Result<void>{};
        after = *last;
    }
}

/// Confess first, then take more; but what rang is taken at once.
aio::awaitable<bool> SyncService::round(bool rung) {
    const bool at_once = rung && waiting_ <= high_water;
    if (at_once) {
        const bool claimed = co_await claim();
        if (!claimed) co_return false;
    }
    for (const auto stream : {store::Stream::report, store::Stream::inbound})
        if (!co_await upload(stream)) co_return false;
    const Instant now = context_.clock.now();
    if (!asked_ && !rung && now < next_poll_) co_return true;
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
    co_return true;
}

/// Once a minute. The last one is kept, and no history of them: one that is lost is not told again.
aio::awaitable<void> SyncService::tell_heartbeat() {
    const auto now = context_.wall();
    if (!now || context_.clock.now() < next_heartbeat_) co_return;
    next_heartbeat_ = context_.clock.now() + heartbeat_period;
    std::vector<sync::ReportItem> items;
    items.push_back({context_.uuid(), heartbeat_of(shared_, waiting_, *now).dump(-1, ' ', false, json::error_handler_t::replace)});
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
        auto job2 = [batch = batch, verdicts = *verdicts](Tx& tx) {
            for (std::size_t i = 0; i < batch.size(); ++i) {
                if (verdicts[i].verdict == sync::Verdict::rejected)
                    store::bury_outbox(tx, batch[i].id, verdicts[i].reason);
                else
                    store::drop_outbox(tx, batch[i].id);
            }
        };
        auto done = co_await context_.store.run(job2);
        if (!done) co_return false;
        told_ += batch.size();
        for (std::size_t i = 0; i < batch.size(); ++i)
            if (const auto v = (*verdicts)[i].verdict; v != sync::Verdict::applied && v != sync::Verdict::duplicate)
                log_.warning("told-in-vain",
                             {{"event", batch[i].event_id}, {"verdict", static_cast<int>(v)}, {"why", (*verdicts)[i].reason}});
    }
}

std::size_t SyncService::able_modems() const {
    return static_cast<std::size_t>(std::ranges::count_if(shared_.modems, [](const ModemService* modem) { return modem->able(); }));
}

aio::awaitable<bool> SyncService::claim() {
    if (waiting_ > high_water) co_return true;
    for (;;) {
        const auto now = context_.wall();
        if (!now) co_return true;  // an unsure clock takes nothing on
        if (!alone_) {             // what this box cannot send soon is for the others
            const auto most = rows_a_modem * able_modems();
            auto look = [most](Tx& tx) { return store::count_unsent_of_supabase(tx, most); };
            const auto unsent = co_await context_.store.read(look);
            if (!unsent || *unsent >= most) co_return unsent.has_value();
        }
        const auto& settings = *context_.env->config.supabase;
        sync::ClaimRequest request{.request_id = context_.uuid(), .limit = settings.batch.value_or(claim_limit)};
        if (settings.horizon) request.horizon = std::chrono::duration_cast<std::chrono::seconds>(*settings.horizon);
        if (settings.lease) request.lease = std::chrono::duration_cast<std::chrono::seconds>(*settings.lease);
        auto answer = co_await client_.claim(request);
        // the same request id returns the same rows: an answer that was lost is asked for again, at once
        if (!answer) answer = co_await client_.claim(request);
        if (!answer) {
            log_.warning("claim-failed", {{"error", answer.error().text()}});
            greeted_ = false;  // `mine` tells what an unanswered claim took
            co_return false;
        }
        alone_ = answer->alone;
        const auto count = answer->jobs.size();
        if (count == 0) co_return true;
        claimed_ += count;
        auto taken = co_await take_jobs(std::move(*answer));
        if (!taken) {
            greeted_ = false;
            co_return false;
        }
        if (count < static_cast<std::size_t>(std::min(request.limit, 20))) co_return true;
    }
}

aio::awaitable<Result<void>> SyncService::take_jobs(sync::ClaimAnswer answer) {
    const auto now = context_.wall();
    for (const auto& row : answer.unread) log_.error("claimed-row-not-read", {{"job", row}});
    if (answer.jobs.empty()) co_return Result<void>{};
    if (!now) co_return fail(sync::SyncErrc::retry_later, "clock-unsure");
    const Instant boot = context_.clock.now();
    std::vector<Claimed> claimed;
    for (auto& job : answer.jobs) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            sync::lease_deadline(answer.requested_at, answer.server_now, job.lease_expires_at, 1) - boot);
        claimed.push_back({std::move(job), *now + left});
    }
    struct Stored {
        bool any = false;
        std::vector<std::pair<std::int64_t, std::string>> left;  // rows that the schema refuses, and why
    };
    auto job = [env = context_.env, claimed = std::move(claimed), now = *now](Tx& tx) {
        Stored stored;
        for (const auto& one : claimed) {
            const auto failed = tx.alone([&] { stored.any = take_job(tx, *env, one, now) || stored.any; });
            if (!failed || tx.failed()) continue;
            stored.left.emplace_back(one.job.id, failed->text());
            store::audit(tx, now, "daemon", "store-failed", fmt::format("scheduled-message-{}", one.job.id), failed->text());
        }
        return stored;
    };
    auto done = co_await context_.store.run(job);
    if (!done) {
        log_.error("claimed-rows-not-stored", {{"error", done.error().text()}});
        co_return done.error();
    }
    // it stays claimed until its lease is over, and holds up none of the others
    for (const auto& [id, why] : done->left) log_.error("claimed-row-not-stored", {{"job", id}, {"error", why}});
    if (done->any) {
        shared_.wake_all();
        shared_.go_wake.raise();
    }
    co_return Result<void>{};
}

aio::awaitable<bool> SyncService::keep_leases() {
    const auto now = context_.wall();
    if (!now) co_return true;
    if (able_modems() > 0 || able_at_ == Instant{}) able_at_ = context_.clock.now();
    if (!alone_ && context_.clock.now() - able_at_ > unable_for) co_return true;  // another box is to have them when their leases are over
    const auto lease = context_.env->config.supabase->lease
                           ? std::chrono::duration_cast<std::chrono::seconds>(*context_.env->config.supabase->lease)
                           : default_lease;
    auto job = [before = *now + lease * 2 / 3](Tx& tx) { return store::leases_ending(tx, before, 500); };
    auto ending = co_await context_.store.read(job);
    if (!ending || ending->empty()) co_return ending.has_value();
    std::vector<sync::Client::Begin> items;
    for (const auto& row : *ending) items.push_back({.id = *row.scheduled_message_id, .epoch = row.claim_epoch});
    auto renewed = co_await client_.renew(std::move(items));
    if (!renewed) co_return false;
    const Instant boot = context_.clock.now();
    struct Kept {
        std::int64_t job;
        std::optional<WallTime> until;
        bool ours = false;  // its time was over, and nobody else has had it
    };
    std::vector<Kept> kept;
    for (const auto& r : *renewed) {
        Kept k{r.id, std::nullopt, r.reason == "lease"};
        if (r.held && r.lease_expires_at)
            k.until = *now + std::chrono::duration_cast<std::chrono::milliseconds>(
                                 sync::lease_deadline(r.requested_at, r.server_now, *r.lease_expires_at, 1) - boot);
        kept.push_back(k);
    }
    auto job2 = [env = context_.env, kept = std::move(kept), now = *now](Tx& tx) {
        for (const auto& k : kept) {
            auto row = store::find_by_scheduled(tx, k.job);
            if (!row || row->status != MessageStatus::queued) continue;
            const bool begun = has_begun(tx, *row);
            row->lease_until = k.until;
            if (!k.until) {  // another box has it, or it was cancelled: it leaves this box unsent
                dispatch::abandon(*row, MessageStatus::cancelled, "lease-lost");
                row->ready = false;
                row->stored_status = row->status;  // nothing else to tell: the server knows better
                if (k.ours && !begun) tell_supabase_released(tx, *env, k.job, row->claim_epoch, "lease-lost", now);
            }
            save(tx, *env, *row, now);
        }
    };
    auto done = co_await context_.store.run(job2);
    co_return done.has_value();
}

aio::awaitable<bool> SyncService::obey_commands() {
    for (;;) {
        auto commands = co_await client_.commands();
        if (!commands) co_return false;
        std::vector<std::int64_t> obeyed;
        for (const auto& command : *commands) {
            auto done = co_await obey(command);
            if (!done) log_.error("command-failed", {{"kind", command.kind}, {"id", command.id}, {"error", done.error().text()}});
            if (!done && !fails_for_good(done.error())) co_return false;
            obeyed.push_back(command.id);  // one that can never be obeyed must not hold those behind it
        }
        if (obeyed.empty()) co_return true;
        const auto acknowledged = co_await client_.acknowledge(std::move(obeyed));
        if (!acknowledged) co_return false;
        if (commands->size() < commands_a_page) co_return true;
    }
}

aio::awaitable<Result<void>> SyncService::obey(const sync::Command& command) {
    const WallTime now = context_.record_time();
    if (command.kind == "cancel" || command.kind == "edit") {
        auto job = [env = context_.env, command, now](Tx& tx) {
            if (!command.job_id) return;
            auto row = store::find_by_scheduled(tx, *command.job_id);
            if (!row || row->status != MessageStatus::queued || may_have_gone_out(*row)) return;
            if (command.epoch > 0 && command.epoch != row->claim_epoch) return;  // of a round that is over
            dispatch::abandon(*row, MessageStatus::cancelled, command.kind == "cancel" ? "cancelled" : "edited");
            row->ready = false;
            if (command.kind == "edit") {
                row->stored_status = row->status;
                tell_supabase_released(tx, *env, *command.job_id, row->claim_epoch, "edited", now);
            }
            save(tx, *env, *row, now);
        };
        // An edited row is given up here: its new revision is claimed afresh. Too late once it is on a modem.
        auto done = co_await context_.store.run(job);
        shared_.sync_wake.raise();
        if (!done) co_return done.error();
        co_return Result<void>{};
    }
    if (command.kind == "opt_out") {
        auto job2 = [env = context_.env, payload = command.payload, now](Tx& tx) { return obey_opt_out(tx, *env, payload, now); };
        auto done = co_await context_.store.run(job2);
        if (!done) co_return done.error();
        shared_.note(*done);
        co_return Result<void>{};
    }
    if (command.kind == "pause" || command.kind == "resume") {
        const bool pause = command.kind == "pause";
        auto job3 = [pause, now](Tx& tx) {
            if (pause)
                store::set_setting(tx, "paused", "supabase");
            else
                tx.run("DELETE FROM settings WHERE name = 'paused'");
            store::audit(tx, now, "supabase", pause ? "queue-pause" : "queue-resume", "queue");
        };
        auto done = co_await context_.store.run(job3);
        if (!done) co_return done.error();
        shared_.paused = pause;
        if (!pause) shared_.wake_all();
        co_return Result<void>{};
    }
    log_.warning("command-not-known", {{"kind", command.kind}, {"id", command.id}});
    co_return Result<void>{};
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
                       {"last_error", bell.last_error}};
    out["last_success"] = last_success_ ? json(to_rfc3339(*last_success_)) : json(nullptr);
    return out;
}

}  // namespace conductor::service
