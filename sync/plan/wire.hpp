#pragma once
// The gw_*_v1 functions as JSON (sync/supabase/API.md). Unknown keys of an answer are ignored, missing ones named in the error.
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sync/plan/types.hpp"

namespace conductor::sync {

/// Bodies of POST /rest/v1/rpc/<function>: {"p": {...}}. `instance` may be empty: then nobody is fenced.
std::string hello_request(const Hello& hello);
std::string claim_request(const ClaimRequest& claim, std::string_view instance);
/// `adopt`: instances of this box that are no more, "*" for all others.
std::string mine_request(std::int64_t after, std::string_view instance, std::span<const std::string> adopt = {});
std::string begin_request(std::span<const BeginItem> jobs, std::string_view instance);
std::string renew_request(std::span<const BeginItem> jobs, std::optional<std::chrono::seconds> lease, std::string_view instance);
std::string commands_request(std::string_view instance, std::int64_t after = 0);
std::string acknowledge_request(std::span<const std::int64_t> ids);

/// An outbox item as an object of the batch: `body` cleaned, with `id` under `id_name` ("event_id", "local_id"). SyncErrc::rejected when
/// the body is no JSON object.
Result<std::string> item_json(std::string_view body, std::string_view id_name, std::string_view id);
/// {"p": {"items": [...]}} of such objects.
std::string items_request(std::span<const std::string> items);

Result<HelloAnswer> parse_hello(std::string_view body);
Result<ClaimAnswer> parse_claim(std::string_view body);  ///< of gw_claim_v1 and gw_mine_v1
Result<std::vector<BeginAnswer>> parse_begin(std::string_view body);
Result<std::vector<RenewAnswer>> parse_renew(std::string_view body);
Result<std::vector<ItemVerdict>> parse_verdicts(std::string_view body);
struct CommandsAnswer {
    bool fenced = false;
    std::vector<Command> commands;
};
Result<CommandsAnswer> parse_commands(std::string_view body);
/// "server_now" of any answer; empty when it has none.
std::optional<WallTime> parse_server_now(std::string_view body);

/// Auth: the bodies of POST /auth/v1/token, and what it answers.
std::string password_request(std::string_view email, std::string_view password);
std::string refresh_request(std::string_view refresh_token);
struct Session {
    std::string access_token, refresh_token;
    std::chrono::seconds expires_in{3600};  ///< from receipt
};
Result<Session> parse_session(std::string_view body);

}  // namespace conductor::sync
