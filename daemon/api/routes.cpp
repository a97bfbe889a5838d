#include "daemon/api/routes.hpp"

#include <nlohmann/json.hpp>

#include "daemon/api/batch.hpp"
#include "daemon/api/handlers.hpp"

namespace conductor::api {
namespace {

using namespace handlers;

constexpr Route routes[] = {
    {"POST", "/v1/messages", Scope::send, post_message},
    {"POST", "/v1/messages/preview", Scope::read, preview_message},
    {"GET", "/v1/messages", Scope::read, list_messages},
    {"POST", batch_path, Scope::send, post_batch},
    {"GET", "/v1/messages/{id}", Scope::read, get_message},
    {"GET", "/v1/messages/{id}/explain", Scope::read, explain_message},
    {"POST", "/v1/messages/{id}/cancel", Scope::send, cancel_message},
    {"POST", "/v1/messages/{id}/retry", Scope::send, retry_message},
    {"POST", "/v1/messages/{id}/read", Scope::send, read_message},
    {"GET", "/v1/inbox", Scope::read, list_inbox},
    {"POST", "/v1/inbox/claim", Scope::send, claim_inbox},
    {"POST", "/v1/queue/pause", Scope::admin, pause_queue},
    {"POST", "/v1/queue/resume", Scope::admin, resume_queue},
    {"GET", "/v1/modems", Scope::read, list_modems},
    {"GET", "/v1/modems/{i}", Scope::read, get_modem},
    {"GET", "/v1/modems/{i}/trace", Scope::admin, modem_trace},
    {"POST", "/v1/modems/{i}/at", Scope::admin, modem_at},
    {"POST", "/v1/modems/{i}/ussd", Scope::admin, modem_ussd},
    {"POST", "/v1/modems/{i}/{action}", Scope::admin, modem_action},
    {"GET", "/v1/discovery", Scope::read, get_discovery},
    {"POST", "/v1/discovery", Scope::admin, post_discovery},
    {"POST", "/v1/discovery/probe", Scope::admin, probe_port},
    {"GET", "/v1/opt-outs", Scope::read, list_opt_outs},
    {"PUT", "/v1/opt-outs/{number}", Scope::send, put_opt_out},
    {"DELETE", "/v1/opt-outs/{number}", Scope::admin, delete_opt_out},
    {"GET", "/v1/consents/{number}", Scope::read, get_consent},
    {"PUT", "/v1/consents/{number}", Scope::admin, put_consent},
    {"GET", "/v1/status", Scope::read, get_status},
    {"POST", "/v1/db/release", Scope::admin, release_database},
    {"GET", "/v1/sync", Scope::read, get_sync},
    {"POST", "/v1/sync", Scope::admin, post_sync},
    {"GET", "/healthz", Scope::read, get_health},
    {"GET", "/metrics", Scope::read, get_metrics},
};

/// Takes the next segment of a path that begins with '/'.
std::string_view next_segment(std::string_view& path) {
    path.remove_prefix(1);
    const std::string_view segment = path.substr(0, path.find('/'));
    path.remove_prefix(segment.size());
    return segment;
}

/// The {…} of `path` when it fits `pattern`.
std::optional<std::vector<std::string>> match(std::string_view pattern, std::string_view path) {
    std::vector<std::string> params;
    while (pattern.starts_with('/') && path.starts_with('/')) {
        const std::string_view want = next_segment(pattern), have = next_segment(path);
        if (!want.starts_with('{')) {
            if (want != have) return std::nullopt;
            continue;
        }
        auto decoded = percent_decode(have);
        if (!decoded || decoded->empty()) return std::nullopt;
        params.push_back(*std::move(decoded));
    }
    if (!pattern.empty() || !path.empty()) return std::nullopt;
    return params;
}

}  // namespace

std::optional<Scope> parse_scope(std::string_view text) {
    if (text == "read") return Scope::read;
    if (text == "send") return Scope::send;
    if (text == "admin") return Scope::admin;
    return std::nullopt;
}

Match find_route(std::string_view method, std::string_view path) {
    Match found;
    for (const Route& route : routes) {
        auto params = match(route.pattern, path);
        if (!params) continue;
        if (route.method == method) {
            found.route = &route;
            found.params = *std::move(params);
            return found;
        }
        if (!found.allow.empty()) found.allow += ", ";
        found.allow += route.method;
    }
    return found;
}

Response no_route(const Match& match) {
    if (match.allow.empty()) {
        const Refusal refusal{404, "not-found", "no such path"};
        return error_response(refusal);
    }
    const Refusal refusal{405, "method-not-allowed", "this path knows " + match.allow};
    Response response = error_response(refusal);
    response.headers.emplace_back("Allow", match.allow);
    return response;
}

aio::awaitable<Response> handle(Backend& backend, Request request) {
    Match match = find_route(request.method, request.path);
    if (!match.route) co_return no_route(match);
    request.params = std::move(match.params);
    const Handler handler = match.route->handler;
    std::string what;
    bool callers = false;  // the caller's fault: a number that no double holds
    try {
        co_return co_await handler(backend, std::move(request));
    } catch (const nlohmann::json::exception&) {
        callers = true;
    } catch (const std::exception& e) {
        what = e.what();
    }
    if (callers) {
        const Refusal refusal{400, "bad-json", "the body holds a value that cannot be read, such as a number out of range"};
        co_return error_response(refusal);
    }
    const Refusal refusal{500, "internal", "the daemon failed to do this: " + what};
    co_return error_response(refusal);
}

}  // namespace conductor::api
