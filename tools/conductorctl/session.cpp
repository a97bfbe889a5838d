#include "tools/conductorctl/session.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>

namespace conductor::ctl {

using nlohmann::json;

bool one_line(std::string_view argument) {
    const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
    return !argument.empty() && std::ranges::none_of(argument, control);
}

int exit_code_of(int http_status) {
    switch (http_status) {
        case 200:
        case 202: return done;
        case 404: return not_found;
        case 401:
        case 403:
        case 409:
        case 422: return refused;
        default: return failed;
    }
}

int Session::fail(int exit_code, std::string_view error_code, const std::string& message) {
    code = exit_code;
    if (json) {
        nlohmann::json body;
        body["error"] = {{"code", error_code}, {"message", message}, {"field", nullptr}};
        io.out << body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
    } else {
        io.err << "conductorctl: " << message << '\n';
    }
    return code;
}

std::optional<std::string> Session::raw(std::string_view method, const std::string& path, const nlohmann::json* body,
                                        std::chrono::seconds limit) {
    const std::string text = body ? body->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) : std::string{};
    Client::Reply reply = client.call(method, path, text, "application/json", limit);
    if (reply.status == 0) {
        fail(unreachable, "unreachable", reply.problem);
        return std::nullopt;
    }
    if (exit_code_of(reply.status) == done) {
        code = done;
        return std::move(reply.body);
    }
    tell(reply);
    return std::nullopt;
}

int Session::tell(const Client::Reply& reply) {
    code = exit_code_of(reply.status);
    const auto error = nlohmann::json::parse(reply.body, nullptr, false);
    if (json && error.is_object()) {
        io.out << reply.body << '\n';
        return code;
    }
    const bool known = error.is_object() && error.contains("error") && error["error"].is_object();
    std::string message = known ? cell(error["error"], "message") : "the daemon answered " + std::to_string(reply.status);
    if (known && error["error"].contains("id")) message += " (message " + cell(error["error"], "id") + ")";
    return fail(code, known ? cell(error["error"], "code") : "bad-answer", message);
}

std::optional<json> Session::call(std::string_view method, const std::string& path, const nlohmann::json* body,
                                  std::chrono::seconds limit) {
    const auto text = raw(method, path, body, limit);
    if (!text) return std::nullopt;
    auto answer = nlohmann::json::parse(*text, nullptr, false);
    if (!answer.is_discarded()) return answer;
    fail(failed, "bad-answer", "the daemon's answer is no JSON");
    return std::nullopt;
}

std::optional<json> Session::show(std::string_view method, const std::string& path, const nlohmann::json* body,
                                  std::chrono::seconds limit) {
    if (!json) return call(method, path, body, limit);
    if (const auto text = raw(method, path, body, limit)) io.out << *text << '\n';
    return std::nullopt;
}

}  // namespace conductor::ctl
