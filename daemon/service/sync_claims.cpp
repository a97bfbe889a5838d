// What SyncService takes from Supabase, and what it keeps of that.
#include <algorithm>

#include "daemon/dispatch/submission.hpp"
#include "daemon/service/claimed.hpp"
#include "daemon/service/events.hpp"
#include "daemon/service/modem_service.hpp"
#include "daemon/service/steps.hpp"
#include "daemon/service/sync_service.hpp"
#include "sync/plan/timing.hpp"

namespace conductor::service {
namespace {

using store::Tx;

constexpr int claim_limit = 200;  // the server cuts it to what the pool allows
constexpr std::chrono::seconds default_lease{600};
constexpr int leases_a_page = 1000;            // as gw_renew_v1 takes
constexpr std::size_t rows_a_modem = 20;       // that a box of several holds ahead
constexpr std::chrono::minutes unable_for{3};  // without a modem that can send, a box of several renews no lease

}  // namespace

/// A newer box has this identity, and these rows: they leave this one unsent, also when it cannot ask any more. Those with a go are given
/// back: else nobody could know that they did not go out.
aio::awaitable<void> SyncService::give_up_unsent() {
    const WallTime now = context_.record_time();
    for (;;) {
        auto job = [env = context_.env, granted = shared_.granted, now](Tx& tx) {
            auto rows = store::unsent_of_supabase(tx, 500);
            if (rows.empty()) granted->clear();
            for (auto& row : rows) {
                if (granted->is_for(row))
                    tell_supabase_released(tx, *env, *row.scheduled_message_id, row.claim_epoch, reason_lease_lost, now);
                dispatch::abandon(row, MessageStatus::cancelled, reason_lease_lost);
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
                dispatch::abandon(row, MessageStatus::cancelled, reason_lease_lost);
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
            const auto failed = tx.alone([&] { stored.any = take_claimed(tx, *env, one, now) || stored.any; });
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

std::chrono::seconds SyncService::lease() const {
    const auto& wanted = context_.env->config.supabase->lease;
    return wanted ? std::chrono::duration_cast<std::chrono::seconds>(*wanted) : default_lease;
}

/// When a third of the first lease is over that ends. A renewal that was in vain is not tried at once again.
aio::awaitable<Instant> SyncService::next_renewal() {
    const auto now = context_.wall();
    auto look = [](Tx& tx) { return store::first_lease_ending(tx); };
    const auto first = co_await context_.store.read(look);
    if (!now || !first || !*first) co_return Instant::max();
    const auto least = std::max<std::chrono::milliseconds>(lease() / 6, std::chrono::seconds{1});
    co_return context_.clock.now() + std::max<std::chrono::milliseconds>(**first - *now - lease() * 2 / 3, least);
}

aio::awaitable<bool> SyncService::keep_leases() {
    const auto now = context_.wall();
    if (!now) co_return true;
    if (able_modems() > 0 || able_at_ == Instant{}) able_at_ = context_.clock.now();
    if (!alone_ && context_.clock.now() - able_at_ > unable_for) co_return true;  // another box is to have them when their leases are over
    auto job = [before = *now + lease() * 2 / 3](Tx& tx) { return store::leases_ending(tx, before, leases_a_page); };
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
    bool lost = false;
    for (const auto& r : *renewed) {
        Kept k{r.id, std::nullopt, r.reason == "lease"};
        if (r.held && r.lease_expires_at)
            k.until = *now + std::chrono::duration_cast<std::chrono::milliseconds>(
                                 sync::lease_deadline(r.requested_at, r.server_now, *r.lease_expires_at, 1) - boot);
        lost = lost || !k.until;
        kept.push_back(k);
    }
    auto job2 = [env = context_.env, kept = std::move(kept), now = *now](Tx& tx) {
        for (const auto& k : kept) {
            auto row = store::find_by_scheduled(tx, k.job);
            if (!row || row->status != MessageStatus::queued) continue;
            row->lease_until = k.until;
            if (!k.until) {  // another box has it, or it was cancelled: it leaves this box; unsent, where no try of it may be out
                give_up(tx, *row, MessageStatus::cancelled, reason_lease_lost);
                row->ready = false;
            }
            if (row->status == MessageStatus::cancelled) {
                row->stored_status = row->status;  // nothing else to tell: the server knows better
                if (k.ours) tell_supabase_released(tx, *env, k.job, row->claim_epoch, reason_lease_lost, now);
            }
            save(tx, *env, *row, now);
        }
    };
    auto done = co_await context_.store.run(job2);
    if (lost) shared_.sync_wake.raise();  // what is given back is told
    co_return done.has_value();
}

}  // namespace conductor::service
