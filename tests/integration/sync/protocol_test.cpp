// The protocol as a box uses it: claim, begin, report, inbound, commands.
#include <fmt/format.h>

#include <set>

#include "tests/integration/sync/world.hpp"

using namespace conductor;
using namespace conductor::sync_test;
using sync::Client;
using sync::Verdict;

namespace {

sync::ReportItem event(int n, std::string_view kind, const sync::Job& job, const json& more = json::object()) {
    json body = {{"kind", kind}, {"job_id", job.id}, {"epoch", job.epoch}, {"at", "2026-11-21T18:00:00.000Z"}};
    body.update(more);
    return {uuid(n), body.dump()};
}

std::vector<Client::Begin> begins(const std::vector<sync::Job>& jobs) {
    std::vector<Client::Begin> out;
    for (const sync::Job& job : jobs) out.push_back({job.id, job.epoch, job.revision});
    return out;
}

std::vector<std::int64_t> ids(const std::vector<sync::Job>& jobs) {
    std::vector<std::int64_t> out;
    for (const sync::Job& job : jobs) out.push_back(job.id);
    return out;
}

}  // namespace

TEST_CASE("200 rows of a producer: claimed in batches, begun, reported, and the tables say so") {
    World w;
    w.schedule(200);
    Client client{w.io.get_executor(), Log{}, w.settings()};
    const auto hello = w.run(client.hello({"instance-a", "0.1.0", 1}));
    REQUIRE(hello.has_value());
    CHECK(hello->gateway_id == "box-1");
    CHECK(hello->pool == "main");
    CHECK(hello->alone);
    CHECK_FALSE(hello->fenced);

    std::set<std::int64_t> seen;
    int event_id = 0;
    for (int batch = 0; batch < 4; ++batch) {
        CAPTURE(batch);
        const auto claimed = w.run(client.claim(claim_of("r" + std::to_string(batch), 50)));
        REQUIRE(claimed.has_value());
        REQUIRE(claimed->jobs.size() == 50);
        for (const sync::Job& job : claimed->jobs) {
            CHECK(seen.insert(job.id).second);
            CHECK(job.epoch == 1);
            CHECK(job.offline_ok);
            CHECK(job.lease_expires_at - claimed->server_now > std::chrono::hours{23});
        }
        const auto replay = w.run(client.claim(claim_of("r" + std::to_string(batch), 50)));
        REQUIRE(replay.has_value());
        CHECK(replay->jobs == claimed->jobs);

        const auto begun = w.run(client.begin(begins(claimed->jobs)));
        REQUIRE(begun.has_value());
        REQUIRE(begun->size() == 50);
        for (const auto& answer : *begun) CHECK(answer.go);

        std::vector<sync::ReportItem> items;
        for (const sync::Job& job : claimed->jobs) {
            items.push_back(event(++event_id, "sent", job, {{"delivery_status", "pending"}, {"modem_index", 1}, {"parts", 1}}));
            items.push_back(event(++event_id, "delivered", job, {{"at", "2026-11-21T18:00:07.000Z"}}));
        }
        const auto verdicts = w.run(client.report(items));
        REQUIRE(verdicts.has_value());
        REQUIRE(verdicts->size() == items.size());
        for (std::size_t i = 0; i < items.size(); ++i) {
            CHECK((*verdicts)[i].id == items[i].event_id);
            CHECK((*verdicts)[i].verdict == Verdict::applied);
        }
        const auto again = w.run(client.report(items));
        REQUIRE(again.has_value());
        for (const auto& verdict : *again) CHECK(verdict.verdict == Verdict::duplicate);
    }
    const auto empty = w.run(client.claim(claim_of("r9", 50)));
    REQUIRE(empty.has_value());
    CHECK(empty->jobs.empty());
    CHECK(
        w.stack.count("scheduled_messages s join messages m on m.id = s.message_id and m.scheduled_message_id = s.id "
                      "where s.status = 'delivered' and s.delivery_status = 'delivered' and s.actual_send_time = '2026-11-21 18:00:00+00' "
                      "and m.status = 'delivered' and m.direction = 'outbound' and m.content = s.message_content and m.modem_index = 1 "
                      "and m.delivered_at = '2026-11-21 18:00:07+00'") == 200);
    CHECK(w.stack.count("messages") == 200);
    CHECK(client.status().logins == 1);
}

