#pragma once
// The Supabase test stack (stack.mjs) as a child of a test: real PostgreSQL and PostgREST behind the proxy with its faults.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "tools/harness/http.hpp"
#include "tools/harness/process.hpp"

namespace conductor::supabase_stack {

using nlohmann::json;

class Stack {
public:
    /// Starts it and waits until it is ready; throws with its output when it is not, as when `tools/deps --test` was not run.
    explicit Stack(std::vector<std::string> options = {}) : child_{command(std::move(options)), folder_ / "stack.log"} {
        const bool up = child_.wait_for_output("\"pid\":", std::chrono::seconds{60});
        const std::string output = child_.output();
        const std::size_t begin = output.find("{\"url\"");
        if (!up || begin == std::string::npos)
            throw std::runtime_error{"the stack did not start (tools/deps --test installs it): " + output};
        ready_ = json::parse(output.substr(begin, output.find('\n', begin) - begin));
    }

    std::string url() const { return ready_.at("url"); }
    std::string key() const { return ready_.at("key"); }
    std::string dsn() const { return ready_.at("dsn"); }
    /// {"id", "pool", "email", "password"} of the n-th box, from 0.
    const json& gateway(std::size_t n = 0) const { return ready_.at("gateways").at(n); }

    /// All that it said when it was ready, for a program that needs it.
    const json& ready() const { return ready_; }
    /// What Realtime does from now on, and now (control() of realtime.mjs): {"mute", "refuse", "drop", "joinError", "do", "why"}; where it
    /// stands: {"sockets", "channels", "joins"}.
    json realtime(const json& what) const { return control("POST", "/realtime", what.dump()).json(); }

    /// Runs SQL as superuser; what psql -At prints, without the last newline.
    std::string sql(const std::string& text) const {
        std::string out = control("POST", "/sql", text).body;
        if (!out.empty() && out.back() == '\n') out.pop_back();
        return out;
    }
    long count(const std::string& table_and_where) const { return std::stol(sql("select count(*) from " + table_and_where)); }
    /// {"mode": "cut" | "delay" | "status" | "drop", "match", "count", "ms", "status", "headers", "body"}
    void fault(const json& fault) const { control("POST", "/fault", fault.dump()); }
    void reset() const { control("POST", "/reset", "{}"); }
    void postgrest(bool up) const { control("POST", "/postgrest", up ? R"({"action":"start"})" : R"({"action":"stop"})"); }
    void token_life(int seconds) const { control("POST", "/expiry", json{{"seconds", seconds}}.dump()); }
    void revoke_refresh_tokens() const { control("POST", "/revoke", "{}"); }
    json add_gateway(const std::string& id, const std::string& pool) const {
        return control("POST", "/gateway", json{{"id", id}, {"pool", pool}}.dump()).json();
    }
    /// A person or program of staff_roles: {"id", "email", "password", "token"}.
    json add_user(const std::string& email, const std::vector<std::string>& roles) const {
        return control("POST", "/user", json{{"email", email}, {"roles", roles}}.dump()).json();
    }
    /// Requests since reset(): [{"method", "url", "bytes", "fault", "status"}].
    json log() const { return control("GET", "/log", {}).json(); }

private:
    static std::vector<std::string> command(std::vector<std::string> options) {
        std::vector<std::string> argv = {"node", SOURCE_DIR "/tests/support/supabase/stack.mjs", "--stay"};
        argv.insert(argv.end(), options.begin(), options.end());
        return argv;
    }
    harness::HttpAnswer control(const std::string& method, const std::string& path, const std::string& body) const {
        auto answer = harness::http(ready_.at("control"), method, path, body);
        if (answer.status != 200) throw std::runtime_error{"stack: " + method + " " + path + ": " + answer.body};
        return answer;
    }

    harness::TempDir folder_;
    harness::Child child_;
    json ready_;
};

}  // namespace conductor::supabase_stack
