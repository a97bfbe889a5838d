// A SIM's limits and a message that is longer than what they leave now.
#include <doctest/doctest.h>

#include "tools/simulate/world.hpp"

using namespace conductor;
using namespace conductor::simulate;
using namespace std::chrono_literals;

namespace {

MessageId submit(World& world, std::string to, std::string text, double priority) {
    NewMessage m;
    m.to = std::move(to);
    m.text = std::move(text);
    m.message_class = MessageClass::transactional;
    m.priority = priority;
    auto answer = world.ask<api::Answer<api::Submitted>>([&m](service::Gateway& gateway) { return gateway.submit(m, {"test"}); });
    REQUIRE(answer.has_value());
    REQUIRE(answer->has_value());
    return (*answer)->message.id;
}

/// The numbers that the network took something for, in order; 'L' for each part of the long one.
std::string order(const World& world) {
    std::string out;
    for (const auto& one : world.taken()) out += one.to == "+15550100199" ? 'L' : 's';
    return out;
}

}  // namespace

TEST_CASE(
    "room: shorter messages pass a long one that its SIM has no room for, as many as it has parts, and then it is kept for that one") {
    World world{{.seed = 5, .configure = [](config::Config& c) {
                     for (auto& modem : c.modems) modem.per_minute = modem.per_day = 0, modem.per_hour = 6;
                 }}};
    world.boot();
    REQUIRE(world.until([&] { return world.up(); }, 10s));
    for (int n = 0; n < 4; ++n) submit(world, "+1555010010" + std::to_string(n), "A short one.", 50);
    REQUIRE(world.until([&] { return world.taken().size() == 4; }, 60s));
    // two parts are left of the hour
    const auto long_one = submit(world, "+15550100199", std::string(153 * 4, 'x'), 90);
    for (int n = 0; n < 12; ++n) submit(world, "+15550100" + std::to_string(110 + n), "A short one.", 50);
    world.pass(30min);
    CHECK(order(world) == "ssssss");
    SUBCASE("and the count survives no restart, which lets as many pass again") {
        world.kill();
        REQUIRE(world.until([&] { return order(world).find('L') != std::string::npos; }, 4h));
        CHECK(order(world).find('L') <= 4 + 2 + 4);
    }
    SUBCASE("while the process lives") {
        REQUIRE(world.until([&] { return order(world).find('L') != std::string::npos; }, 4h));
        CHECK(order(world).find('L') == 4 + 4);
    }
    REQUIRE(world.until([&] { return world.taken().size() == 4 + 4 + 12; }, 12h));
    CHECK(order(world).find("LLLL") != std::string::npos);
    CHECK(world.rows(("SELECT status FROM messages WHERE id = " + std::to_string(long_one.value)).c_str())[0][0] == "3");
}
