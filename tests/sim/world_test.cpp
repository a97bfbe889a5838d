// The world itself: time passes in jumps, ports have manners, a killed process comes back on what the disk kept.
#include "tools/simulate/world.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

using namespace conductor;
using namespace conductor::simulate;
using namespace std::chrono_literals;

namespace {

NewMessage message(std::string to, std::string text) {
    NewMessage m;
    m.to = std::move(to);
    m.text = std::move(text);
    m.message_class = MessageClass::transactional;
    return m;
}

std::optional<MessageId> submit(World& world, const NewMessage& m) {
    auto answer = world.ask<api::Answer<api::Submitted>>([&m](service::Gateway& gateway) { return gateway.submit(m, {"test"}); });
    if (!answer || !*answer) return std::nullopt;
    return (*answer)->message.id;
}

std::string status(World& world, MessageId id) {
    const auto rows = world.rows(("SELECT status FROM messages WHERE id = " + std::to_string(id.value)).c_str());
    return rows.empty() ? "none" : std::string{to_string(static_cast<MessageStatus>(number(rows[0][0])))};
}

}  // namespace

TEST_CASE("a message goes out, its report comes in, and what the process knew survives its death") {
    for (const bool power : {false, true}) {
        CAPTURE(power);
        World world{{.seed = 7, .print = std::getenv("CONDUCTOR_PRINT") != nullptr}};
        world.boot();
        REQUIRE(world.until([&] { return world.up(); }, 10s));
        const auto first = submit(world, message("+15550100123", "Your order is ready."));
        REQUIRE(first.has_value());
        REQUIRE(world.until([&] { return status(world, *first) == "delivered"; }, 60s));
        CHECK(world.taken().size() == 1);

        world.control({{"do", "set"}, {"modem", 0}, {"latency", "10s"}});
        const auto second = submit(world, message("+15550100124", "So is yours."));
        REQUIRE(second.has_value());
        REQUIRE(world.until([&] { return status(world, *second) == "sending"; }, 5s));
        world.pass(500ms);
        power ? world.cut_power() : world.kill();
        CHECK_FALSE(world.up());
        REQUIRE(world.until([&] { return world.up() && status(world, *second) != "sending"; }, 60s));
        CHECK(status(world, *first) == "delivered");
        // the network took it, and its report says so
        REQUIRE(world.until([&] { return status(world, *second) == "delivered"; }, 5min));
        CHECK(world.taken().size() == 2);
        CHECK(world.boots == 2);
    }
}

TEST_CASE("an idle day passes in no time") {
    World world{{.seed = 3, .fleet = {.modems = 2}}};
    world.boot();
    world.pass(24h);
    CHECK(world.up());
    CHECK(world.handlers < 3'000'000);
}

TEST_CASE("a message that no API took in counts, and ends in time, though no modem is there") {
    World world{{.seed = 5, .fleet = {.modems = 1}, .configure = [](config::Config& config) {
                     config.modems[0].port = "pty:nowhere";
                     config.send.expire_after = 10min;
                 }}};
    world.boot();
    REQUIRE(world.until([&] { return world.up(); }, 10s));
    const auto id = submit(world, message("+15550100123", "Your order is ready."));
    REQUIRE(id.has_value());
    const auto health = [&] { return world.house()->gateway().health(); };
    const auto asked = [&](auto call) {
        const auto answer = world.ask<api::Answer<Message>>(call);
        return answer && *answer;
    };
    REQUIRE(asked([&](service::Gateway& gateway) { return gateway.cancel(*id, {"test"}); }));
    REQUIRE(world.until([&] { return health()["open"] == 0; }, 2min));
    CHECK(health()["ok"] == true);
    REQUIRE(asked([&](service::Gateway& gateway) { return gateway.retry(*id, {"test"}); }));
    CHECK(world.until([&] { return health()["open"] == 1 && health()["ok"] == false; }, 2min));
    CHECK(world.until([&] { return status(world, *id) == "expired"; }, 12min));
    CHECK(world.until([&] { return health()["ok"] == true; }, 2min));
}

TEST_CASE("what was taken in while the clock was ahead goes out when the clock is right") {
    World world{{.seed = 9, .configure = [](config::Config& config) {
                     config.send.window = {9 * 60, 20 * 60};
                     config.opt_out.require_consent = false;
                 }}};
    world.boot();
    REQUIRE(world.until([&] { return world.up(); }, 10s));
    world.pass(5min);
    bool restart = false;
    SUBCASE("while it runs") {}
    SUBCASE("over a restart") {
        restart = true;
    }
    world.clock().step(13h);  // night
    auto campaign = message("+15550100123", "Winter sale.");
    campaign.message_class = MessageClass::marketing;
    const auto early = submit(world, campaign);
    REQUIRE(early.has_value());
    world.pass(2min);
    CHECK(status(world, *early) == "queued");
    if (restart) world.kill();
    world.clock().step(-13h);
    if (restart) REQUIRE(world.until([&] { return world.up(); }, 10s));
    REQUIRE(world.until([&] { return status(world, *early) == "delivered"; }, 3min));
    CHECK(number(world.rows("SELECT count(*) FROM messages WHERE created_at > due_at OR due_at > sent_at")[0][0]) == 0);
}

TEST_CASE("a STOP to a box that boots without knowing the time is younger than everything before it") {
    World world{{.seed = 11, .print = std::getenv("CONDUCTOR_PRINT") != nullptr}};
    world.boot();
    REQUIRE(world.until([&] { return world.up(); }, 10s));
    const auto first = submit(world, message("+15550100123", "Your order is ready."));
    REQUIRE(first.has_value());
    REQUIRE(world.until([&] { return status(world, *first) == "delivered"; }, 60s));
    const WallTime before = world.clock().truth();
    world.kill();
    world.clock().sure = false;
    world.pass(1h);
    REQUIRE(world.until([&] { return world.up(); }, 10s));
    world.control({{"do", "inject"}, {"modem", 0}, {"from", "+15550100123"}, {"text", "STOP"}});
    const auto stops = [&] { return world.rows("SELECT at FROM opt_outs WHERE active = 1"); };
    REQUIRE(world.until([&] { return !stops().empty(); }, 60s));
    const WallTime at = from_ms(number(stops()[0][0]));
    CHECK(at > before - 5s);
    CHECK(at <= world.clock().truth());
    CHECK(number(world.rows("SELECT count(*) FROM messages m, opt_outs o WHERE m.direction = 0 AND m.created_at > o.at")[0][0]) == 0);
    CHECK(world.rows("SELECT id FROM messages WHERE content = 'STOP' AND created_at = (SELECT at FROM opt_outs)").size() == 1);
}
