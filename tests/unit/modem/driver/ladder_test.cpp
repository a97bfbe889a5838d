// The ladder against written-down histories: what happens at which second, and which rung follows.
#include "modem/driver/ladder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "modem/driver/network_watch.hpp"
#include "modem/driver/power_watch.hpp"

using namespace conductor;
using namespace conductor::driver;
using namespace std::chrono_literals;

namespace {

constexpr auto mute = Trouble::mute, boots = Trouble::boot_loop, lost = Trouble::unregistered, denied = Trouble::denied,
               unseen = Trouble::sim_unseen;

LadderLimits all() {
    return {.usb_reset = true, .power = true};
}
LadderLimits software() {
    return {};
}
LadderLimits no_restart() {
    return {.restart = false};
}
LadderLimits power_alone() {
    return {.radio = false, .restart = false, .power = true};
}
LadderLimits nothing() {
    return {.radio = false, .restart = false};
}

enum class What { trouble, healthy, answers, replug };
struct Event {
    int at;  ///< s
    What what;
    Trouble trouble = mute;
    std::string rung = "";  ///< to be performed
    int hold = 0;
    bool human = false;
};
Event trouble(int at, Trouble t, std::string rung, int hold, bool human = false) {
    return {at, What::trouble, t, std::move(rung), hold, human};
}
Event healthy(int at) {
    return {at, What::healthy};
}
Event replug(int at) {
    return {at, What::replug};
}

}  // namespace

TEST_CASE("ladder: golden histories") {
    struct Row {
        const char* name;
        LadderLimits limits;
        std::vector<Event> events;
        std::uint64_t hard_resets;
    };
    const Row rows[] = {
        {"mute: every rung in its order, hard ones at least a minute apart and ever further",
         all(),
         {trouble(0, mute, "resync", 2), trouble(2, mute, "reopen", 4), trouble(6, mute, "radio", 8), trouble(20, mute, "restart", 16),
          trouble(40, mute, "reopen", 20), trouble(79, mute, "reopen", 20), trouble(80, mute, "usb-reset", 20),
          trouble(199, mute, "reopen", 20), trouble(200, mute, "power", 20), trouble(220, mute, "reopen", 20, true),
          trouble(3619, mute, "reopen", 20, true), trouble(3620, mute, "power", 20, true), trouble(3640, mute, "reopen", 20, true),
          trouble(7280, mute, "power", 20, true)},
         5},
        {"mute without a helper: the software's rungs, then a person",
         software(),
         {trouble(0, mute, "resync", 2), trouble(2, mute, "reopen", 4), trouble(6, mute, "radio", 8), trouble(20, mute, "restart", 16),
          trouble(40, mute, "reopen", 20, true), trouble(80, mute, "restart", 20, true), trouble(200, mute, "restart", 20, true),
          trouble(3500, mute, "reopen", 20, true)},
         3},
        {"a restart that brings the mass storage (rows 11, 72) is never asked for",
         no_restart(),
         {trouble(0, mute, "resync", 2), trouble(2, mute, "reopen", 4), trouble(6, mute, "radio", 8), trouble(20, mute, "reopen", 16, true),
          trouble(90, mute, "reopen", 20, true)},
         0},
        {"radio off makes it mute (row 73): no radio, power at once behind the soft rungs",
         power_alone(),
         {trouble(0, mute, "resync", 2), trouble(2, mute, "reopen", 4), trouble(6, mute, "power", 8)},
         1},
        {"nothing but looking", nothing(), {trouble(0, lost, "reregister", 300), trouble(300, lost, "reregister", 600, true)}, 0},
        {"a replug is rung 0, the hour's count stays",
         {.hard_resets_per_hour = 1, .usb_reset = true},
         {trouble(0, mute, "resync", 2), trouble(2, mute, "reopen", 4), trouble(6, mute, "radio", 8), trouble(20, mute, "restart", 16),
          replug(300), trouble(301, mute, "resync", 2), trouble(303, mute, "reopen", 4), trouble(310, mute, "radio", 8),
          trouble(320, mute, "reopen", 16, true), trouble(3621, mute, "restart", 20), trouble(3640, mute, "reopen", 20, true)},
         2},
        {"a device that comes back within a minute of our own reset is the same one: the climb goes on",
         all(),
         {trouble(0, mute, "resync", 2), trouble(2, mute, "reopen", 4), trouble(6, mute, "radio", 8), trouble(20, mute, "restart", 16),
          replug(30), trouble(40, mute, "reopen", 20), trouble(80, mute, "usb-reset", 20), replug(85), trouble(200, mute, "power", 20)},
         3},
        {"well for a minute: from the start; well for less: where it stopped",
         all(),
         {trouble(0, mute, "resync", 2), healthy(5), trouble(30, mute, "reopen", 4), healthy(40), trouble(200, mute, "resync", 2)},
         0},
        {"^BOOT for ever (row 16): power, past the other rungs",
         all(),
         {trouble(0, mute, "resync", 2), trouble(2, mute, "reopen", 4), trouble(60, boots, "power", 8),
          trouble(80, boots, "reopen", 16, true)},
         1},
        {"^BOOT for ever without a helper",
         software(),
         {trouble(0, mute, "resync", 2), trouble(60, boots, "reopen", 4), trouble(70, boots, "restart", 8)},
         1},
        {"no network: registered anew, radio twice, restart, then hourly",
         all(),
         {trouble(0, lost, "reregister", 300), trouble(300, lost, "radio", 600), trouble(900, lost, "radio", 1200),
          trouble(2100, lost, "restart", 2400), trouble(4500, lost, "restart", 3600, true), trouble(8100, lost, "restart", 3600, true)},
         3},
        {"refused by the network: never reset for it",
         all(),
         {trouble(0, denied, "reregister", 300), trouble(300, denied, "radio", 600), trouble(900, denied, "radio", 1200, true),
          trouble(2100, denied, "radio", 2400, true), trouble(4500, denied, "radio", 3600, true)},
         0},
        {"a SIM put in late (row 17): power, not radio",
         all(),
         {trouble(0, unseen, "power", 300), trouble(300, unseen, "", 600, true), trouble(4000, unseen, "", 1200, true)},
         1},
        {"a SIM put in late without a helper: a person", software(), {trouble(0, unseen, "", 300, true)}, 0},
        {"another trouble begins anew",
         all(),
         {trouble(0, lost, "reregister", 300), trouble(10, mute, "resync", 2), trouble(12, mute, "reopen", 4),
          trouble(20, lost, "reregister", 300)},
         0},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Ladder ladder{row.limits};
        for (const Event& e : row.events) {
            CAPTURE(e.at);
            const Instant now = Instant{1h} + std::chrono::seconds{e.at};
            switch (e.what) {
                case What::trouble: {
                    const LadderStep step = ladder.trouble(e.trouble, now);
                    CHECK(to_string(step.rung) == e.rung);
                    CHECK(step.hold == std::chrono::seconds{e.hold});
                    CHECK(step.human == e.human);
                    CHECK(to_string(ladder.rung()) == (e.human ? "human" : e.rung));
                    break;
                }
                case What::healthy:
                    ladder.healthy(now);
                    CHECK(ladder.rung() == Rung::none);
                    break;
                case What::answers: ladder.answers(now); break;
                case What::replug: ladder.new_incarnation(now); break;
            }
        }
        CHECK(ladder.hard_resets() == row.hard_resets);
    }
}

