// What goes wrong between the box and the project: server away, answers lost, tokens and keys spent.
#include <set>
#include <thread>

#include "tests/integration/sync/world.hpp"

using namespace conductor;
using namespace conductor::sync_test;
using sync::Client;
using sync::SyncErrc;
using sync::Verdict;

namespace {

sync::Hello hello_request() {
    return {"", "0.1.0", 1};
}

}  // namespace

TEST_CASE("PostgREST stopped and started: an error that passes, then everything works, nothing is lost") {
    World w;
    w.schedule(5);
    Client client{w.io.get_executor(), Log{}, w.settings()};
    REQUIRE(w.run(client.hello(hello_request())).has_value());
    w.stack.postgrest(false);
    const auto down = w.run(client.claim(claim_of("r", 5)));
    REQUIRE_FALSE(down.has_value());
    CHECK(down.error().is(SyncErrc::retry_later));
    CHECK(client.back_off() > std::chrono::milliseconds{0});
    CHECK_FALSE(client.status().connected);
    CHECK_FALSE(client.status().last_error.empty());
    w.stack.postgrest(true);
    const auto up = w.run(client.claim(claim_of("r", 5)));
    REQUIRE(up.has_value());
    CHECK(up->jobs.size() == 5);
    CHECK(client.back_off() == std::chrono::milliseconds{0});
    CHECK(client.status().connected);
    CHECK(client.status().last_error.empty());
}

TEST_CASE("executed, but the answer was cut off: the same request again changes nothing") {
    World w;
    w.schedule(10);
    Client client{w.io.get_executor(), Log{}, w.settings()};
    REQUIRE(w.run(client.hello(hello_request())).has_value());
    w.stack.fault({{"mode", "drop"}, {"match", "gw_claim_v1"}, {"count", 3}});
    Result<sync::ClaimAnswer> claimed = w.run(client.claim(claim_of("r", 4)));
    for (int i = 0; i < 5 && !claimed; ++i) {
        CHECK(claimed.error().is(SyncErrc::transport));
        claimed = w.run(client.claim(claim_of("r", 4)));
    }
    REQUIRE(claimed.has_value());
    CHECK(claimed->jobs.size() == 4);
    CHECK(w.stack.count("scheduled_messages where status = 'claimed' and claim_epoch = 1") == 4);
    CHECK(w.stack.count("scheduled_messages where claim_epoch = 0") == 6);

    std::vector<sync::ReportItem> items;
    for (std::size_t i = 0; i < claimed->jobs.size(); ++i)
        items.push_back({uuid(static_cast<int>(i)),
                         json{{"kind", "sent"}, {"job_id", claimed->jobs[i].id}, {"epoch", 1}, {"at", "2026-11-21T18:00:00Z"}}.dump()});
    w.stack.fault({{"mode", "drop"}, {"match", "gw_report_v1"}, {"count", 3}});
    auto told = w.run(client.report(items));
    for (int i = 0; i < 5 && !told; ++i) told = w.run(client.report(items));
    REQUIRE(told.has_value());
    for (const auto& verdict : *told) CHECK(verdict.verdict == Verdict::duplicate);
    CHECK(w.stack.count("messages where status = 'sent'") == 4);
    CHECK(w.stack.count("message_events") == 4);

    w.stack.fault({{"mode", "drop"}, {"match", "gw_inbound_v1"}, {"count", 3}});
    const std::vector<sync::InboundItem> inbound = {{uuid(77), R"({"phone_number":"+15550100123","content":"hi"})"}};
    auto stored = w.run(client.inbound(inbound));
    for (int i = 0; i < 5 && !stored; ++i) stored = w.run(client.inbound(inbound));
    REQUIRE(stored.has_value());
    CHECK(w.stack.count("messages where direction = 'inbound'") == 1);
}