TEST_CASE("inbound: stored once, cleaned, and linked to the customer") {
    World w;
    w.stack.sql("insert into public.customers (member_id, name, phone) values ('m1', 'Ann Example', '+15550100123')");
    Client client{w.io.get_executor(), Log{}, w.settings()};
    const std::vector<sync::InboundItem> items = {
        {uuid(1), R"({"phone_number":"+15550100123","content":"yes \u0000\ud800 please","timestamp":"2026-11-21T18:00:00.000Z",
                      "modem_timestamp":"2026-11-21T10:00:00-08:00","modem_index":0,"message_hash":"00112233aabbccdd"})"},
        {uuid(2), R"({"content":"nobody sent this"})"},
        {uuid(3), "no json"},
        {uuid(4), R"({"phone_number":"Example","content":"from a name"})"}};
    for (int round = 0; round < 2; ++round) {
        CAPTURE(round);
        const auto verdicts = w.run(client.inbound(items));
        REQUIRE(verdicts.has_value());
        REQUIRE(verdicts->size() == 4);
        const Verdict good = round == 0 ? Verdict::applied : Verdict::duplicate;
        CHECK((*verdicts)[0].verdict == good);
        CHECK((*verdicts)[1].verdict == Verdict::rejected);
        CHECK((*verdicts)[1].reason.starts_with("23502"));
        CHECK((*verdicts)[2].verdict == Verdict::rejected);
        CHECK((*verdicts)[3].verdict == good);
    }
    CHECK(
        w.stack.sql(
            "select phone_number, content, status, direction, customer_id, modem_timestamp at time zone 'UTC' from messages order by id") ==
        "+15550100123|yes \xEF\xBF\xBD please|unread|inbound|m1|2026-11-21 18:00:00\nExample|from a name|unread|inbound||");
}

TEST_CASE("bad events are rejected alone") {
    World w;
    w.schedule(2);
    Client client{w.io.get_executor(), Log{}, w.settings()};
    const auto claimed = w.run(client.claim(claim_of("r", 2)));
    REQUIRE(claimed.has_value());
    REQUIRE(claimed->jobs.size() == 2);
    sync::Job elsewhere = claimed->jobs[0], older = claimed->jobs[0];
    elsewhere.id = 4711;
    older.epoch = 7;
    std::vector<sync::ReportItem> items = {event(1, "sent", claimed->jobs[0]),
                                           {"not a uuid", R"({"kind":"sent","job_id":1,"epoch":1})"},
                                           event(2, "teleported", claimed->jobs[0]),
                                           event(3, "sent", elsewhere),
                                           event(4, "sent", older),
                                           {uuid(5), R"({"kind":"sent","job_id":"many","epoch":1})"},
                                           {uuid(6), R"({"kind":"sent"})"},
                                           {uuid(7), R"({"kind":"opt_out","phone_number":"+15550100199","reason":"STOP"})"},
                                           {uuid(8), R"({"kind":"heartbeat","modems":[]})"},
                                           event(9, "failed", claimed->jobs[1], {{"reason", "cms-38"}, {"reason_text", "no route"}})};
    const auto verdicts = w.run(client.report(items));
    REQUIRE(verdicts.has_value());
    const Verdict want[] = {Verdict::applied,  Verdict::rejected, Verdict::rejected, Verdict::unknown_job, Verdict::stale_epoch,
                            Verdict::rejected, Verdict::rejected, Verdict::applied,  Verdict::applied,     Verdict::applied};
    REQUIRE(verdicts->size() == std::size(want));
    for (std::size_t i = 0; i < std::size(want); ++i) {
        CAPTURE(i);
        CAPTURE((*verdicts)[i].reason);
        CHECK((*verdicts)[i].verdict == want[i]);
    }
    CHECK(w.stack.sql("select status, reason, error_message from scheduled_messages order by id") == "sent||\nfailed|cms-38|no route");
    CHECK(w.stack.count("opt_outs where phone_number = '+15550100199' and active") == 1);
    CHECK(w.stack.sql("select heartbeat from gateways") == R"({"modems": []})");
}

