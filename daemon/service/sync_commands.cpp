// What SyncService does that Supabase asks for.
#include <algorithm>

#include "daemon/dispatch/submission.hpp"
#include "daemon/service/commands.hpp"
#include "daemon/service/events.hpp"
#include "daemon/service/sync_service.hpp"

namespace conductor::service {
namespace {

using store::MessageRow;
using store::Tx;

constexpr std::size_t commands_a_page = 100;  // as gw_commands_v1 answers

bool may_have_gone_out(const MessageRow& row) {
    return std::ranges::any_of(row.parts, [](const Part& p) { return p.status != PartStatus::waiting && p.status != PartStatus::failed; });
}

}  // namespace

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

}  // namespace conductor::service
