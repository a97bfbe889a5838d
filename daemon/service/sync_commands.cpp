// What SyncService does that Supabase asks for.
#include <algorithm>
#include <span>

#include "daemon/service/commands.hpp"
#include "daemon/service/sync_service.hpp"

namespace conductor::service {
namespace {

using store::Tx;

constexpr std::size_t commands_a_step = 100;  // in one transaction: a campaign that is cancelled has thousands

}  // namespace

/// Every page of them, also behind those that cannot be acknowledged yet: these come again in the next round.
aio::awaitable<bool> SyncService::obey_commands() {
    for (std::int64_t after = 0;;) {
        auto commands = co_await client_.commands(after);
        if (!commands) co_return false;
        std::vector<std::int64_t> done;
        for (std::size_t at = 0; at < commands->size(); at += commands_a_step) {
            const auto step = std::span{*commands}.subspan(at, std::min(commands_a_step, commands->size() - at));
            std::vector<sync::Command> some{step.begin(), step.end()};
            auto obeyed = co_await obey(std::move(some));
            if (!obeyed) co_return false;
            done.insert(done.end(), obeyed->begin(), obeyed->end());
        }
        if (!done.empty()) {
            // what ended is told before its command is acknowledged: from then on Supabase may give the row to another box
            const bool told = co_await upload(store::Stream::report);
            if (!told) co_return false;
            const auto acknowledged = co_await client_.acknowledge(std::move(done));
            if (!acknowledged) co_return false;
        }
        if (commands->size() < sync::commands_a_page || commands->back().id <= after) co_return true;
        after = commands->back().id;
    }
}

/// Those that may be acknowledged.
aio::awaitable<Result<std::vector<std::int64_t>>> SyncService::obey(std::vector<sync::Command> commands) {
    const WallTime now = context_.record_time();
    auto job = [env = context_.env, commands = std::move(commands), now](Tx& tx) { return service::obey(tx, *env, commands, now); };
    auto obeyed = co_await context_.store.run(job);
    if (!obeyed) {
        log_.error("commands-failed", {{"error", obeyed.error().text()}});
        co_return obeyed.error();
    }
    for (const auto& [id, why] : obeyed->failed) log_.error("command-failed", {{"id", id}, {"error", why}});
    for (const auto& [id, kind] : obeyed->unknown) log_.warning("command-not-known", {{"kind", kind}, {"id", id}});
    shared_.note(obeyed->changed);
    if (obeyed->paused) {
        shared_.paused = *obeyed->paused;
        if (!shared_.paused) shared_.wake_all();
    }
    co_return std::move(obeyed->done);
}

}  // namespace conductor::service
