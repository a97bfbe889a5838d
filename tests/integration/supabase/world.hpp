#pragma once
// The daemon's world in these tests: PostgreSQL with the migrations, PostgREST, boxes, simulated modems.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>

#include "tools/harness/gateway.hpp"
#include "tools/harness/sim.hpp"

namespace conductor::supabase_test {

using namespace conductor::harness;
using nlohmann::json;
using namespace std::chrono_literals;

/// tests/support/supabase/stack.mjs as a child.
class Stack {
public:
    /// The user file of box n, from 1, is "supabase-user-<n>"; of the first also "supabase-user".
    /// `clock`: a file of shifted_clock.so that PostgreSQL goes by; empty: its own clock.
    explicit Stack(const fs::path& folder, int boxes = 1, const fs::path& clock = {})
        : child_{command(boxes, clock), folder / "stack.log"} {
        if (!child_.wait_for_output("\n", 60s)) throw std::runtime_error("no Supabase stand-in: " + child_.output());
        ready_ = json::parse(child_.output().substr(0, child_.output().find('\n')));
        write_file(folder / "supabase-key", ready_["key"].get<std::string>() + "\n");
        write_file(folder / "supabase-user", ready_["email"].get<std::string>() + "\n" + ready_["password"].get<std::string>() + "\n");
        for (const json& box : ready_["gateways"])
            write_file(folder / ("supabase-user-" + box["id"].get<std::string>().substr(4)),
                       box["email"].get<std::string>() + "\n" + box["password"].get<std::string>() + "\n");
    }
    std::string url() const { return ready_["url"]; }
    /// What psql -At prints.
    std::string sql(const std::string& text) const {
        const HttpAnswer answer = http(ready_["control"], "POST", "/sql", text, "text/plain");
        if (answer.status != 200) throw std::runtime_error(text + ": " + answer.body);
        std::string out = answer.json().is_string() ? answer.json().get<std::string>() : answer.body;
        while (out.ends_with('\n')) out.pop_back();
        return out;
    }
    int count(const std::string& from_where) const { return std::stoi(sql("select count(*) from " + from_where)); }
    void postgrest(const std::string& action) const {
        const HttpAnswer answer = http(ready_["control"], "POST", "/postgrest", json{{"action", action}}.dump(), "application/json", 60s);
        if (answer.status != 200) throw std::runtime_error("postgrest " + action + ": " + answer.body);
    }

private:
    static std::vector<std::string> command(int boxes, const fs::path& clock) {
        std::vector<std::string> argv{"node", SOURCE_DIR "/tests/support/supabase/stack.mjs", "--stay", "--gateways",
                                      std::to_string(boxes)};
        if (!clock.empty()) argv.insert(argv.end(), {"--clock", clock.string(), "--clock-library", BINARY_DIR "/shifted_clock.so"});
        return argv;
    }

    Child child_;
    json ready_;
};

/// `url`: of the project as this box sees it; empty: the stack's own.
inline GatewayOptions options_for(const Sim& sim, const Stack& stack, const fs::path& secrets, const std::string& user = "supabase-user",
                                  const std::string& heard = "realtime = false\npoll = \"1s\"\n", const std::string& url = {}) {
    const std::string table = "[supabase]\nurl = \"" + (url.empty() ? stack.url() : url) + "\"\nkey_file = \"" +
                              (secrets / "supabase-key").string() + "\"\nuser_file = \"" + (secrets / user).string() + "\"\n" + heard;
    return {.ports = sim.ports(), .send = {}, .more = table};
}

/// What a program needs so that its clock is shifted by the file `clock`. With AddressSanitizer the library comes before its runtime.
inline std::vector<std::string> shifted_by(const fs::path& clock) {
    const char* asan = std::getenv("ASAN_OPTIONS");
    return {"LD_PRELOAD=" BINARY_DIR "/shifted_clock.so", "CONDUCTOR_CLOCK=" + clock.string(),
            "ASAN_OPTIONS=" + std::string{asan ? asan : ""} + ":verify_asan_link_order=0"};
}
/// Writes it: the real-time clock is so far ahead of the truth, and said to be synchronised or not.
inline void set_clock(const fs::path& clock, std::chrono::nanoseconds real, bool synchronized) {
    const std::int64_t all[] = {real.count(), 0, synchronized};
    std::fstream out{clock, std::ios::binary | std::ios::in | std::ios::out};  // in place: it is mapped
    if (!out) out.open(clock, std::ios::binary | std::ios::out);
    out.write(reinterpret_cast<const char*>(all), sizeof all);
}

/// Rows as a producer writes them: number, text, time and status, all else by default.
inline void schedule(const Stack& stack, int first, int count) {
    std::string rows;
    for (int n = first; n < first + count; ++n)
        rows += std::string{rows.empty() ? "" : ","} + "('" + invented_number(n) + "','row " + std::to_string(n) + "', now(), 'scheduled')";
    stack.sql("insert into scheduled_messages (phone_number, message_content, scheduled_send_time, status) values " + rows);
}

inline std::string states(const Stack& stack) {
    return "\n" + stack.sql("select count(*), status, delivery_status, reason from scheduled_messages group by 2, 3, 4 order by 2");
}

}  // namespace conductor::supabase_test
