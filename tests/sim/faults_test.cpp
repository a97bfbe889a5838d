// Every fault of modemsim, one by one: the modem is back in time after its end, without a storm of resets, and the modem beside it goes on
// at its own pace meanwhile.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "tools/simulate/world.hpp"

using namespace conductor;
using namespace conductor::simulate;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

struct Fault {
    const char* name;
    std::vector<json> begin;
    std::chrono::seconds lasts;
    std::vector<json> end;
    std::chrono::seconds back = 60s;
    bool every_second = false;     ///< `begin` again and again while it lasts
    const char* state = "";        ///< what it must say while it lasts; "" anything
    const char* action = nullptr;  /// what a person does at the end
};

std::vector<Fault> faults() {
    const json clear = {{"do", "clear"}, {"modem", 0}};
    const auto at = [](json request) {
        request["modem"] = 0;
        return request;
    };
    return {
        {"mute, 10 s", {at({{"do", "mute"}})}, 10s, {clear}},
        {"mute, 60 s", {at({{"do", "mute"}})}, 60s, {clear}},
        {"mute, 10 min", {at({{"do", "mute"}})}, 600s, {clear}, 60s, false, "recovering"},
        {"hears and obeys, but says nothing", {at({{"do", "mute"}, {"deaf", false}})}, 60s, {clear}},
        {"garbage in front of all it says", {at({{"do", "garbage"}, {"octets", 60}, {"rate", 1.0}})}, 60s, {clear}},
        {"restarts while it sends, its port too", {at({{"do", "reboot"}, {"on_submit", true}, {"drop_port", true}})}, 5s, {}},
        {"restarts, its port stays", {at({{"do", "reboot"}, {"down", "2s"}})}, 3s, {}},
        {"restarts every 15 s", {}, 60s, {}, 60s},
        {"unplugged", {at({{"do", "unplug"}})}, 30s, {at({{"do", "plug"}, {"quick", true}})}, 5s, false, "absent"},
        {"other SIM", {at({{"do", "sim"}, {"action", "swap"}})}, 120s, {}, 60s, false, "blocked", "accept-sim"},
        {"SIM taken out", {at({{"do", "sim"}, {"action", "remove"}})}, 120s, {at({{"do", "sim"}, {"action", "insert"}})}, 60s, false, ""},
        {"storage full",
         {at({{"do", "storage"}, {"memory", "ME"}, {"full", true}})},
         60s,
         {at({{"do", "storage"}, {"memory", "ME"}, {"full", false}})}},
        {"+CMS ERROR: 38 to everything", {at({{"do", "cms"}, {"code", 38}, {"rate", 1.0}})}, 20s, {clear}},
        {"+CMS ERROR: 314 to everything", {at({{"do", "cms"}, {"code", 314}, {"rate", 1.0}})}, 60s, {clear}},
        {"ERROR before the prompt", {at({{"do", "cms"}, {"code", -1}, {"at", "prompt"}, {"rate", 1.0}})}, 60s, {clear}},
        {"flood of URCs", {at({{"do", "urc"}, {"line", "^RSSI:7"}}), at({{"do", "urc"}, {"line", "+CREG: 1"}})}, 60s, {}, 60s, true},
        {"a prompt for ever", {at({{"do", "raw"}, {"hex", "0D0A3E20"}})}, 60s, {}, 60s, true},
        {"not taken, not answered", {at({{"do", "drop"}})}, 5s, {}},
        {"answers are lost", {at({{"do", "lost-answer"}, {"count", 1}})}, 5s, {}},
        {"commands are not answered", {at({{"do", "ignore"}, {"count", 3}})}, 30s, {clear}},
        {"no network",
         {at({{"do", "registration"}, {"stat", 2}})},
         60s,
         {at({{"do", "registration"}, {"stat", 1}})},
         60s,
         false,
         "searching"},
        {"denied", {at({{"do", "registration"}, {"stat", 3}})}, 300s, {at({{"do", "registration"}, {"stat", 1}})}, 60s, false, "searching"},
        {"slow, 200 octets a second",
         {at({{"do", "slow"}, {"octets_per_second", 200}})},
         60s,
         {at({{"do", "slow"}, {"octets_per_second", 0}})}},
    };
}

std::string state(World& world, ModemIndex index) {
    if (!world.up()) return "down";
    const auto modem = world.house()->gateway().modem(index);
    return modem ? modem->at("state").get<std::string>() : "none";
}

std::uint64_t resets(World& world) {
    const auto modem = world.house()->gateway().modem(0);
    return modem ? modem->at("resets").get<std::uint64_t>() : 0;
}

/// Every message has a text of its own: one that the network holds twice was submitted twice.
bool doubled(const World& world) {
    std::set<std::string> texts;
    return !std::ranges::all_of(world.taken(), [&](const auto& s) { return texts.insert(s.text).second; });
}

/// Messages that count as failed or expired though the network took them.
std::size_t wrongly_failed(World& world) {
    std::set<std::string> failed;
    for (const auto& row : world.rows("SELECT content FROM messages WHERE status IN (5, 6)")) failed.insert(row[0]);
    std::size_t n = 0;
    for (const auto& s : world.taken()) n += failed.count(s.text);
    return n;
}