TEST_CASE("begin: what may not be sent any more is not") {
    World w;
    w.schedule(6);
    Client client{w.io.get_executor(), Log{}, w.settings()};
    const auto claimed = w.run(client.claim(claim_of("r", 10)));
    REQUIRE(claimed.has_value());
    REQUIRE(claimed->jobs.size() == 6);
    const auto& jobs = claimed->jobs;
    w.stack.sql(
        fmt::format("update scheduled_messages set cancel_requested_at = now() where id = {};"
                    "update scheduled_messages set message_content = 'better text' where id = {};"
                    "insert into opt_outs (phone_number) select phone_number from scheduled_messages where id = {};",
                    jobs[0].id, jobs[1].id, jobs[2].id));
    w.stack.sql(
        fmt::format("begin; set local conductor.actor = 'test'; update scheduled_messages set lease_expires_at = now() - interval '1 s' "
                    "where id = {}; commit; update scheduled_messages set expires_at = now() where id = {}",
                    jobs[3].id, jobs[4].id));
    auto asked = begins(jobs);
    asked[4].revision = 2;  // the box has read it again since, and it is over
    asked.push_back({99999, 1, 1});
    const auto answers = w.run(client.begin(asked));
    REQUIRE(answers.has_value());
    const std::string_view want[] = {"cancelled", "edited", "opted-out", "lease", "expired", "", "not-found"};
    for (std::size_t i = 0; i < std::size(want); ++i) {
        CAPTURE(i);
        CHECK((*answers)[i].go == want[i].empty());
        CHECK((*answers)[i].reason == want[i]);
    }
    const auto twice = w.run(client.begin({{jobs[5].id, jobs[5].epoch, jobs[5].revision}}));
    REQUIRE(twice.has_value());
    CHECK((*twice)[0].go);  // the first answer may have been lost

    const auto commands = w.run(client.commands());
    REQUIRE(commands.has_value());
    std::vector<std::string> kinds;
    std::vector<std::int64_t> command_ids;
    for (const auto& command : *commands) kinds.push_back(command.kind), command_ids.push_back(command.id);
    CHECK(kinds == std::vector<std::string>{"cancel", "edit", "opt_out", "edit"});
    CHECK((*commands)[0].job_id == jobs[0].id);
    CHECK((*commands)[0].epoch == 1);
    REQUIRE(w.run(client.acknowledge(command_ids)).has_value());
    CHECK(w.run(client.commands())->empty());

    const auto mine = w.run(client.mine());
    REQUIRE(mine.has_value());
    CHECK(mine->jobs.size() == 5);
    for (const auto& job : mine->jobs)
        if (job.id == jobs[1].id) CHECK((job.content == "better text" && job.revision == 2));
}

