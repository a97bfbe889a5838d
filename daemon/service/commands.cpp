#include "daemon/service/commands.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/dispatch/submission.hpp"
#include "daemon/service/events.hpp"
#include "daemon/store/tables.hpp"

namespace conductor::service {

using nlohmann::json;
using store::MessageRow;

static bool may_have_gone_out(const MessageRow& row) {
    return std::ranges::any_of(row.parts, [](const Part& p) { return p.status != PartStatus::waiting && p.status != PartStatus::failed; });
}

bool withdraw(store::Tx& tx, const Env& env, const sync::Command& command, WallTime now) {
    if (!command.job_id) return true;
    auto row = store::find_by_scheduled(tx, *command.job_id);
    if (!row || (command.epoch > 0 && command.epoch != row->claim_epoch)) return true;  // of a round that is over
    if (row->status != MessageStatus::queued) return row->status != MessageStatus::sending;
    if (may_have_gone_out(*row)) return false;
    const bool edit = command.kind == "edit";
    dispatch::abandon(*row, MessageStatus::cancelled, edit ? "edited" : "cancelled");
    row->ready = false;
    if (edit) {
        row->stored_status = row->status;
        tell_supabase_released(tx, env, *command.job_id, row->claim_epoch, "edited", now);
    }
    save(tx, env, *row, now);
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

}  // namespace conductor::service