TEST_CASE("a refused batch is halved until its bad item is alone") {
    World w;
    Client client{w.io.get_executor(), Log{}, w.settings()};
    // The proxy refuses whatever holds the poison, as PostgREST refuses a body that it cannot read.
    w.stack.fault({{"mode", "status"}, {"contains", "poison"}, {"status", 400}, {"body", {{"code", "PGRST102"}, {"message", "bad body"}}}});
    std::vector<sync::InboundItem> items;
    for (int i = 0; i < 250; ++i)
        items.push_back(
            {uuid(i), json{{"phone_number", "+15550100123"}, {"content", i == 31 || i == 32 || i == 249 ? "poison" : "fine"}}.dump()});
    const auto verdicts = w.run(client.inbound(items));
    REQUIRE(verdicts.has_value());
    REQUIRE(verdicts->size() == 250);
    for (std::size_t i = 0; i < 250; ++i) {
        CAPTURE(i);
        CHECK((*verdicts)[i].verdict == (i == 31 || i == 32 || i == 249 ? Verdict::rejected : Verdict::applied));
    }
    CHECK(w.stack.count("messages") == 247);
    CHECK(client.back_off() == std::chrono::milliseconds{0});
}

TEST_CASE("tokens: one login for many calls, refreshed ahead of its end, renewed when refused, then the password again") {
    World w;
    Client client{w.io.get_executor(), Log{}, w.settings()};
    const auto greet = [](Client& c, int& good) -> aio::awaitable<void> {
        const sync::Hello hello{"", "0.1.0", 1};
        const auto answer = co_await c.hello(hello);
        if (answer) ++good;
    };
    int good = 0;
    for (int i = 0; i < 12; ++i) boost::asio::co_spawn(w.io, greet(client, good), boost::asio::detached);
    w.io.restart();
    w.io.run();
    CHECK(good == 12);
    CHECK(client.status().logins == 1);

    SUBCASE("a token that is over is refused, refreshed and the call repeated") {
        // 100 s ago is past the leeway of 30 s; the client believes expires_in, so this one is used once.
        w.stack.token_life(-100);
        Client late{w.io.get_executor(), Log{}, w.settings()};
        const auto refused = w.run(late.hello(hello_request()));
        REQUIRE_FALSE(refused.has_value());
        CHECK(refused.error().is(SyncErrc::unauthorized));
        CHECK(late.status().logins == 2);
        CHECK(late.status().refreshes == 1);
        CHECK(late.back_off() > std::chrono::minutes{10});
        w.stack.token_life(3600);
        CHECK(w.run(late.hello(hello_request())).has_value());
    }
    SUBCASE("a refresh token that is spent leads to the password") {
        w.stack.token_life(0);  // to be renewed at each call; accepted within the leeway
        Client brief{w.io.get_executor(), Log{}, w.settings()};
        REQUIRE(w.run(brief.hello(hello_request())).has_value());
        REQUIRE(w.run(brief.hello(hello_request())).has_value());
        CHECK(brief.status().logins == 1);
        CHECK(brief.status().refreshes == 1);
        w.stack.revoke_refresh_tokens();
        REQUIRE(w.run(brief.hello(hello_request())).has_value());
        CHECK(brief.status().logins == 2);
    }
    SUBCASE("a wrong password is told apart from a server that is away") {
        auto settings = w.settings();
        settings.password = "wrong";
        Client stranger{w.io.get_executor(), Log{}, settings};
        const auto answer = w.run(stranger.hello(hello_request()));
        REQUIRE_FALSE(answer.has_value());
        CHECK(answer.error().is(SyncErrc::forbidden));
        CHECK(stranger.status().last_error.find("invalid_credentials") != std::string::npos);
        stranger.update(w.settings());
        CHECK(w.run(stranger.hello(hello_request())).has_value());
    }
    SUBCASE("keys are rotated: the next one is tried") {
        auto settings = w.settings();
        settings.keys = {"sb_publishable_old", w.stack.key()};
        Client rotated{w.io.get_executor(), Log{}, settings};
        CHECK(w.run(rotated.hello(hello_request())).has_value());
        settings.keys = {"sb_publishable_old"};
        Client lost{w.io.get_executor(), Log{}, settings};
        const auto answer = w.run(lost.hello(hello_request()));
        REQUIRE_FALSE(answer.has_value());
        CHECK(answer.error().is(SyncErrc::unauthorized));
    }
    SUBCASE("a minted token is used as it is") {
        const json user = w.stack.add_user("minted@example.com", {});
        w.stack.sql("update gateways set auth_user_id = '" + user.at("id").get<std::string>() + "'");
        auto settings = w.settings();
        settings.email.clear();
        settings.password.clear();
        settings.jwt = user.at("token");
        Client minted{w.io.get_executor(), Log{}, settings};
        const auto answer = w.run(minted.hello(hello_request()));
        w.stack.sql("update gateways set auth_user_id = (select id from auth.users where email = 'box-1@example.com')");
        CHECK(answer.has_value());
        CHECK(minted.status().logins == 0);
    }
}