std::ptrdiff_t sent_by(const World& world, int modem, Instant from, Instant to) {
    return std::ranges::count_if(world.taken(), [&](const auto& s) { return s.modem == modem && s.mono >= from && s.mono < to; });
}

/// A message every second for each modem, until stop().
class Traffic {
public:
    explicit Traffic(World& world) : world_{world} { feed(); }
    void stop() { *goes_on_ = false; }
    ~Traffic() { stop(); }
    Traffic(const Traffic&) = delete;
    Traffic& operator=(const Traffic&) = delete;

private:
    void feed() {
        for (const ModemIndex modem : {0, 1}) {
            NewMessage m;
            m.to = "+1555010" + std::to_string(1000 + ++count_ % 9000);
            m.text = "Your order " + std::to_string(count_) + " is ready.";
            m.message_class = MessageClass::transactional;
            m.modem_index = modem;
            world_.tell<api::Answer<api::Submitted>>([m](service::Gateway& g) { return g.submit(m, {"test"}); }, [](auto) {});
        }
        world_.after(1s, [this, goes_on = goes_on_] {
            if (*goes_on) feed();
        });
    }
    World& world_;
    int count_ = 0;
    std::shared_ptr<bool> goes_on_ = std::make_shared<bool>(true);
};

}  // namespace

TEST_CASE("faults, one by one: back in time, no storm of resets, and the neighbour keeps its pace") {
    for (const Fault& fault : faults()) {
        CAPTURE(std::string{fault.name});
        World world{{.seed = 11, .fleet = {.modems = 2}}};
        world.boot();
        REQUIRE(world.until([&] { return state(world, 0) == "ready" && state(world, 1) == "ready"; }, 60s));
        Traffic traffic{world};
        world.pass(10s);
        const Instant begin = world.now();
        const Instant end = begin + fault.lasts;
        for (const json& request : fault.begin) world.control(request);
        std::string said;
        while (world.now() < end) {
            world.pass(1s);
            if (fault.every_second)
                for (const json& request : fault.begin)
                    for (int i = 0; i < 50; ++i) world.control(request);
            if (fault.begin.empty() && (end - world.now()) / 1s % 15 == 0) world.control({{"do", "reboot"}, {"modem", 0}, {"down", "1s"}});
            if (state(world, 0) == fault.state) said = fault.state;
        }
        CHECK(said == fault.state);
        CHECK(sent_by(world, 1, begin, end) >= (fault.lasts / 1s) * 9 / 10 - 2);
        for (const json& request : fault.end) world.control(request);
        if (fault.action) {
            const std::string action = fault.action;
            world.ask<api::Answer<json>>([&](service::Gateway& g) { return g.modem_action(0, action, {"test"}); });
        }
        const std::size_t before = world.taken().size();
        const auto sends = [&] {
            return std::any_of(world.taken().begin() + static_cast<std::ptrdiff_t>(before), world.taken().end(),
                               [](const auto& s) { return s.modem == 0; });
        };
        const Instant over = world.now();
        const bool back = world.until(sends, fault.back);
        if (!back) {
            const auto modem = world.house()->gateway().modem(0);
            MESSAGE(std::string{fault.name} << ": " << modem->at("state").dump() << modem->at("reason").dump()
                                            << modem->at("resting").dump());
            MESSAGE("later: " << world.until(sends, 10min) << " after " << (world.now() - over) / 1s);
        }
        CHECK(back);
        CHECK(resets(world) <= (fault.lasts > 60s ? 3U : 1U));
        traffic.stop();
        CHECK(world.until([&] { return state(world, 0) == "ready"; }, 10min));
        CHECK(world.spinning.empty());
        CHECK_FALSE(doubled(world));
        CHECK(wrongly_failed(world) == 0);
    }
}

TEST_CASE("a SIM that the modem cannot use rests until the modem calls it ready, and is not believed twice") {
    World world{{.seed = 12, .fleet = {.modems = 2}}};
    world.boot();
    REQUIRE(world.until([&] { return state(world, 0) == "ready"; }, 60s));
    Traffic traffic{world};
    world.pass(5s);
    const auto refused = [&] { return world.rows("SELECT count(*) FROM attempts WHERE reason = 'cms-310'")[0][0]; };
    const auto sends_within = [&](BootClock::duration limit) {
        const std::size_t before = world.taken().size();
        return world.until(
            [&] {
                return std::any_of(world.taken().begin() + static_cast<std::ptrdiff_t>(before), world.taken().end(),
                                   [](const auto& s) { return s.modem == 0; });
            },
            limit);
    };
    // a loose contact: one refusal, and by the time of the bring-up it is ready again
    world.control({{"do", "cms"}, {"modem", 0}, {"code", 310}, {"count", 1}});
    REQUIRE(world.until([&] { return refused() == "1"; }, 10s));
    CHECK(sends_within(10s));
    // ready, it says, and refuses everything: two tries, then the rest of a quarter of an hour
    world.pass(5s);
    world.control({{"do", "cms"}, {"modem", 0}, {"code", 310}, {"rate", 1.0}});
    world.pass(10min);
    CHECK(refused() == "3");
    world.control({{"do", "clear"}, {"modem", 0}});
    CHECK_FALSE(sends_within(4min));
    CHECK(sends_within(2min));
}