TEST_CASE("ladder: however the troubles come, never more hard resets in an hour than allowed, and never two within a minute") {
    std::uint64_t seed = 88172645463325252u;
    const auto random = [&seed] {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        return seed ^= seed << 17;
    };
    for (int run = 0; run < 50; ++run) {
        LadderLimits limits = all();
        limits.hard_resets_per_hour = 1 + run % 4;
        Ladder ladder{limits};
        std::vector<Instant> hard;
        Instant now{1h};
        for (int i = 0; i < 2000; ++i) {
            now += std::chrono::seconds{1 + random() % 90};
            const auto dice = random() % 10;
            if (dice == 0) ladder.new_incarnation(now);
            if (dice == 1) ladder.healthy(now);
            if (dice == 2) ladder.answers(now);
            const LadderStep step = ladder.trouble(static_cast<Trouble>(random() % 6), now);
            if (is_hard(step.rung)) hard.push_back(now);
            CHECK(step.hold >= 2s);
            CHECK(step.hold <= 1h);
        }
        CHECK(hard.size() == ladder.hard_resets());
        const auto allowed = static_cast<std::size_t>(limits.hard_resets_per_hour);
        for (std::size_t i = 0; i + 1 < hard.size(); ++i) CHECK(hard[i + 1] - hard[i] >= 1min);
        for (std::size_t i = 0; i + allowed < hard.size(); ++i) CHECK(hard[i + allowed] - hard[i] >= 1h);
        CHECK(hard.size() > 5);
    }
}