TEST_CASE("two boxes of a pool: no row twice, a lease that is over moves on, a late box is told") {
    World w;
    w.schedule(100);
    const json other = w.stack.add_gateway("box-2", "main");
    Client a{w.io.get_executor(), Log{}, w.settings()}, b{w.io.get_executor(), Log{}, w.settings(other)};
    std::set<std::int64_t> seen;
    std::optional<sync::Job> first;
    int rounds = 0;
    const auto take = [](Client& client, std::string request, std::vector<sync::Job>& into) -> aio::awaitable<void> {
        const sync::ClaimRequest claim{std::move(request), 50, {}, {}};
        auto got = co_await client.claim(claim);
        if (got) into = got->jobs;
    };
    for (; rounds < 10 && seen.size() < 100; ++rounds) {
        std::vector<sync::Job> of_a, of_b;
        boost::asio::co_spawn(w.io, take(a, fmt::format("a{}", rounds), of_a), boost::asio::detached);
        boost::asio::co_spawn(w.io, take(b, fmt::format("b{}", rounds), of_b), boost::asio::detached);
        w.io.restart();
        w.io.run();
        CHECK(of_a.size() <= 20);  // a pool of several: at most 20 rows a claim
        for (const auto& job : of_a) CHECK(seen.insert(job.id).second);
        for (const auto& job : of_b) CHECK(seen.insert(job.id).second);
        for (const auto& job : of_b) CHECK_FALSE(job.offline_ok);
        if (!first && !of_a.empty()) first = of_a[0];
    }
    CHECK(seen.size() == 100);
    REQUIRE(first);

    w.stack.sql(
        fmt::format("begin; set local conductor.actor = 'test'; update scheduled_messages set lease_expires_at = now() - interval '1 s' "
                    "where id = {}; commit",
                    first->id));
    const auto moved = w.run(b.claim(claim_of("again", 5)));
    REQUIRE(moved.has_value());
    REQUIRE(ids(moved->jobs) == std::vector<std::int64_t>{first->id});
    CHECK(moved->jobs[0].epoch == 2);
    const auto late = w.run(a.report({event(1, "sent", *first)}));
    REQUIRE(late.has_value());
    CHECK((*late)[0].verdict == Verdict::stale_epoch);
    const auto renewed = w.run(a.renew({{first->id, first->epoch, first->revision}}));
    REQUIRE(renewed.has_value());
    CHECK_FALSE((*renewed)[0].held);
    const auto kept = w.run(b.renew({{first->id, 2, first->revision}}));
    REQUIRE(kept.has_value());
    CHECK((*kept)[0].held);
    CHECK(w.stack.sql(fmt::format("select status from scheduled_messages where id = {}", first->id)) == "claimed");
}

TEST_CASE("a row handed back goes to another box, one being sent becomes unknown, evidence corrects it") {
    World w;
    w.schedule(2);
    Client client{w.io.get_executor(), Log{}, w.settings()};
    const auto claimed = w.run(client.claim(claim_of("r", 2)));
    REQUIRE(claimed.has_value());
    REQUIRE(claimed->jobs.size() == 2);
    REQUIRE(w.run(client.begin(begins(claimed->jobs))).has_value());
    REQUIRE(w.run(client.report({event(1, "released", claimed->jobs[0], {{"reason", "no-modem"}})})).has_value());
    w.stack.sql(
        fmt::format("begin; set local conductor.actor = 'test'; update scheduled_messages set lease_expires_at = now() - interval '1 s' "
                    "where id = {}; commit",
                    claimed->jobs[1].id));
    const auto again = w.run(client.claim(claim_of("r2", 2)));
    REQUIRE(again.has_value());
    REQUIRE(ids(again->jobs) == std::vector<std::int64_t>{claimed->jobs[0].id});
    CHECK(again->jobs[0].epoch == 2);
    CHECK(w.stack.sql("select status, delivery_status, reason from scheduled_messages where status = 'unknown'") ==
          "unknown|unknown|lease-over");
    const auto late = w.run(client.report({event(2, "delivered", claimed->jobs[1])}));
    REQUIRE(late.has_value());
    CHECK((*late)[0].verdict == Verdict::applied);
    CHECK(w.stack.sql(fmt::format("select status, delivery_status from scheduled_messages where id = {}", claimed->jobs[1].id)) ==
          "delivered|delivered");
}

