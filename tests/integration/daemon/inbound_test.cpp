// What arrives is stored once, whatever the modem, the network and a kill in the middle do to it.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>

#include "tests/integration/daemon/checks.hpp"

using namespace conductor::harness;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

/// The n-th arrival, in turn: plain, three parts in some order, surrogates cut by the parts, an unknown national table, junk.
struct Arrival {
    json inject;
    std::string text;  ///< empty for junk
    std::string octets{};
};

Arrival arrival(int n) {
    static constexpr std::array<std::array<int, 3>, 6> orders{{{1, 2, 3}, {1, 3, 2}, {2, 1, 3}, {2, 3, 1}, {3, 1, 2}, {3, 2, 1}}};
    const std::string own = " no. " + std::to_string(n), from = invented_number(n);
    json inject = {{"do", "inject"}, {"modem", n % 2}, {"from", from}};
    if (n % 5 == 4) {  // the address goes on past the end
        const std::string octets = "07915155109999F9040B91" + std::to_string(1000 + n);
        inject["pdu"] = octets;
        return {inject, "", octets};
    }
    std::string text = "hello" + own;
    if (n % 5 == 1) text = std::string(150, 'a') + std::string(150, 'b') + std::string(50, 'c') + own;
    if (n % 5 == 2) {
        text = "x" + own;
        for (int i = 0; i < 80; ++i) text += "\xF0\x9F\x8E\x89";
        inject["split_surrogates"] = true;
    }
    if (n % 5 == 3) inject["udh"] = "240163";  // a single shift table that nobody defined
    if (n % 5 == 1 || n % 5 == 2) inject["order"] = orders[static_cast<std::size_t>(n) % orders.size()];
    inject["text"] = text;
    return {inject, text};
}

std::vector<json> arrived(Gateway& gateway) {
    return gateway.messages("direction=inbound");
}

int in_memories(const Sim& sim) {
    int used = 0;
    const json state = sim.request({{"do", "state"}});
    for (const json& modem : state["modems"]) {
        used += modem["waiting"].get<int>();
        for (const auto& [name, memory] : modem["memories"].items())
            if (name != "MT") used += memory["used"].get<int>();
    }
    return used;
}

}  // namespace

TEST_CASE("integration: 200 arrivals, and a kill in their midst: each is stored once, and the modems are empty") {
    constexpr int count = 200;
    const TempDir folder;
    const Sim sim{folder / "sim", {.modems = 2}};
    Gateway gateway{folder / "box", {.ports = sim.ports()}};
    REQUIRE_MESSAGE(gateway.start(), gateway.log_end());
    REQUIRE(ready_modems(gateway, 2));
    std::map<std::string, std::string> texts;
    std::vector<std::string> junk;
    for (int n = 0; n < count; ++n) {
        const Arrival one = arrival(n);
        sim.request(one.inject);
        if (one.text.empty())
            junk.push_back(one.octets);
        else
            texts[invented_number(n)] = one.text;
        if (n != count / 2) continue;
        REQUIRE_MESSAGE(eventually(20s, [&] { return arrived(gateway).size() > 20; }), describe(gateway));
        gateway.kill_now();
        REQUIRE_MESSAGE(gateway.start(), gateway.log_end());
    }
    CHECK_MESSAGE(eventually(60s, [&] { return arrived(gateway).size() >= count && in_memories(sim) == 0; }),
                  arrived(gateway).size() << " arrived, " << in_memories(sim) << " in the modems" << gateway.log_end());
    const auto rows = arrived(gateway);
    CHECK(rows.size() == count);
    std::map<std::string, std::string> got;
    std::vector<std::string> kept;
    for (const json& row : rows) {
        CAPTURE(row.dump());
        CHECK(row["status"] == "unread");
        if (row["reason"] == "undecodable") {
            const std::string why = row["reason_text"];
            for (const std::string& octets : junk)
                if (why.find(octets) != why.npos) kept.push_back(octets);
            continue;
        }
        CHECK(row["reason"].is_null());
        CHECK(got.emplace(row["phone_number"], row["content"]).second);
    }
    CHECK(got == texts);
    std::ranges::sort(kept);
    CHECK(kept == junk);  // each once
    const auto listed = gateway.ctl({"inbox", "list", "--limit", "1000"});
    CHECK(listed.out.find("could not be read") != std::string::npos);
    // a bot gets what can be read, and nothing else
    const json claimed = gateway.post("/v1/inbox/claim", {{"limit", 1000}, {"owner", "bot"}, {"lease", "1m"}}).json();
    CHECK(claimed["messages"].size() == texts.size());
}
