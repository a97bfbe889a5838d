// Client against a Supabase of the test: whose token is used, how long a go is waited for, who logs in.
#include "sync/client/client.hpp"

#include <doctest/doctest.h>

#include "tests/support/fake_supabase.hpp"

using namespace conductor;
using namespace std::chrono_literals;
using sync::Client;
using sync::SyncErrc;

namespace {

struct Caller {
    boost::asio::io_context io;
    test::FakeSupabase server{io, [] { return *parse_rfc3339("2026-11-24T18:00:00Z"); }};

    sync::ClientSettings settings(const std::string& email = "box-1@example.com") const {
        sync::ClientSettings s;
        s.url = server.url();
        s.keys = {"sb_publishable_example"};
        s.email = email;
        s.password = "example-password";
        return s;
    }
    void logs_in(const char* token) {
        server.answers["token"] = {{"access_token", token}, {"refresh_token", std::string{"after-"} + token}, {"expires_in", 3600}};
    }
    template <class T>
    T run(aio::awaitable<T> task) {
        std::optional<T> out;
        boost::asio::co_spawn(io, std::move(task), [&out](std::exception_ptr e, T value) {
            if (!e) out = std::move(value);
        });
        const Instant end = BootClock::now() + 5s;
        io.restart();
        while (!out && BootClock::now() < end) io.run_one_for(10ms);
        REQUIRE(out.has_value());
        return std::move(*out);
    }
};

const sync::Hello hello{"instance-a", "0.1.0", 1};

}  // namespace

TEST_CASE("client: a login that new credentials overtake is not kept") {
    Caller c;
    c.logs_in("old");
    Client client{c.io.get_executor(), Log{}, c.settings()};
    c.server.asked = [&](const std::string& function) {
        if (function != "token" || c.server.calls[function] != 1) return;
        boost::asio::post(c.io, [&] {  // the answer is on its way
            c.logs_in("new");
            client.update(c.settings("box-2@example.com"));
        });
    };
    c.server.late["token"] = 50ms;
    REQUIRE(c.run(client.hello(hello)).has_value());
    CHECK(c.server.bearer == "new");
    CHECK(c.server.last["token"].at("email") == "box-2@example.com");
    CHECK(c.run(client.commands()).has_value());
    CHECK(c.server.bearer == "new");
    CHECK(c.server.calls["token"] == 2);
}

TEST_CASE("client: after a 403 the next call comes with another token") {
    Caller c;
    c.logs_in("first");
    Client client{c.io.get_executor(), Log{}, c.settings()};
    c.server.statuses["gw_hello_v1"] = 403;
    c.server.answers["gw_hello_v1"] = {{"code", "PT403"}, {"message", "this user is no enabled gateway"}};
    CHECK(c.run(client.hello(hello)).error().is(SyncErrc::forbidden));
    c.logs_in("second");
    c.server.statuses.clear();
    c.server.answers.erase("gw_hello_v1");
    CHECK(c.run(client.hello(hello)).has_value());
    CHECK(c.server.bearer == "second");
}

TEST_CASE("client: a go is waited for as any answer, or in haste") {
    Caller c;
    c.logs_in("token");
    auto settings = c.settings();
    settings.begin_timeout = 50ms;
    Client client{c.io.get_executor(), Log{}, settings};
    c.server.late["gw_begin_v1"] = 200ms;
    c.server.answers["gw_begin_v1"]["jobs"] = nlohmann::json::array({{{"id", 1}, {"go", true}}});
    const std::vector<Client::Begin> jobs = {{.id = 1, .epoch = 1, .revision = 1}};
    const auto waited = c.run(client.begin(jobs));
    REQUIRE(waited.has_value());
    CHECK(waited->at(0).go);
    const auto hurried = c.run(client.begin(jobs, sync::Patience::haste));
    REQUIRE_FALSE(hurried.has_value());
    CHECK(hurried.error().is(SyncErrc::transport));
}

TEST_CASE("client: after a silence no kept connection is used again") {
    Caller c;
    c.logs_in("token");
    auto settings = c.settings();
    settings.begin_timeout = 50ms;
    settings.timeout = 2s;
    Client client{c.io.get_executor(), Log{}, settings};
    c.server.answers["gw_begin_v1"]["jobs"] = nlohmann::json::array({{{"id", 1}, {"go", true}}});
    c.server.late["gw_hello_v1"] = 50ms;
    int greeted = 0;
    for (int n = 0; n < 3; ++n)  // a connection each
        boost::asio::co_spawn(
            c.io, [](Client& to, int& done) -> aio::awaitable<void> { done += (co_await to.hello(hello)).has_value(); }(client, greeted),
            boost::asio::detached);
    for (const Instant end = BootClock::now() + 5s; greeted < 3 && BootClock::now() < end;) c.io.run_one_for(10ms);
    REQUIRE(greeted == 3);
    REQUIRE(c.server.connections >= 3);
    c.server.dead = c.server.connections;
    const std::vector<Client::Begin> jobs = {{.id = 1, .epoch = 1, .revision = 1}};
    CHECK_FALSE(c.run(client.begin(jobs, sync::Patience::haste)).has_value());
    const Instant asked = BootClock::now();
    CHECK(c.run(client.begin(jobs)).has_value());
    CHECK(BootClock::now() - asked < 1s);
    CHECK(c.server.connections == c.server.dead + 1);
}

