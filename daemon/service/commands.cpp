#include "daemon/service/commands.hpp"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "daemon/dispatch/submission.hpp"
#include "daemon/service/events.hpp"
#include "daemon/service/steps.hpp"
#include "daemon/store/tables.hpp"

namespace conductor::service {

using nlohmann::json;
using store::MessageRow;

bool withdraw(store::Tx& tx, const Env& env, const sync::Command& command, WallTime now, std::vector<Changed>& changed) {
    if (!command.job_id) return true;
    auto row = store::find_by_scheduled(tx, *command.job_id);
    if (!row || (command.epoch > 0 && command.epoch != row->claim_epoch)) return true;  // of a round that is over
    if (row->status != MessageStatus::queued) return row->status != MessageStatus::sending;
    if (has_parts_out(*row)) return false;
    const bool edit = command.kind == "edit";
    give_up(tx, *row, MessageStatus::cancelled, edit ? "edited" : "cancelled");  // unknown, where a try may be out
    row->ready = false;
    if (edit && row->status == MessageStatus::cancelled) {
        row->stored_status = row->status;
        tell_supabase_released(tx, env, *command.job_id, row->claim_epoch, "edited", now);
    }
    save(tx, env, *row, now);
    changed.push_back({row->id, row->status, row->reason.value_or("")});
    return true;
}

std::vector<Changed> obey_opt_out(store::Tx& tx, const Env& env, std::string_view payload, WallTime now) {
    const auto object = json::parse(payload, nullptr, false);
    if (!object.is_object()) return {};
    // columns of a person's table: null where nothing was typed, and value() throws on a null
    const auto word = [&object](const char* name, std::string otherwise) {
        const auto found = object.find(name);
        return found != object.end() && found->is_string() ? found->get<std::string>() : std::move(otherwise);
    };
    const auto active = object.find("active");
    const auto at = parse_rfc3339(word("at", {}));
    const store::OptOutRow row{.phone = word("phone_number", {}),
                               .active = active == object.end() || !active->is_boolean() || active->get<bool>(),
                               .reason = word("reason", "supabase"),
                               .actor = word("actor", "supabase"),
                               .at = std::min(at.value_or(now), now)};
    if (row.phone.empty()) return {};
    if (const auto known = store::find_opt_out(tx, row.phone)) {
        if (known->at > row.at || (known->at == row.at && (known->active || !row.active))) return {};
    }
    store::set_opt_out(tx, row);
    return row.active ? suppress_queued(tx, env, row.phone, now) : std::vector<Changed>{};
}

bool fails_for_good(const Error& error) {
    return error.is(store::StoreErrc::constraint) || error.is(store::StoreErrc::failed);
}

static void pause_queue(store::Tx& tx, bool pause, WallTime now) {
    if (pause)
        store::set_setting(tx, "paused", "supabase");
    else
        tx.run("DELETE FROM settings WHERE name = 'paused'");
    store::audit(tx, now, "supabase", pause ? "queue-pause" : "queue-resume", "queue");
}

Obeyed obey(store::Tx& tx, const Env& env, std::span<const sync::Command> commands, WallTime now) {
    Obeyed out;
    for (const auto& command : commands) {
        bool done = true;
        std::vector<Changed> changed;
        const auto failed = tx.alone([&] {
            if (command.kind == "cancel" || command.kind == "edit") {
                done = withdraw(tx, env, command, now, changed);
            } else if (command.kind == "opt_out") {
                changed = obey_opt_out(tx, env, command.payload, now);
            } else if (command.kind == "pause" || command.kind == "resume") {
                pause_queue(tx, command.kind == "pause", now);
                out.paused = command.kind == "pause";
            } else {
                out.unknown.emplace_back(command.id, command.kind);
            }
        });
        if (tx.failed()) return out;
        if (failed) out.failed.emplace_back(command.id, failed->text());
        if (done || failed) out.done.push_back(command.id);
        if (!failed) std::ranges::move(changed, std::back_inserter(out.changed));
    }
    return out;
}

}  // namespace conductor::service