TEST_CASE("network watch: what is usable, its word and the ladder's trouble") {
    struct Row {
        const char* name;
        int cs, ps, eps;  ///< -1: the command is not known
        bool usable;
        int stat;
        const char* word;
        std::optional<Trouble> trouble;
        bool plan_without_sms = false;
    };
    const Row rows[] = {{"home", 1, 1, -1, true, 1, "", {}},
                        {"roaming", 5, 5, 5, true, 5, "", {}},
                        {"SMS only, home", 0, 0, 6, true, 6, "", {}},
                        {"SMS only, roaming", 2, 2, 7, true, 7, "", {}},
                        {"CSFB not preferred", 0, 0, 9, true, 9, "", {}},
                        {"LTE alone, CS not looked for", 0, 0, 1, true, 1, "", {}},
                        {"CS denied, LTE well (row 32)", 3, 1, 5, true, 5, "", {}, true},
                        {"searching", 2, 2, 2, false, 2, "unregistered", lost},
                        {"denied", 3, 3, 3, false, 3, "denied", denied},
                        {"denied there, searching here", 3, 2, 2, false, 3, "denied", denied},
                        {"idle", 0, 0, 0, false, 0, "not-searching", lost},
                        {"out of coverage", 4, 0, 0, false, 4, "no-coverage", lost},
                        {"emergency alone, 8", 8, 0, 0, false, 8, "emergency-only", lost},
                        {"emergency alone, 11 (row 35)", 0, 0, 11, false, 11, "emergency-only", lost},
                        {"no command known", -1, -1, -1, true, 1, "", {}}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        NetworkWatch watch;
        const Instant start{1h};
        if (row.cs >= 0) watch.told("+CREG", row.cs, start);
        if (row.ps >= 0) watch.told("+CGREG", row.ps, start);
        if (row.eps >= 0) watch.told("+CEREG", row.eps, start);
        if (row.cs < 0 && row.ps < 0 && row.eps < 0) watch.untold(start);
        CHECK(watch.usable() == row.usable);
        CHECK(watch.stat() == row.stat);
        CHECK(watch.plan_without_sms() == row.plan_without_sms);
        CHECK(watch.trouble(start + 180s) == std::nullopt);
        CHECK(watch.trouble(start + 181s) == row.trouble);
        if (!row.usable) {
            CHECK(watch.word() == row.word);
            CHECK(watch.sentence().ends_with('.'));
        }
        watch.told("+CREG", 1, start + 200s);
        CHECK(watch.usable());
        CHECK(watch.trouble(start + 999s) == std::nullopt);
        watch.told("+CREG", 2, start + 1000s);
        watch.told("+CGREG", 2, start + 1000s);
        watch.told("+CEREG", 2, start + 1000s);
        CHECK(watch.trouble(start + 1180s) == std::nullopt);  // patience counts from the loss
        CHECK(watch.trouble(start + 1181s) == lost);
    }
    NetworkWatch refused;
    refused.told("+CREG", 3, Instant{1h});
    refused.rejected(13, "No roaming");
    CHECK(refused.sentence().find("Cause 13: The SIM is not allowed to roam") != std::string::npos);
    CHECK(refused.sentence().find("\"No roaming\"") != std::string::npos);
    refused.told("+CREG", 1, Instant{1h});
    refused.told("+CREG", 3, Instant{1h});
    CHECK(refused.sentence().find("Cause") == std::string::npos);  // that was another time
}

TEST_CASE("power watch: restarts while it transmits blame the supply") {
    struct Row {
        const char* name;
        std::vector<std::pair<int, int>> restarts;  ///< at second, Ctrl-Z at second (-1 none)
        std::vector<int> warnings;
        std::size_t counted;
        bool blamed;
    };
    const Row rows[] = {{"three in transmission", {{100, 98}, {700, 695}, {1500, 1500}}, {}, 3, true},
                        {"two in transmission", {{100, 98}, {700, 695}}, {}, 2, false},
                        {"five elsewhere", {{100, -1}, {200, 150}, {300, 150}, {400, 150}, {500, 150}}, {}, 5, false},
                        {"long ago", {{-3000, -3001}, {-2900, -2901}, {100, 98}}, {}, 1, false},
                        {"it said so", {}, {1500}, 0, true},
                        {"it said so long ago", {}, {-3000}, 0, false},
                        {"nothing", {}, {}, 0, false}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        PowerWatch watch;
        const Instant start{5h};
        for (const auto& [at, ctrl_z] : row.restarts)
            watch.restarted(start + std::chrono::seconds{at},
                            ctrl_z == -1 ? std::nullopt : std::optional{start + std::chrono::seconds{ctrl_z}});
        for (const int at : row.warnings) watch.warned(start + std::chrono::seconds{at});
        CHECK(watch.restarts(start + 2000s) == row.counted);
        CHECK(watch.verdict(start + 2000s).has_value() == row.blamed);
    }
    PowerWatch ours;
    for (int i = 0; i < 5; ++i) {
        const Instant at = Instant{1h} + 100s * i;
        ours.expect(at);
        ours.restarted(at + 20s, at + 19s);
    }
    CHECK(ours.restarts(Instant{1h} + 600s) == 0);  // we did it
}

TEST_CASE("a SIM that is lost costs one restart and one power cycle, then a radio cycle an hour") {
    Ladder ladder{all()};
    Instant now{1h};
    std::vector<Rung> rungs;
    for (int i = 0; i < 12; ++i) {
        const LadderStep step = ladder.trouble(Trouble::sim_lost, now);
        if (step.rung != Rung::none) rungs.push_back(step.rung);
        CHECK(step.hold >= 5min);
        now += step.hold;
    }
    const std::vector<Rung> first{Rung::radio, Rung::radio, Rung::restart, Rung::power};
    CHECK(std::vector<Rung>(rungs.begin(), rungs.begin() + 4) == first);
    CHECK(std::all_of(rungs.begin() + 4, rungs.end(), [](Rung r) { return r == Rung::radio; }));
    CHECK(rungs.size() == 12);
    CHECK(ladder.hard_resets() == 2);
}
