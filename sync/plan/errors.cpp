#include "sync/plan/errors.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "sync/plan/text.hpp"

namespace conductor::sync {

namespace {

struct ErrorBody {
    bool json = false;  ///< a JSON object
    std::string code, message;
};

std::string string_at(const nlohmann::json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

ErrorBody read_body(const std::string& body) {
    ErrorBody out;
    const auto parsed = nlohmann::json::parse(body, nullptr, false);
    if (!parsed.is_object()) return out;
    out.json = true;
    out.code = string_at(parsed, "error_code");
    if (out.code.empty()) out.code = string_at(parsed, "code");
    if (out.code.empty()) out.code = string_at(parsed, "error");
    out.message = string_at(parsed, "message");
    if (out.message.empty()) out.message = string_at(parsed, "msg");
    if (out.message.empty()) out.message = string_at(parsed, "error_description");
    out.message = clean_text(std::string_view{out.message}.substr(0, 200));
    return out;
}

template <std::size_t N>
bool one_of(std::string_view code, const std::array<std::string_view, N>& codes) {
    return std::ranges::find(codes, code) != codes.end();
}

/// Schema of another version, or a cache that was not reloaded yet (SUPABASE.md 8.7).
bool is_schema_code(std::string_view code) {
    static constexpr std::array<std::string_view, 9> codes = {"PGRST202", "PGRST203", "PGRST204", "PGRST205", "PGRST106",
                                                              "42883",    "42703",    "42P01",    "3F000"};
    return one_of(code, codes);
}

/// SQLSTATE classes and codes that pass by themselves: connections, rollbacks, resources, operator's hand, read-only after a failover.
bool is_passing_code(std::string_view code) {
    static constexpr std::array<std::string_view, 5> codes = {"PGRST000", "PGRST001", "PGRST002", "PGRST003", "25006"};
    static constexpr std::array<std::string_view, 7> classes = {"08", "40", "53", "55", "57", "58", "XX"};
    return one_of(code, codes) || (code.size() == 5 && one_of(code.substr(0, 2), classes));
}

/// PGRST301 and 302; 303 from version 13 of PostgREST; 42501 with 401 is a request without a token.
bool is_token_code(std::string_view code) {
    return code.starts_with("PGRST30") || code == "42501" || code == "bad_jwt";
}

bool is_passing_status(long status) {
    return status == 0 || status == 408 || status == 425 || status == 429 || (status >= 500 && status != 540);
}

Action judge_status(long status, const ErrorBody& body) {
    if (status >= 200 && status < 300) return Action::none;
    if (status == 401) return body.json && is_token_code(body.code) ? Action::refresh : Action::other_key;
    if (is_passing_code(body.code)) return Action::retry;
    if (is_schema_code(body.code)) return Action::not_ready;
    if (status == 402 || status == 403 || status == 540) return Action::restricted;
    if (is_passing_status(status)) return Action::retry;
    if (body.json && body.code == "22023" && body.message.find("role") != std::string::npos) return Action::refresh;
    if (status == 400 || status == 409 || status == 413 || status == 414 || status == 422) return Action::bisect;
    if (status >= 300 && status < 400) return Action::retry;  // a captive portal between us and the project
    return Action::not_ready;                                 // 404, 405, 406, 415 ...: not the server that we know
}

}  // namespace

std::string_view to_string(Action a) {
    switch (a) {
        case Action::none: return "none";
        case Action::retry: return "retry";
        case Action::refresh: return "refresh";
        case Action::other_key: return "other-key";
        case Action::restricted: return "restricted";
        case Action::not_ready: return "not-ready";
        case Action::bisect: return "bisect";
    }
    return "?";
}

Judgement judge_rest(const HttpAnswer& answer) {
    if (answer.status >= 200 && answer.status < 300) return {};
    ErrorBody body = read_body(answer.body);
    const Action action = judge_status(answer.status, body);
    return {action, std::move(body.code), std::move(body.message)};
}

Judgement judge_auth(const HttpAnswer& answer) {
    if (answer.status >= 200 && answer.status < 300) return {};
    ErrorBody body = read_body(answer.body);
    const std::string_view code = body.code;
    Action action = Action::restricted;
    if (is_passing_status(answer.status) || code == "over_request_rate_limit")
        action = Action::retry;
    else if (answer.status == 401 && !body.json)
        action = Action::other_key;
    else if (answer.status == 401 && code != "invalid_credentials" && code != "invalid_grant")
        action = Action::other_key;
    else if (code.starts_with("refresh_token_") || code.starts_with("session_"))
        action = Action::refresh;
    else if (answer.status == 404)
        action = Action::not_ready;
    else if (answer.status >= 300 && answer.status < 400)
        action = Action::retry;
    return {action, std::move(body.code), std::move(body.message)};
}

SyncErrc errc_of(Action action) {
    switch (action) {
        case Action::none:
        case Action::retry: return SyncErrc::retry_later;
        case Action::refresh:
        case Action::other_key: return SyncErrc::unauthorized;
        case Action::restricted: return SyncErrc::forbidden;
        case Action::not_ready: return SyncErrc::not_ready;
        case Action::bisect: return SyncErrc::rejected;
    }
    return SyncErrc::retry_later;
}

std::optional<std::chrono::seconds> parse_retry_after(std::string_view value) {
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
    while (!value.empty() && (value.back() == ' ' || value.back() == '\t' || value.back() == '\r' || value.back() == '\n'))
        value.remove_suffix(1);
    if (value.empty() || value.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
    std::int64_t seconds = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
    if (error != std::errc{} || seconds > 3600) seconds = 3600;
    if (seconds == 0) return std::nullopt;
    return std::chrono::seconds{seconds};
}

bool is_allowed_url(std::string_view url) {
    if (url.starts_with("https://")) return url.size() > 8;
    if (!url.starts_with("http://")) return false;
    std::string_view host = url.substr(7);
    host = host.substr(0, host.find('/'));
    if (host.find('@') != std::string_view::npos) return false;
    if (host.starts_with("[::1]")) return host.size() == 5 || host[5] == ':';
    host = host.substr(0, host.find(':'));
    return host == "127.0.0.1" || host == "localhost";
}

}  // namespace conductor::sync
