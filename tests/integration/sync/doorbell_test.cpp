// The doorbell: rows and commands ring over Realtime, through everything that can happen to a websocket.
#include "sync/client/doorbell.hpp"

#include "tests/integration/sync/world.hpp"

using namespace conductor;
using namespace conductor::sync_test;
using namespace std::chrono_literals;

namespace {

constexpr sync::RealtimeTimes quick{.heartbeat = 300ms, .join = 1s, .again = 200ms, .busy = 500ms, .permanent = 500ms};

struct Listener {
    World w;
    sync::Client client;
    int rung = 0;
    sync::Doorbell bell{w.io.get_executor(), Log{}, client, [this] { ++rung; }, quick};

    explicit Listener(sync::ClientSettings settings) : client{w.io.get_executor(), Log{}, std::move(settings)} {
        asio::co_spawn(w.io, bell.run(), asio::detached);
        bell.listen({"gw-box:box-1", "gw-pool:main"});
    }
    Listener() : Listener{World{}.settings()} {}
    ~Listener() {
        bell.stop();
        run([] { return false; }, 50ms);
    }
    template <class Until>
    bool run(Until until, std::chrono::milliseconds limit = 8s) {
        const Instant end = BootClock::now() + limit;
        while (!until() && BootClock::now() < end) {
            w.io.restart();
            w.io.run_one_for(5ms);
        }
        return until();
    }
    bool joined() {
        return run([this] { return bell.status().joined; });
    }
    bool lost() {
        return run([this] { return !bell.status().joined; });
    }
    /// Joined, and what follows a join has rung.
    void settle() {
        REQUIRE(joined());
        run([] { return false; }, 300ms);
    }
    bool rings(const std::string& sql) {
        const int before = rung;
        w.stack.sql(sql);
        return run([&] { return rung > before; }, 2s);
    }
};

const std::string row =
    "insert into scheduled_messages (phone_number, message_content, scheduled_send_time, status) "
    "values ('+15550100123', 'x', now(), 'scheduled')";

}  // namespace

TEST_CASE("doorbell: rows and commands ring, what is of no concern does not, whatever happens to the channels") {
    Listener box;
    box.settle();
    CHECK(box.rings(row));
    CHECK(box.rings("insert into gateway_commands (gateway_id, kind) values ('box-1', 'sync')"));
    box.run([] { return false; }, 100ms);
    const int before = box.rung;
    box.w.stack.sql(
        "update scheduled_messages set priority = 1; select realtime.send('{}', 'doorbell', 'gw-pool:other', true); "
        "select realtime.send('{}', 'doorbell', 'gw-pool:main', false)");
    box.run([] { return false; }, 200ms);
    CHECK(box.rung == before);

    for (const json& why :
         {json{{"do", "close"}}, json{{"do", "close"}, {"why", "Token has expired 1 seconds ago"}}, json{{"do", "error"}}}) {
        CAPTURE(why.dump());
        const int joins = box.w.stack.realtime(json::object()).at("joins");
        box.w.stack.realtime(why);
        REQUIRE(box.lost());
        REQUIRE(box.joined());
        CHECK(box.w.stack.realtime(json::object()).at("joins") >= joins + 2);
    }
    box.w.stack.realtime({{"do", "garbage"}});
    CHECK(box.run([&] { return box.bell.status().malformed > 5; }));
    box.w.stack.postgrest(false);
    CHECK(box.rings(row));
    box.w.stack.postgrest(true);
    CHECK(box.bell.status().connections == 1);
}

TEST_CASE("doorbell: a connection that dies, in every way, is made again, and joining is a reason to fetch") {
    Listener box;
    box.settle();
    box.w.stack.realtime({{"do", "kill"}});
    REQUIRE(box.lost());
    box.w.stack.sql(row);  // nobody hears it
    const int before = box.rung;
    REQUIRE(box.joined());
    CHECK(box.rung > before);

    box.settle();
    box.w.stack.realtime({{"mute", true}});  // open, and silent
    REQUIRE(box.lost());
    CHECK(box.bell.status().last_error.find("heartbeat") != std::string::npos);
    box.w.stack.realtime({{"mute", false}});
    REQUIRE(box.joined());

    box.settle();
    box.w.stack.realtime({{"refuse", 429}, {"do", "kill"}});
    CHECK(box.run([&] { return box.bell.status().last_error.find("429") != std::string::npos; }));
    box.w.stack.realtime({{"refuse", 0}});
    REQUIRE(box.joined());

    box.settle();
    box.w.stack.realtime({{"do", "flood"}});  // a frame that no doorbell is as large as
    REQUIRE(box.lost());
    REQUIRE(box.joined());
    CHECK(box.rings(row));

    const auto connections = box.bell.status().connections;
    box.bell.renew();
    CHECK(box.run([&] { return box.bell.status().connections == connections + 1 && box.bell.status().joined; }));
    box.bell.listen({});
    REQUIRE(box.lost());
    CHECK(box.run([&] { return box.w.stack.realtime(json::object())["sockets"] == 0; }));
    box.bell.listen({"gw-pool:main"});
    REQUIRE(box.joined());
    CHECK(box.rings(row));
}

TEST_CASE("doorbell: tokens are refreshed before they end; a busy server is left alone for a while") {
    Listener box;  // runs from the first run() on
    box.w.stack.token_life(2);
    box.w.stack.realtime({{"joinError", "ConnectionRateLimitReached: Too many connected users"}});
    box.run([] { return false; }, 400ms);
    CHECK_FALSE(box.bell.status().joined);
    CHECK(box.bell.status().last_error.starts_with("ConnectionRateLimitReached"));
    box.w.stack.realtime({{"joinError", ""}});
    REQUIRE(box.joined());
    CHECK(box.bell.status().last_error.empty());
    const int joins = box.w.stack.realtime(json::object()).at("joins");
    CHECK(box.run([&] { return box.client.status().refreshes >= 2; }));
    CHECK(box.bell.status().joined);
    CHECK(box.rings(row));
    CHECK(box.w.stack.realtime(json::object()).at("joins") == joins);  // told, not joined anew
    CHECK(box.bell.status().connections == 1);
}

TEST_CASE("doorbell: TLS, with the certificate that was named and with no other") {
    sync::ClientSettings settings = World{}.settings();
    settings.url = fresh_stack().ready().at("tls");
    SUBCASE("of the system's authorities") {
        settings.jwt = "is asked for behind TLS";
        Listener box{settings};
        CHECK_MESSAGE(box.run([&] { return box.bell.status().last_error.find("certificate") != std::string::npos; }),
                      box.bell.status().last_error);
        CHECK_FALSE(box.bell.status().joined);
    }
    SUBCASE("named") {
        settings.ca_file = fresh_stack().ready().at("ca");
        Listener box{settings};
        box.settle();
        CHECK(box.rings(row));
    }
}
