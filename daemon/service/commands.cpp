#include "daemon/service/commands.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/store/tables.hpp"

namespace conductor::service {

using nlohmann::json;

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