TEST_CASE("client: who is in haste waits for no login that hangs, its own or that of another call") {
    Caller c;
    c.logs_in("token");
    auto settings = c.settings();
    settings.begin_timeout = 50ms;
    settings.timeout = 3s;
    Client client{c.io.get_executor(), Log{}, settings};
    c.server.dead = 2;
    const std::vector<Client::Begin> jobs = {{.id = 1, .epoch = 1, .revision = 1}};
    CHECK_FALSE(c.run(client.begin(jobs, sync::Patience::haste)).has_value());
    bool ended = false;
    boost::asio::co_spawn(
        c.io,
        [](Client& to, bool& done) -> aio::awaitable<void> {
            co_await to.hello(hello);
            done = true;
        }(client, ended),
        boost::asio::detached);
    while (c.server.connections < 2 && !ended) c.io.run_one_for(10ms);
    CHECK_FALSE(c.run(client.begin(jobs, sync::Patience::haste)).has_value());
    CHECK_FALSE(ended);  // it has 3 s
    while (!ended) c.io.run_one_for(10ms);
}

TEST_CASE("client: calls beside each other log in once, those in haste too") {
    Caller c;
    c.logs_in("token");
    c.server.late["token"] = 100ms;
    c.server.answers["gw_begin_v1"]["jobs"] = nlohmann::json::array({{{"id", 1}, {"go", true}}});
    auto settings = c.settings();
    settings.begin_timeout = 60s;  // nobody's own limit ends the wait for the login
    settings.timeout = 61s;
    Client client{c.io.get_executor(), Log{}, settings};
    int ended = 0;
    for (int n = 0; n < 4; ++n)
        boost::asio::co_spawn(
            c.io,
            [](Client& to, sync::Patience patience, int& done) -> aio::awaitable<void> {
                std::vector<Client::Begin> jobs(1);
                jobs[0].id = 1;
                done += (co_await to.begin(jobs, patience)).has_value();
            }(client, n % 2 == 0 ? sync::Patience::full : sync::Patience::haste, ended),
            boost::asio::detached);
    for (const Instant end = BootClock::now() + 5s; ended < 4 && BootClock::now() < end;) c.io.run_one_for(10ms);
    CHECK(ended == 4);
    CHECK(c.server.calls["token"] == 1);
}

TEST_CASE("client: who was shut out does not log in for the doorbell") {
    Caller c;
    c.server.statuses["token"] = 400;
    c.server.answers["token"] = {{"error_code", "invalid_credentials"}, {"msg", "Invalid login credentials"}};
    Client client{c.io.get_executor(), Log{}, c.settings()};
    CHECK(c.run(client.hello(hello)).error().is(SyncErrc::forbidden));
    CHECK(c.server.calls["token"] == 1);
    CHECK(c.run(client.access("")).error().is(SyncErrc::forbidden));
    CHECK(c.server.calls["token"] == 1);
    c.server.statuses.clear();
    c.logs_in("token");
    CHECK(c.run(client.hello(hello)).has_value());  // the calls' own time has come
    const auto access = c.run(client.access(""));
    REQUIRE(access.has_value());
    CHECK(access->token == "token");
    CHECK(c.server.calls["token"] == 2);
}

TEST_CASE("client: calls that fail beside each other are one failure") {
    Caller c;
    c.logs_in("token");
    auto settings = c.settings();
    settings.back_off.base = 100s;
    Client client{c.io.get_executor(), Log{}, settings};
    c.server.statuses["gw_hello_v1"] = 503;
    c.server.late["gw_hello_v1"] = 50ms;
    int ended = 0;
    for (int n = 0; n < 6; ++n)
        boost::asio::co_spawn(
            c.io,
            [](Client& to, int& done) -> aio::awaitable<void> {
                co_await to.hello(hello);
                ++done;
            }(client, ended),
            boost::asio::detached);
    for (const Instant end = BootClock::now() + 5s; ended < 6 && BootClock::now() < end;) c.io.run_one_for(10ms);
    REQUIRE(ended == 6);
    CHECK(client.status().failures == 6);
    CHECK(client.back_off() <= 100s);
    CHECK_FALSE(client.status().breaker_open);
}