TEST_CASE("of two boxes with one identity the newer fences the older") {
    World w;
    w.schedule(3);
    auto new_settings = w.settings();
    new_settings.instance = "second";
    Client older{w.io.get_executor(), Log{}, w.settings()}, newer{w.io.get_executor(), Log{}, new_settings};
    REQUIRE(w.run(older.hello({"first", "0.1.0", 1})).has_value());  // remembered for the calls that follow
    const auto held = w.run(older.claim(claim_of("r", 1)));
    REQUIRE(held.has_value());
    REQUIRE(held->jobs.size() == 1);
    REQUIRE(w.run(newer.hello({"", "0.1.0", 1})).has_value());

    const auto hello = w.run(older.hello({"first", "0.1.0", 1}));
    REQUIRE(hello.has_value());
    CHECK(hello->fenced);
    CHECK(older.status().fenced);
    const auto claim = w.run(older.claim(claim_of("r2", 1)));
    REQUIRE_FALSE(claim.has_value());
    CHECK(claim.error() == Error{sync::SyncErrc::forbidden, "fenced"});
    const auto begun = w.run(older.begin(begins(held->jobs)));
    REQUIRE(begun.has_value());
    CHECK((*begun)[0].reason == "fenced");
    const auto told = w.run(older.report({event(1, "failed", held->jobs[0])}));  // facts are still taken
    REQUIRE(told.has_value());
    CHECK((*told)[0].verdict == Verdict::applied);
    const auto fresh = w.run(newer.claim(claim_of("n", 5)));
    REQUIRE(fresh.has_value());
    CHECK(fresh->jobs.size() == 2);
}

TEST_CASE("a copy of a box is found by its words, and sends nothing that the other may have sent") {
    World w;
    w.schedule(4);
    Client box{w.io.get_executor(), Log{}, w.settings()};
    const auto forked = [&](const std::string& word, std::vector<std::string> words) {
        const auto hello = w.run(box.hello({"first", "0.1.0", 1, word, std::move(words)}));
        REQUIRE(hello.has_value());
        CHECK_FALSE(hello->fenced);
        return hello->forked;
    };
    CHECK_FALSE(forked("w1", {}));
    CHECK_FALSE(forked("w1", {}));                                 // the same process again
    CHECK_FALSE(forked("w2", {"w1"}));                             // the next one
    CHECK_FALSE(forked("w4", {"w2", "w3"}));                       // w3 was never heard
    CHECK(forked("x3", {"w2"}));                                   // a copy of before
    CHECK_FALSE(forked("w4", {"w2", "w3"}));                       // which did not take its place
    CHECK_FALSE(w.run(box.hello({"first", "0.1.0", 1}))->forked);  // a box that says no word

    const auto claimed = w.run(box.claim(claim_of("r", 4)));  // alone in its pool: pinned
    REQUIRE(claimed.has_value());
    REQUIRE(claimed->jobs.size() == 4);
    w.stack.sql(
        fmt::format("begin; set local conductor.actor = 'test'; update scheduled_messages set scheduled_send_time = now() + "
                    "interval '1 hour' where id = {}; commit",
                    claimed->jobs[3].id));
    auto asked = begins(claimed->jobs);
    asked[3].revision = 2;
    REQUIRE(w.run(box.begin({asked[0]})).has_value());
    auto settings = w.settings();
    settings.instance = "second";
    Client copy{w.io.get_executor(), Log{}, settings};
    REQUIRE(w.run(copy.hello({"", "0.1.0", 1, "x3"})).has_value());
    CHECK(w.run(copy.mine({"another"}))->jobs[3].instance == "first");
    const auto mine = w.run(copy.mine({"first"}));
    REQUIRE(mine.has_value());
    CHECK(mine->jobs[2].instance == "first");  // due: the other one may have sent it
    CHECK(mine->jobs[3].instance == "second");
    const auto answers = w.run(copy.begin(asked));
    REQUIRE(answers.has_value());
    const std::string_view want[] = {"begun-before", "begun-before", "begun-before", ""};
    for (std::size_t i = 0; i < std::size(want); ++i) {
        CAPTURE(i);
        CHECK((*answers)[i].go == want[i].empty());
        CHECK((*answers)[i].reason == want[i]);
    }
    const auto released = [&](const char* instance, int n) {
        return (*w.run(copy.report({event(n, "released", claimed->jobs[1], {{"instance", instance}})})))[0].verdict;
    };
    CHECK(released("second", 1) == Verdict::stale_epoch);  // who did not have it cannot say that it was not sent
    CHECK(w.stack.sql(fmt::format("select status from scheduled_messages where id = {}", claimed->jobs[1].id)) == "claimed");
    CHECK(released("first", 2) == Verdict::applied);
    CHECK(w.stack.sql(fmt::format("select status from scheduled_messages where id = {}", claimed->jobs[1].id)) == "queued");
}
