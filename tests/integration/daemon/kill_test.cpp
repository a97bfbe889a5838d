// kill -9 while a queue drains and one answer in twenty is lost: what each way of treating an open outcome promises, judged by what the
// simulated network took. CONDUCTOR_KILLS sets how often (ten messages a kill), CONDUCTOR_SEED repeats a run.
#include <doctest/doctest.h>

#include <iostream>
#include <random>

#include "tests/integration/daemon/checks.hpp"

using namespace conductor::harness;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

enum class Promise {
    hold,    ///< none twice; unknown with a reason where nothing tells
    resend,  ///< none lost; the network may have one twice
    modem,   ///< none twice, none unknown: the modem's storage tells
};

std::string broken_promises(Promise promise, Gateway& gateway, const Sim& sim, int count) {
    const auto copies = sim.copies();
    std::string broken;
    int found = 0;
    for (const json& message : gateway.messages()) {
        ++found;
        const std::string status = message["status"], number = message["phone_number"];
        const auto at = copies.find(number);
        const int taken = at == copies.end() ? 0 : at->second;
        const bool out = status == "sent" || status == "delivered";
        bool kept = out && taken == 1;
        if (promise == Promise::hold) kept = kept || (status == "unknown" && taken <= 1 && message["reason"].is_string());
        if (promise == Promise::resend) kept = out && taken >= 1;
        if (!kept) broken += "taken " + std::to_string(taken) + " times: " + message.dump() + "\n";
    }
    if (found != count) broken += std::to_string(found) + " messages instead of " + std::to_string(count) + "\n";
    return broken;
}

void kill_again_and_again(Promise promise, const std::string& name, const std::string& send, int default_kills) {
    const int kills = static_cast<int>(number_from_environment("CONDUCTOR_KILLS", default_kills)), count = 10 * kills;
    const std::uint64_t seed_number = seed(20261122);
    std::mt19937_64 random{seed_number};
    const TempDir folder;
    const Sim sim{folder / "sim", {.modems = 2, .latency = 100ms, .report_delay = 300ms, .seed = seed_number}};
    sim.request({{"do", "set"}, {"cnma_guard", "1s"}});
    Gateway gateway{folder / "box", {.ports = sim.ports(), .send = send}};
    REQUIRE_MESSAGE(gateway.start(), gateway.log_end());
    sim.request({{"do", "lost-answer"}, {"modem", "all"}, {"rate", 0.05}});
    REQUIRE_MESSAGE(enqueue(gateway, count), describe(gateway));

    int while_draining = 0;
    for (int n = 0; n < kills; ++n) {
        // From the moment it answers; a fifth of the kills hit earlier, in the midst of its start.
        const bool early = n % 5 == 4;
        const milliseconds moment{std::uniform_int_distribution<int>{0, early ? 150 : 900}(random)};
        const auto end = std::chrono::steady_clock::now() + moment;
        eventually(moment, [&] { return std::chrono::steady_clock::now() >= end; });
        while_draining += static_cast<int>(sim.copies().size()) < count;
        // the last process finds a modem that answers: each lost answer costs its 75 s
        if (n + 1 == kills) sim.request({{"do", "lost-answer"}, {"modem", "all"}, {"rate", 0.0}});
        gateway.kill_now();
        if (early) {
            gateway.start(0ms);
            continue;
        }
        REQUIRE_MESSAGE(gateway.start(), gateway.log_end());
    }
    REQUIRE_MESSAGE(eventually(20s, [&] { return gateway.get("/v1/status").status == 200; }), gateway.log_end());
    const std::chrono::milliseconds limit = 180s + 100ms * count;
    CHECK_MESSAGE(gateway.settled(limit, static_cast<std::size_t>(count), {"delivered", "sent", "unknown"}), describe(gateway));
    // A report that came while nobody listened was not acknowledged, so it comes again; it says of an open outcome too how it ended.
    const std::string unreported = without_report(gateway, sim, 30s);
    CHECK_MESSAGE(unreported.empty(), unreported << gateway.log_end());
    const std::string broken = broken_promises(promise, gateway, sim, count);
    CHECK_MESSAGE(broken.empty(), broken << gateway.log_end());
    CHECK(while_draining == kills);
    auto tally = gateway.tally();
    int taken = 0, twice = 0;
    for (const auto& [number, copies] : sim.copies()) taken += copies, twice += copies > 1;
    std::cout << name << ": " << kills << " kills, " << count << " messages: " << tally["delivered"] << " delivered, " << tally["sent"]
              << " sent, " << tally["unknown"] << " unknown; the network took " << taken << ", " << twice << " of them twice or more\n";
    CHECK(tally["delivered"] == static_cast<int>(sim.copies().size()));
    CHECK(tally["unknown"] <= 2 * kills);  // at most one a modem and kill
    CHECK(gateway.stop() == 0);
}

}  // namespace

TEST_CASE("integration: kill -9 at random moments, on_unknown = hold") {
    kill_again_and_again(Promise::hold, "hold", "on_unknown = \"hold\"\n", 6);
}

TEST_CASE("integration: kill -9 at random moments, on_unknown = resend") {
    kill_again_and_again(Promise::resend, "resend", "on_unknown = \"resend\"\n", 4);
}

TEST_CASE("integration: kill -9 at random moments, journal = modem") {
    kill_again_and_again(Promise::modem, "journal = modem", "journal = \"modem\"\n", 6);
}

TEST_CASE("integration: journal = modem leaves nothing unknown when modems restart, lose their power or are pulled out") {
    const TempDir folder;
    // one that says when it booted: a silent one is believed dead only when its answer is overdue
    const Sim sim{folder / "sim", {.modems = 2, .latency = 60ms, .report_delay = 100ms, .more = {"--profile", "sim800"}}};
    Gateway gateway{folder / "box", {.ports = sim.ports(), .send = "journal = \"modem\"\n"}};
    REQUIRE_MESSAGE(gateway.start(), gateway.log_end());
    REQUIRE(ready_modems(gateway, 2));
    constexpr int count = 90;
    REQUIRE_MESSAGE(enqueue(gateway, count), describe(gateway));
    for (int n = 0; n < 6; ++n) {
        const std::size_t before = sim.submissions().size();
        REQUIRE_MESSAGE(eventually(20s, [&] { return sim.submissions().size() >= before + 4; }), describe(gateway));
        const int modem = n % 2;
        if (n < 2) {
            sim.reboot_on_next_submission(modem);
        } else if (n < 4) {
            sim.unplug(modem);
            sim.plug(modem);
        } else {  // the line alone: the modem goes on with what it has
            sim.request({{"do", "unplug"}, {"modem", modem}, {"powered", true}});
            sim.plug(modem);
        }
    }
    CHECK_MESSAGE(gateway.settled(150s, count, {"delivered", "sent"}), describe(gateway));
    const std::string broken = broken_promises(Promise::modem, gateway, sim, count);
    CHECK_MESSAGE(broken.empty(), broken << gateway.log_end());
    // and no slot stays behind
    CHECK(eventually(20s, [&] { return sim.request({{"do", "storage"}, {"modem", "all"}, {"memory", "ME"}})["slots"].empty(); }));
}
