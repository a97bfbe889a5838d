// Modems, suppression and consent, and the gateway itself.
#include <nlohmann/json.hpp>

#include "daemon/api/fields.hpp"
#include "daemon/api/handlers.hpp"

namespace conductor::api::handlers {
namespace {

using nlohmann::json;

constexpr std::string_view at_fields[] = {"command"};
constexpr std::string_view ussd_fields[] = {"code"};
constexpr std::string_view probe_fields[] = {"port"};
constexpr std::string_view opt_out_fields[] = {"reason", "actor"};
constexpr std::string_view modem_actions[] = {"enable", "disable", "pause", "resume", "reset", "accept-sim"};

Response json_answer(const Answer<json>& answer) {
    return answer ? json_response(*answer) : error_response(answer.error());
}

json to_json(const OptOut& o) {
    json out = {{"phone_number", o.phone_number}, {"active", o.active}, {"reason", o.reason}, {"actor", o.actor}};
    out["at"] = to_rfc3339(o.at);
    return out;
}

/// One string member that must be there, 1-most octets without control characters (it goes to a modem).
Answer<std::string> line_of(const Request& request, std::span<const std::string_view> known, std::size_t most) {
    const auto body = body_of(request);
    if (!body) return body.error();
    Fields fields{*body, known};
    fields.require(known.front());
    const std::string line = fields.text(known.front(), most).value_or("");
    if (line.empty()) fields.refuse("bad-value", known.front(), "must not be empty");
    for (const char c : line)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
            fields.refuse("bad-value", known.front(), "must not hold control characters");
    if (fields.problem()) return *fields.problem();
    return line;
}

}  // namespace

Response json_response(const json& body, int status) {
    Response response;
    response.status = status;
    response.body = body.dump(-1, ' ', false, json::error_handler_t::replace);
    return response;
}

Answer<json> body_of(const Request& request, bool optional) {
    if (optional && request.body.empty()) return json::object();
    auto body = parse_json(request.body);
    if (body && !body->is_object()) return Refusal{400, "bad-json", "a JSON object is expected"};
    return body;
}

std::optional<Refusal> no_body(const Request& request) {
    const auto body = body_of(request, true);
    if (!body) return body.error();
    const Fields fields{*body, {}};
    return fields.problem();
}

Answer<ModemIndex> modem_of(const Request& request) {
    const auto index = parse_integer(request.params.at(0), 0, 9999);
    if (!index) return Refusal{404, "not-found", "no such modem", "index"};
    return static_cast<ModemIndex>(*index);
}

awaitable<Response> list_modems(Backend& backend, Request) {
    json body;
    body["modems"] = backend.modems();
    co_return json_response(body);
}

awaitable<Response> get_modem(Backend& backend, Request request) {
    const auto index = modem_of(request);
    if (!index) co_return error_response(index.error());
    co_return json_answer(backend.modem(*index));
}

awaitable<Response> modem_action(Backend& backend, Request request) {
    const std::string action = request.params.at(1);
    if (std::ranges::find(modem_actions, action) == std::end(modem_actions)) co_return no_route(Match{});
    if (const auto refusal = no_body(request)) co_return error_response(*refusal);
    const auto index = modem_of(request);
    if (!index) co_return error_response(index.error());
    co_return json_answer(co_await backend.modem_action(*index, action, std::move(request.actor)));
}

namespace {

/// "AT+CSQ", "at+csq" and "+CSQ" are one command: people write what they would type into a terminal.
std::string without_at(std::string command) {
    const bool prefixed = command.size() >= 2 && (command[0] == 'A' || command[0] == 'a') && (command[1] == 'T' || command[1] == 't');
    if (prefixed) command.erase(0, 2);
    return command;
}

}  // namespace

awaitable<Response> modem_at(Backend& backend, Request request) {
    const auto index = modem_of(request);
    if (!index) co_return error_response(index.error());
    const auto command = line_of(request, at_fields, 512);
    if (!command) co_return error_response(command.error());
    co_return json_answer(co_await backend.modem_at(*index, without_at(*command), std::move(request.actor)));
}

awaitable<Response> modem_ussd(Backend& backend, Request request) {
    const auto index = modem_of(request);
    if (!index) co_return error_response(index.error());
    const auto code = line_of(request, ussd_fields, 182);  // TS 24.090: a USSD string is at most 160 octets, 182 septets
    if (!code) co_return error_response(code.error());
    co_return json_answer(co_await backend.modem_ussd(*index, *code, std::move(request.actor)));
}

awaitable<Response> modem_trace(Backend& backend, Request request) {
    const auto index = modem_of(request);
    if (!index) co_return error_response(index.error());
    const Answer<std::string> trace = backend.modem_trace(*index);
    if (!trace) co_return error_response(trace.error());
    Response response;
    response.content_type = "text/plain; charset=utf-8";
    response.body = *trace;
    co_return response;
}

awaitable<Response> get_discovery(Backend& backend, Request request) {
    co_return json_answer(co_await backend.discovery(false, std::move(request.actor)));
}

awaitable<Response> post_discovery(Backend& backend, Request request) {
    if (const auto refusal = no_body(request)) co_return error_response(*refusal);
    co_return json_answer(co_await backend.discovery(true, std::move(request.actor)));
}

awaitable<Response> probe_port(Backend& backend, Request request) {
    const auto name = line_of(request, probe_fields, 512);
    if (!name) co_return error_response(name.error());
    co_return json_answer(co_await backend.probe_port(*name, std::move(request.actor)));
}

awaitable<Response> list_opt_outs(Backend& backend, Request) {
    const Answer<std::vector<OptOut>> all = co_await backend.opt_outs();
    if (!all) co_return error_response(all.error());
    json body;
    body["opt_outs"] = json::array();
    for (const OptOut& one : *all) body["opt_outs"].push_back(to_json(one));
    co_return json_response(body);
}

namespace {

awaitable<Response> set_opt_out(Backend& backend, Request request, bool active) {
    const auto body = body_of(request, true);
    if (!body) co_return error_response(body.error());
    Fields fields{*body, opt_out_fields};
    std::string reason = fields.text("reason", 500).value_or("");
    const auto on_behalf = fields.text("actor", 200);
    if (fields.problem()) co_return error_response(*fields.problem());
    Actor actor = std::move(request.actor);
    if (on_behalf && !on_behalf->empty()) actor.name += " for " + *on_behalf;  // the audit keeps who really asked
    const Answer<OptOut> answer = co_await backend.set_opt_out(request.params.at(0), active, std::move(reason), std::move(actor));
    co_return answer ? json_response(to_json(*answer)) : error_response(answer.error());
}

}  // namespace

awaitable<Response> put_opt_out(Backend& backend, Request request) {
    return set_opt_out(backend, std::move(request), true);
}

awaitable<Response> delete_opt_out(Backend& backend, Request request) {
    return set_opt_out(backend, std::move(request), false);
}

awaitable<Response> get_consent(Backend& backend, Request request) {
    co_return json_answer(co_await backend.consent(std::move(request.params.at(0))));
}

awaitable<Response> put_consent(Backend& backend, Request request) {
    auto body = body_of(request);
    if (!body) co_return error_response(body.error());
    co_return json_answer(co_await backend.set_consent(std::move(request.params.at(0)), *std::move(body), std::move(request.actor)));
}

awaitable<Response> get_status(Backend& backend, Request) {
    co_return json_answer(co_await backend.status());
}

awaitable<Response> release_database(Backend& backend, Request request) {
    if (const auto refusal = no_body(request)) co_return error_response(*refusal);
    co_return json_answer(co_await backend.release_database(std::move(request.actor)));
}

awaitable<Response> get_sync(Backend& backend, Request) {
    co_return json_answer(co_await backend.sync_status());
}

awaitable<Response> post_sync(Backend& backend, Request request) {
    if (const auto refusal = no_body(request)) co_return error_response(*refusal);
    co_return json_answer(co_await backend.sync_now(std::move(request.actor)));
}

awaitable<Response> get_health(Backend& backend, Request) {
    const json health = backend.health();
    const auto ok = health.find("ok");
    co_return json_response(health, ok != health.end() && ok->is_boolean() && ok->get<bool>() ? 200 : 503);
}

awaitable<Response> get_metrics(Backend& backend, Request) {
    Response response;
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    response.body = backend.metrics();
    co_return response;
}

}  // namespace conductor::api::handlers
