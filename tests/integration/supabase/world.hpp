#pragma once
// The daemon's world in these tests: PostgreSQL with the migrations, PostgREST, boxes, simulated modems.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
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
    explicit Stack(const fs::path& folder, int boxes = 1)
        : child_{{"node", SOURCE_DIR "/tests/support/supabase/stack.mjs", "--stay", "--gateways", std::to_string(boxes)},
                 folder / "stack.log"} {
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
    Child child_;
    json ready_;
};

inline GatewayOptions options_for(const Sim& sim, const Stack& stack, const fs::path& secrets, const std::string& user = "supabase-user",
                                  const std::string& heard = "realtime = false\npoll = \"1s\"\n") {
    const std::string table = "[supabase]\nurl = \"" + stack.url() + "\"\nkey_file = \"" + (secrets / "supabase-key").string() +
                              "\"\nuser_file = \"" + (secrets / user).string() + "\"\n" + heard;
    return {.ports = sim.ports(), .send = {}, .more = table};
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
