// Nothing is lost and nothing doubled: the daemon is killed, stopped, its modem pulled out, its answers swallowed.
#include <doctest/doctest.h>

#include <csignal>

#include "tests/integration/daemon/checks.hpp"

using namespace conductor::harness;
using nlohmann::json;
using namespace std::chrono_literals;

TEST_CASE("integration: SIGTERM waits for the result on its way, and the next start goes on") {
    const TempDir folder;
    const Sim sim{folder / "sim", {.modems = 2, .latency = 400ms, .report_delay = 100ms}};
    sim.request({{"do", "set"}, {"cnma_guard", "1s"}});
    Gateway gateway{folder / "box", {.ports = sim.ports()}};
    REQUIRE_MESSAGE(gateway.start(), gateway.log_end());
    REQUIRE_MESSAGE(enqueue(gateway, 20), describe(gateway));
    for (int n = 0; n < 4; ++n) {
        const std::size_t before = sim.submissions().size();
        REQUIRE_MESSAGE(eventually(20s, [&] { return sim.submissions().size() > before; }), describe(gateway));
        const auto asked = std::chrono::steady_clock::now();
        CHECK(gateway.stop() == 0);
        CHECK(std::chrono::steady_clock::now() - asked < 5s);
        eventually(1s, [&] {  // the reports of what was sent last come while nobody has the port
            const json total = sim.request({{"do", "stats"}})["total"];
            return total["reports"] >= total["accepted"];
        });
        REQUIRE_MESSAGE(gateway.start(), gateway.log_end());
    }
    // no stop leaves an outcome open, and what came while nobody had the port open comes again
    CHECK_MESSAGE(gateway.settled(60s, 20, {"delivered"}), describe(gateway));
    const std::string broken = lost_or_doubled(gateway, sim, 20);
    CHECK_MESSAGE(broken.empty(), broken);
}

TEST_CASE("integration: SIGTERM ends an idle daemon within a second") {
    const TempDir folder;
    const Sim sim{folder / "sim", {}};
    Gateway gateway{folder / "box", {.ports = sim.ports()}};
    REQUIRE_MESSAGE(gateway.start(), gateway.log_end());
    REQUIRE(ready_modems(gateway, 1));
    const auto asked = std::chrono::steady_clock::now();
    CHECK(gateway.stop(10s) == 0);
    CHECK(std::chrono::steady_clock::now() - asked < (number_from_environment("CONDUCTOR_SLOW", 0) ? 5s : 1500ms));
}

TEST_CASE("integration: a modem is pulled out and put back while it sends") {
    const TempDir folder;
    const Sim sim{folder / "sim", {.modems = 2, .latency = 60ms, .report_delay = 100ms}};
    sim.request({{"do", "set"}, {"cnma_guard", "1s"}});
    Gateway gateway{folder / "box", {.ports = sim.ports()}};
    REQUIRE_MESSAGE(gateway.start(), gateway.log_end());
    REQUIRE_MESSAGE(enqueue(gateway, 60), describe(gateway));
    for (int n = 0; n < 3; ++n) {
        const std::size_t before = sim.submissions().size();
        REQUIRE_MESSAGE(eventually(20s, [&] { return sim.submissions().size() >= before + 4; }), describe(gateway));
        sim.unplug(n % 2);
        // The other one carries on meanwhile.
        const std::size_t then = sim.submissions().size();
        CHECK_MESSAGE(eventually(20s, [&] { return sim.submissions().size() >= then + 4; }), describe(gateway));
        sim.plug(n % 2);
    }
    CHECK_MESSAGE(gateway.settled(120s, 60, {"delivered", "sent", "unknown"}), describe(gateway));
    const std::string unreported = without_report(gateway, sim, 30s);
    CHECK_MESSAGE(unreported.empty(), unreported << gateway.log_end());
    const std::string broken = lost_or_doubled(gateway, sim, 60);
    CHECK_MESSAGE(broken.empty(), broken);
    CHECK(gateway.tally()["unknown"] <= 3);
    REQUIRE(ready_modems(gateway, 2));
}

TEST_CASE("integration: an answer lost after Ctrl-Z leaves an open outcome, which its report closes") {
    const TempDir folder;
    const Sim sim{folder / "sim", {.modems = 1, .latency = 20ms, .report_delay = 200ms}};
    sim.request({{"do", "set"}, {"cnma_guard", "1s"}});
    Gateway gateway{folder / "box", {.ports = sim.ports()}};
    REQUIRE_MESSAGE(gateway.start(), gateway.log_end());
    REQUIRE(ready_modems(gateway, 1));
    sim.reboot_on_next_submission(0);  // taken by the network; the power fails before the answer
    REQUIRE_MESSAGE(enqueue(gateway, 5), describe(gateway));
    CHECK_MESSAGE(gateway.settled(120s, 5, {"delivered"}), describe(gateway));
    const std::string broken = lost_or_doubled(gateway, sim, 5);
    CHECK_MESSAGE(broken.empty(), broken);
    CHECK(sim.copies().size() == 5);
}

TEST_CASE("integration: a definite refusal that passes is tried again, one that does not is final") {
    const TempDir folder;
    const Sim sim{folder / "sim", {.modems = 1, .latency = 20ms}};
    Gateway gateway{folder / "box",
                    {.ports = sim.ports(), .send = "retry = { first = \"1s\", factor = 1.0, max = \"1s\", jitter = 0.0 }\n"}};
    REQUIRE_MESSAGE(gateway.start(), gateway.log_end());
    REQUIRE(ready_modems(gateway, 1));
    sim.refuse(invented_number(0), 41, 2);  // temporary failure, twice
    sim.refuse(invented_number(1), 1, -1);  // unassigned number, for ever
    REQUIRE_MESSAGE(enqueue(gateway, 3), describe(gateway));
    CHECK_MESSAGE(gateway.settled(60s, 3, {"delivered", "failed"}), describe(gateway));
    for (const json& message : gateway.messages()) {
        CAPTURE(message.dump());
        const bool refused = message["phone_number"] == invented_number(1);
        CHECK(message["status"] == (refused ? "failed" : "delivered"));
        if (refused) CHECK(message["reason"] == "cms-1");
        if (message["phone_number"] == invented_number(0)) CHECK(message["retry_count"] == 2);
    }
    CHECK(sim.copies() == std::map<std::string, int>{{invented_number(0), 1}, {invented_number(2), 1}});
}
