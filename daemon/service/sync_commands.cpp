// What SyncService does that Supabase asks for.
#include "daemon/service/commands.hpp"
#include "daemon/service/sync_service.hpp"

namespace conductor::service {
using store::Tx;

aio::awaitable<bool> SyncService::obey_commands() {
    for (;;) {
        auto commands = co_await client_.commands();
        if (!commands) co_return false;
        std::vector<std::int64_t> obeyed;
        for (const auto& command : *commands) {
            auto done = co_await obey(command);
            if (!done) log_.error("command-failed", {{"kind", command.kind}, {"id", command.id}, {"error", done.error().text()}});
            if (!done && !fails_for_good(done.error())) co_return false;
            if (!done || *done) obeyed.push_back(command.id);  // one that can never be obeyed must not hold those behind it
        }
        if (obeyed.empty()) co_return true;
        // what ended is told before its command is acknowledged: from then on Supabase may give the row to another box
        const bool told = co_await upload(store::Stream::report);
        if (!told) co_return false;
        const auto acknowledged = co_await client_.acknowledge(std::move(obeyed));
        if (!acknowledged) co_return false;
        if (commands->size() < sync::commands_a_page) co_return true;
    }
}

aio::awaitable<Result<bool>> SyncService::obey(const sync::Command& command) {
    const WallTime now = context_.record_time();
    if (command.kind == "cancel" || command.kind == "edit") {
        auto job = [env = context_.env, command, now](Tx& tx) { return withdraw(tx, *env, command, now); };
        auto done = co_await context_.store.run(job);
        shared_.sync_wake.raise();
        co_return done;
    }
    if (command.kind == "opt_out") {
        auto job2 = [env = context_.env, payload = command.payload, now](Tx& tx) { return obey_opt_out(tx, *env, payload, now); };
        auto done = co_await context_.store.run(job2);
        if (!done) co_return done.error();
        shared_.note(*done);
        co_return true;
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
        co_return true;
    }
    log_.warning("command-not-known", {{"kind", command.kind}, {"id", command.id}});
    co_return true;
}

}  // namespace conductor::service