TEST_CASE("a box that was disabled is refused at once, and waits long") {
    World w;
    w.schedule(1);
    Client client{w.io.get_executor(), Log{}, w.settings()};
    REQUIRE(w.run(client.hello(hello_request())).has_value());
    w.stack.sql("update gateways set enabled = false");
    const auto refused = w.run(client.claim(claim_of("r", 1)));
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().is(SyncErrc::forbidden));
    CHECK(client.back_off() >= std::chrono::minutes{4});
    w.stack.sql("update gateways set enabled = true");
    client.reset_back_off();
    CHECK(w.run(client.claim(claim_of("r", 1))).has_value());
}

TEST_CASE("breaker: after five failures calls fail at once, until the probe") {
    World w;
    auto settings = w.settings();
    settings.back_off.base = settings.back_off.least = std::chrono::milliseconds{10};
    Client client{w.io.get_executor(), Log{}, settings};
    REQUIRE(w.run(client.hello(hello_request())).has_value());
    w.stack.fault({{"mode", "status"}, {"status", 503}});
    for (int i = 0; i < 4; ++i) {
        REQUIRE_FALSE(w.run(client.hello(hello_request())).has_value());
        std::this_thread::sleep_for(client.back_off());
    }
    CHECK_FALSE(client.status().breaker_open);
    w.stack.reset();
    w.stack.fault({{"mode", "status"}, {"status", 503}, {"headers", {{"Retry-After", "60"}}}});
    REQUIRE_FALSE(w.run(client.hello(hello_request())).has_value());
    CHECK(client.status().breaker_open);
    CHECK(client.back_off() > std::chrono::seconds{30});
    const std::size_t before = w.stack.log().size();
    const auto refused = w.run(client.hello(hello_request()));
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error() == Error{SyncErrc::transport, "breaker"});
    CHECK(w.stack.log().size() == before);
    w.stack.reset();
    client.reset_back_off();
    CHECK(w.run(client.hello(hello_request())).has_value());
    CHECK_FALSE(client.status().breaker_open);
}

TEST_CASE("slow and foreign answers") {
    World w;
    auto settings = w.settings();
    Client client{w.io.get_executor(), Log{}, settings};
    REQUIRE(w.run(client.hello(hello_request())).has_value());
    SUBCASE("a timeout is a transport error") {
        settings.timeout = std::chrono::milliseconds{300};
        client.update(settings);
        w.stack.fault({{"mode", "delay"}, {"ms", 20000}, {"count", 1}});
        const auto slow = w.run(client.hello(hello_request()));
        REQUIRE_FALSE(slow.has_value());
        CHECK(slow.error().is(SyncErrc::transport));
    }
    SUBCASE("a captive portal's page is no answer") {
        w.stack.fault({{"mode", "status"}, {"status", 200}, {"body", "<html>Welcome to our network</html>"}, {"count", 1}});
        const auto page = w.run(client.claim(claim_of("r", 1)));
        REQUIRE_FALSE(page.has_value());
        CHECK(page.error().is(SyncErrc::retry_later));
        CHECK(client.back_off() > std::chrono::milliseconds{0});
    }
    SUBCASE("a schema that is not ready keeps the data") {
        w.stack.fault({{"mode", "status"}, {"status", 404}, {"body", {{"code", "PGRST202"}, {"message", "no function"}}}, {"count", 1}});
        const auto old = w.run(client.inbound({{uuid(1), R"({"phone_number":"+15550100123","content":"hi"})"}}));
        REQUIRE_FALSE(old.has_value());
        CHECK(old.error().is(SyncErrc::not_ready));
    }
    SUBCASE("plain http leaves this machine never") {
        settings.url = "http://project.example.com";
        Client open{w.io.get_executor(), Log{}, settings};
        const auto answer = w.run(open.hello(hello_request()));
        REQUIRE_FALSE(answer.has_value());
        CHECK(answer.error().is(SyncErrc::forbidden));
    }
}
