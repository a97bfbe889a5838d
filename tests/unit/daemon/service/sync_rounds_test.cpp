// What SyncService does from one round to the next: commands, leases, hello.
#include <algorithm>
#include <span>

#include "daemon/service/modem_service.hpp"
#include "tests/unit/daemon/service/linked.hpp"

using namespace conductor;
using namespace conductor::service;
using namespace conductor::service::test;
using store::MessageRow;

namespace {

json withdrawal(std::int64_t id, const char* kind, std::int64_t job, std::int64_t epoch = 1) {
    return {{"id", id}, {"kind", kind}, {"job_id", job}, {"epoch", epoch}, {"payload", json::object()}};
}

}  // namespace

TEST_CASE("a cancel or an edit is acknowledged when nothing of its row can go out any more") {
    struct Case {
        const char* name;
        const char* kind;
        std::function<void(MessageRow&)> row;
        MessageStatus want;
        bool acknowledged;
        const char* told = "";  ///< before it is acknowledged
    };
    const Case cases[] = {
        {"it waits", "cancel", {}, MessageStatus::cancelled, true, "cancelled"},
        {"it waits, and comes again with its new text", "edit", {}, MessageStatus::cancelled, true, "released"},
        {"on a modem", "cancel", [](MessageRow& m) { m.status = MessageStatus::sending; }, MessageStatus::sending, false},
        {"on a modem with its old text", "edit", [](MessageRow& m) { m.status = MessageStatus::sending; }, MessageStatus::sending, false},
        {"a part of it is out", "cancel",
         [](MessageRow& m) {
             m.parts[0].status = PartStatus::sent;
             m.parts.push_back({.seq = 2});
         },
         MessageStatus::queued, false},
        {"it went out", "cancel", [](MessageRow& m) { m.status = MessageStatus::sent; }, MessageStatus::sent, true},
        {"of an earlier round", "cancel", [](MessageRow& m) { m.claim_epoch = 2; }, MessageStatus::queued, true}};
    Linked box;
    std::int64_t id = 0;
    for (const Case& one : cases) {
        box.keep(++id, one.row);
        box.server.commands.push_back(withdrawal(id, one.kind, id));
    }
    std::map<std::int64_t, std::string> told;
    box.server.asked = [&](const std::string& function) {
        if (function == "gw_ack_v1")
            for (const auto& event : box.server.told()) told[event.at("job_id").get<std::int64_t>()] = event.at("kind");
    };
    box.begin();
    REQUIRE(box.run([&] { return box.server.calls["gw_claim_v1"] > 0; }, 5s));  // behind the commands
    box.server.asked = {};
    id = 0;
    for (const Case& one : cases) {
        CAPTURE(one.name);
        CHECK(box.row(++id).status == one.want);
        CHECK(box.server.acknowledged.contains(id) == one.acknowledged);
        CHECK(told[id] == one.told);
    }
}

TEST_CASE("what went out in spite of a cancel is told before that is acknowledged") {
    Linked box;
    box.keep(4211, [](MessageRow& m) { m.status = MessageStatus::sending; });
    box.server.commands = {withdrawal(1, "cancel", 4211)};
    box.begin();
    REQUIRE(box.run([&] { return box.server.calls["gw_claim_v1"] > 0; }, 5s));
    // it ends while the next round is at its commands: its reports are up by then
    box.server.asked = [&](const std::string& function) {
        if (function == "gw_ack_v1") {
            REQUIRE(box.server.told().size() == 1);
            CHECK(box.server.told()[0].at("kind") == "sent");
        }
        if (function != "gw_commands_v1") return;
        auto end = [env = box.context->env, now = *box.clock.wall()](store::Tx& tx) {
            auto row = *store::find_by_scheduled(tx, 4211);
            if (row.status != MessageStatus::sending) return;
            row.status = MessageStatus::sent;
            save(tx, *env, row, now);
        };
        boost::asio::co_spawn(
            box.io, [](store::Store& in, auto job) -> aio::awaitable<void> { co_await in.run(job); }(*box.store, end),
            boost::asio::detached);
    };
    box.sync->now();
    CHECK(box.run([&] { return box.server.acknowledged.contains(1); }, 5s));
    box.server.asked = {};
}

TEST_CASE("what `mine` names as cancelled goes nowhere, also where it may go without asking") {
    Linked box;
    const auto known = [&](MessageRow& m) {
        m.offline_ok = true;
        m.lease_until = start + 600s;
    };
    box.keep(1, known);
    box.keep(2, [&](MessageRow& m) {
        known(m);
        m.parts.push_back({.seq = 2});
        m.parts[0].status = PartStatus::sent;
    });
    json jobs = json::array();
    for (const int id : {1, 2, 3, 4}) {
        auto job = box.job(id);
        job["instance"] = box.context->env->instance;
        job["offline_ok"] = true;
        job["cancel_requested"] = id != 4;
        jobs.push_back(job);
    }
    box.server.answers["gw_mine_v1"]["jobs"] = jobs;
    std::map<std::int64_t, std::string> told;
    box.server.asked = [&](const std::string& function) {
        if (function == "gw_claim_v1")
            for (const auto& event : box.server.told()) told[event.at("job_id").get<std::int64_t>()] = event.at("kind");
    };
    box.begin();
    REQUIRE(box.run([&] { return box.server.calls["gw_claim_v1"] > 0; }, 5s));
    box.server.asked = {};
    CHECK(box.row(1).status == MessageStatus::cancelled);
    CHECK(box.row(2).status == MessageStatus::queued);  // begun: it is completed
    CHECK(box.row(3).status == MessageStatus::cancelled);
    CHECK(box.row(4).status == MessageStatus::queued);
    CHECK(told == std::map<std::int64_t, std::string>{{1, "cancelled"}, {3, "cancelled"}});
}

TEST_CASE("what is asked for while a round is under way is done in the next one") {
    Linked box;
    SUBCASE("sync now") {
        box.server.asked = [&](const std::string& function) {
            if (function == "gw_claim_v1" && box.server.calls[function] == 1) box.sync->now();
        };
        box.begin();
        CHECK(box.run([&] { return box.server.calls["gw_claim_v1"] == 2; }, 2s));
    }
    SUBCASE("db release, while `mine` is on its way") {
        box.server.asked = [&](const std::string& function) {
            if (function == "gw_mine_v1" && box.server.calls[function] == 1) box.sync->greet_again();
        };
        box.begin();
        CHECK(box.run([&] { return box.server.calls["gw_mine_v1"] == 2; }, 2s));
    }
    box.server.asked = {};
}

TEST_CASE("leases are kept at their own pace, however long the poll is") {
    Linked box;
    Env env = *box.context->env;
    env.config.supabase->poll = 1h;
    box.context->env = std::make_shared<const Env>(std::move(env));
    box.keep(4211);  // its lease of ten minutes is renewed 400 s before its end
    box.server.answers["gw_renew_v1"]["jobs"] =
        json::array({{{"id", 4211}, {"held", true}, {"revision", 1}, {"lease_expires_at", to_rfc3339(start + 1200s)}}});
    box.begin();
    box.pass(190s);
    CHECK(box.server.calls["gw_renew_v1"] == 0);
    box.pass(201s);
    CHECK(box.server.calls["gw_renew_v1"] == 1);
    CHECK(*box.row(4211).lease_until > start + 900s);
    box.pass(290s);  // the next is due 400 s before its new end
    CHECK(box.server.calls["gw_renew_v1"] == 1);
}

TEST_CASE("a heartbeat is told every minute, however long the poll is") {
    Linked box;
    Env env = *box.context->env;
    env.config.supabase->poll = 1h;
    box.context->env = std::make_shared<const Env>(std::move(env));
    box.begin();
    const auto heartbeats = [&] {
        return std::ranges::count(box.server.reported, "heartbeat", [](const json& item) { return item.at("kind"); });
    };
    REQUIRE(box.run([&] { return heartbeats() == 1; }, 5s));
    box.pass(50s);
    CHECK(heartbeats() == 1);
    box.pass(61s);
    CHECK(heartbeats() == 2);
    CHECK(box.server.reported.back().at("claims") == false);  // nobody rings, and it has no modem
    CHECK(box.server.calls["gw_claim_v1"] == 1);
}

TEST_CASE("hello is said again every hour") {
    Linked box;
    box.begin();
    box.pass(59min);
    CHECK(box.server.calls["gw_hello_v1"] == 1);
    box.pass(61min);
    CHECK(box.server.calls["gw_hello_v1"] == 2);
    CHECK(box.server.calls["gw_mine_v1"] == 2);
}

TEST_CASE("a row whose go is an hour old and that never began is given back; one that another box has is not") {
    struct Case {
        const char* reason;
        bool begun;  ///< a part of it is out
        const char* told;
    };
    const Case cases[] = {{"lease", false, "released"}, {"lease", true, "undelivered"}, {"stale-epoch", false, ""}};
    Linked box;
    std::int64_t id = 0;
    for (const Case& one : cases) {
        box.keep(++id, [&one](MessageRow& m) {
            m.begun = true;
            m.lease_until = start + 60s;
            m.parts.push_back({.seq = 2});
            if (one.begun) m.parts[0].status = PartStatus::sent;
        });
        box.server.answers["gw_renew_v1"]["jobs"].push_back(
            {{"id", id}, {"held", false}, {"reason", one.reason}, {"revision", 1}, {"lease_expires_at", nullptr}});
    }
    box.begin();
    REQUIRE(box.run([&] { return box.server.calls["gw_claim_v1"] > 0; }, 5s));
    box.run([&] { return box.server.told().size() == 2; }, 1s);
    std::map<std::int64_t, std::string> told;
    for (const auto& event : box.server.told()) told[event.at("job_id").get<std::int64_t>()] = event.at("kind");
    id = 0;
    for (const Case& one : cases) {
        CAPTURE(one.reason);
        CAPTURE(one.begun);
        CHECK(box.row(++id).status != MessageStatus::queued);
        CHECK(told[id] == std::string{one.told});
    }
}

TEST_CASE("every page of the commands is obeyed before anything is claimed") {
    Linked box;
    for (int id = 1; id <= 1100; ++id)
        box.server.commands.push_back({{"id", id}, {"kind", "opt_out"}, {"payload", {{"phone_number", "+15550100123"}, {"active", true}}}});
    int acknowledged = 0;
    box.server.asked = [&](const std::string& function) {
        if (function == "gw_claim_v1" && acknowledged == 0) acknowledged = static_cast<int>(box.server.acknowledged.size());
    };
    box.begin();
    REQUIRE(box.run([&] { return box.server.calls["gw_claim_v1"] > 0; }, 20s));
    box.server.asked = {};
    CHECK(acknowledged == 1100);
}

TEST_CASE("commands behind a page of those that cannot be acknowledged yet are obeyed") {
    Linked box;
    box.keep(4211, [](MessageRow& m) { m.status = MessageStatus::sending; });
    for (int id = 1; id <= 500; ++id) box.server.commands.push_back(withdrawal(id, "cancel", 4211));
    box.server.commands.push_back({{"id", 501}, {"kind", "opt_out"}, {"payload", {{"phone_number", "+15550100123"}, {"active", true}}}});
    box.begin();
    REQUIRE(box.run([&] { return box.server.calls["gw_claim_v1"] > 0; }, 20s));
    CHECK(box.server.acknowledged == std::set<std::int64_t>{501});
    CHECK(box.opt_out("+15550100123").has_value());
}

TEST_CASE("the words of the processes before are said with the newest") {
    Linked box;
    std::vector<std::string> said;
    for (int process = 0; process < 10; ++process) {
        box.shared.stopping = false;
        box.sync = std::make_unique<SyncService>(*box.context, box.shared, box.settings());
        box.server.calls.clear();
        box.begin();
        REQUIRE(box.run([&] { return box.server.calls["gw_claim_v1"] > 0; }, 5s));
        const auto& p = box.server.last["gw_hello_v1"];
        const auto before = p.value("words", std::vector<std::string>{});
        CHECK(before.size() == std::min<std::size_t>(said.size(), 7));
        CHECK(std::ranges::equal(before, std::span{said}.last(before.size())));
        said.push_back(p.at("word"));
        box.shared.stopping = true;
        box.sync->now();
        box.run([] { return false; }, 50ms);
    }
}

TEST_CASE("a go that does not come in time is asked for once more; what may do without waits for neither") {
    Linked box;
    auto settings = box.settings();
    settings.begin_timeout = 100ms;
    settings.timeout = 10s;
    box.sync->update(settings);
    box.server.answers["gw_begin_v1"]["jobs"] = json::array({{{"id", 4211}, {"go", true}}});
    std::vector<GoCandidate> rows;
    for (const std::int64_t id : {4211, 4212}) {
        const bool offline_ok = id == 4212;
        const auto message = box.keep(id, [&](MessageRow& m) {
            m.offline_ok = offline_ok;
            m.ready = true;
        });
        rows.push_back({message, {.id = id, .epoch = 1, .revision = 1, .offline_ok = offline_ok}});
    }
    auto& go = box.sync->go_ahead();
    box.begin();
    REQUIRE(box.run([&] { return box.server.calls["gw_claim_v1"] > 0 && !box.sync->status()["last_success"].is_null(); }, 5s));
    aio::supervise(box.io.get_executor(), Log{}, "insist", [&] { return go.insist(); });
    const auto granted = [&](int n) {
        return box.look([&, id = rows[static_cast<std::size_t>(n)].id](store::Tx&) { return box.shared.granted->has(id); });
    };
    std::uint64_t calls = 2;
    SUBCASE("the kept connections are dead") {
        box.server.dead = box.server.connections;
    }
    SUBCASE("the server takes its time") {
        box.server.late["gw_begin_v1"] = 400ms;
        calls = 3;  // once more in haste, then with patience
    }
    const Instant asked = BootClock::now();
    boost::asio::co_spawn(box.io, go.ask(rows), boost::asio::detached);
    CHECK(box.run([&] { return granted(1); }, 5s));
    CHECK(BootClock::now() - asked < 5s);
    CHECK(box.run([&] { return granted(0); }, 8s));
    CHECK(go.asked() == calls);
    CHECK(go.unasked() == 1);
    CHECK(box.server.last["gw_begin_v1"].at("jobs").size() == 1);
}

TEST_CASE("a server that is slow with each go is not asked twice for each") {
    Linked box;
    auto settings = box.settings();
    settings.begin_timeout = 100ms;
    settings.timeout = 10s;
    box.sync->update(settings);
    box.server.late["gw_begin_v1"] = 400ms;
    auto& go = box.sync->go_ahead();
    box.begin();
    REQUIRE(box.run([&] { return box.server.calls["gw_claim_v1"] > 0 && !box.sync->status()["last_success"].is_null(); }, 5s));
    aio::supervise(box.io.get_executor(), Log{}, "insist", [&] { return go.insist(); });
    std::int64_t id = 0;
    const auto calls_for_one = [&] {
        const auto message = box.keep(++id, [](MessageRow& m) { m.ready = true; });
        box.server.answers["gw_begin_v1"]["jobs"] = json::array({{{"id", id}, {"go", true}}});
        std::vector<GoCandidate> rows;
        rows.push_back({message, {.id = id, .epoch = 1, .revision = 1}});
        const auto before = go.asked();
        boost::asio::co_spawn(box.io, go.ask(rows), boost::asio::detached);
        REQUIRE(box.run([&] { return box.look([&](store::Tx&) { return box.shared.granted->has(message); }); }, 15s));
        return go.asked() - before;
    };
    REQUIRE(calls_for_one() == 3);  // twice in haste, then with patience
    CHECK(calls_for_one() == 1);
    CHECK(calls_for_one() == 1);
    SUBCASE("until it is quick again") {
        settings.begin_timeout = 10s;
        box.sync->update(settings);
        box.server.late.clear();
        CHECK(calls_for_one() == 1);
        settings.begin_timeout = 100ms;
        box.sync->update(settings);
        box.server.late["gw_begin_v1"] = 400ms;
    }
    SUBCASE("until nobody knows any more what the line is like") {
        box.clock.ahead += 61s;
    }
    CHECK(calls_for_one() == 3);
}

TEST_CASE("a quick server is asked in haste after a dead connection, each time") {
    Linked box;
    auto settings = box.settings();
    settings.begin_timeout = 1s;
    settings.timeout = 60s;
    box.sync->update(settings);
    auto& go = box.sync->go_ahead();
    box.begin();
    REQUIRE(box.run([&] { return box.server.calls["gw_claim_v1"] > 0 && !box.sync->status()["last_success"].is_null(); }, 5s));
    aio::supervise(box.io.get_executor(), Log{}, "insist", [&] { return go.insist(); });
    for (std::int64_t id = 1; id <= 3; ++id) {
        const auto message = box.keep(id, [](MessageRow& m) { m.ready = true; });
        box.server.answers["gw_begin_v1"]["jobs"] = json::array({{{"id", id}, {"go", true}}});
        std::vector<GoCandidate> rows;
        rows.push_back({message, {.id = id, .epoch = 1, .revision = 1}});
        const auto before = go.asked();
        box.server.dead = box.server.connections;
        boost::asio::co_spawn(box.io, go.ask(rows), boost::asio::detached);
        REQUIRE(box.run([&] { return box.look([&](store::Tx&) { return box.shared.granted->has(message); }); }, 30s));
        CHECK(go.asked() == before + 2);
    }
}

TEST_CASE("a box that is replaced while it asks for a go gives back what it is let go then") {
    Linked box;
    auto settings = box.settings();
    settings.begin_timeout = 200ms;
    settings.timeout = 10s;
    box.sync->update(settings);
    const json go = {{"id", 4211}, {"go", true}}, no_go = {{"id", 4211}, {"go", false}, {"reason", "fenced"}};
    auto& begun = box.server.answers["gw_begin_v1"]["jobs"];
    begun = json::array({go});
    const auto message = box.keep(4211, [](MessageRow& m) { m.ready = true; });
    auto& ahead = box.sync->go_ahead();
    box.begin();
    REQUIRE(box.run([&] { return box.server.calls["gw_claim_v1"] > 0 && !box.sync->status()["last_success"].is_null(); }, 5s));
    box.server.answers["gw_hello_v1"] = {{"fenced", true}};
    int fenced_at = 1;  // of the calls for a go
    bool given_back = true;
    SUBCASE("the answer is on its way") {
        box.server.late["gw_begin_v1"] = 3s;
        settings.begin_timeout = 10s;
        box.sync->update(settings);
    }
    SUBCASE("the answer does not come, and the question is put again") {
        box.server.late["gw_begin_v1"] = 400ms;
    }
    SUBCASE("the first answer did not come, and to the second question there is none") {
        box.server.late["gw_begin_v1"] = 400ms;
        fenced_at = 2;
    }
    SUBCASE("it was fenced before it asked") {
        begun = json::array({no_go});
        given_back = false;
    }
    aio::supervise(box.io.get_executor(), Log{}, "insist", [&] { return ahead.insist(); });
    std::vector<GoCandidate> rows;
    rows.push_back({message, {.id = 4211, .epoch = 1, .revision = 1}});
    bool ended = false;
    boost::asio::co_spawn(box.io, ahead.ask(rows), [&](std::exception_ptr) { ended = true; });
    REQUIRE(box.run([&] { return box.server.calls["gw_begin_v1"] == fenced_at; }, 5s));
    begun = json::array({no_go});
    box.sync->greet_again();
    REQUIRE(box.run([&] { return box.row(4211).status == MessageStatus::cancelled; }, 5s));
    REQUIRE(box.run([&] { return ended; }, 15s));
    const auto tell = [&] {
        box.sync->now();
        return !box.server.told().empty();
    };
    REQUIRE(box.run(tell, given_back ? 15s : 1s) == given_back);
    if (!given_back) return;
    const auto told = box.server.told()[0];
    CHECK(told.at("kind") == "released");
    CHECK(told.at("job_id") == 4211);
    CHECK(told.at("epoch") == 1);
    CHECK(told.at("instance") == box.context->env->instance);
}

namespace {

/// A modem whose driver is the test, with three claimed rows to three numbers.
struct Quick {
    Quick() {
        for (int n = 1; n <= 3; ++n) box.keep(n, [n](MessageRow& m) { m.phone_number = "+1555010010" + std::to_string(n); });
        modem = std::make_unique<ModemService>(*box.context, box.shared, config::Modem{.index = 0}, driver::ModemSettings{}, -1, false);
        box.shared.modems = {modem.get()};
        let_go(1);
        begin({});
        REQUIRE(box.run([&] { return submission.has_value(); }, 5s));
        REQUIRE(submission->has_value());
        commits = box.store->counters().commits;
    }
    /// Supabase lets row n go.
    void let_go(std::int64_t n) {
        REQUIRE(box.look([this, n](store::Tx& tx) {
            store::promote(tx, box.clock.server(), 100);
            auto row = store::waiting_for_go(tx, store::find_by_scheduled(tx, n)->id, 1);
            if (row) box.shared.granted->add(std::move(*row));
            return row.has_value();
        }));
    }
    void begin(std::optional<driver::SubmitOutcome> finished) {
        submission.reset();
        boost::asio::co_spawn(box.io, modem->next(std::move(finished), true), [this](std::exception_ptr, auto next) { submission = next; });
    }
    /// The modem is through with its submission; `true` when it was given an answer to that in time.
    bool finish(std::chrono::milliseconds limit) {
        begin(driver::SubmitOutcome{.token = (*submission)->token, .ending = driver::Ending::accepted, .tp_mr = 1, .reason = {}});
        return box.run([&] { return submission.has_value(); }, limit);
    }

    Linked box;
    std::unique_ptr<ModemService> modem;
    std::optional<std::optional<driver::Submission>> submission;
    std::uint64_t commits = 0;
};

}  // namespace

TEST_CASE("a result and the message behind it share a commit, though the go of that comes a moment later") {
    Quick quick;
    quick.box.shared.go_grace = 1h;
    quick.box.shared.go_asked = true;
    REQUIRE_FALSE(quick.finish(100ms));
    CHECK(quick.box.store->counters().commits == quick.commits);
    quick.let_go(2);
    quick.box.shared.go_asked = false;
    quick.modem->go_answered();
    REQUIRE(quick.box.run([&] { return quick.submission.has_value(); }, 5s));
    CHECK(quick.submission->has_value());
    CHECK(quick.box.row(1).status == MessageStatus::sent);
}

TEST_CASE("a result does not wait for a go that nobody asks for, that is late, or that is not all there is to send") {
    Quick quick;
    SUBCASE("nobody asks") {
        quick.box.shared.go_grace = 1h;
        REQUIRE(quick.finish(10s));
        CHECK_FALSE(quick.submission->has_value());
    }
    SUBCASE("it does not come") {
        quick.box.shared.go_grace = 1ms;
        quick.box.shared.go_asked = true;
        quick.begin(
            driver::SubmitOutcome{.token = (*quick.submission)->token, .ending = driver::Ending::accepted, .tp_mr = 1, .reason = {}});
        REQUIRE(quick.box.run([&] { return quick.submission.has_value(); }, 5s));
        CHECK_FALSE(quick.submission->has_value());
    }
    SUBCASE("something came meanwhile") {
        quick.box.shared.go_grace = 1h;
        quick.box.shared.go_asked = true;
        quick.let_go(2);
        quick.box.shared.wake_one();
        REQUIRE(quick.finish(10s));
        CHECK(quick.submission->has_value());
    }
    CHECK(quick.box.row(1).status == MessageStatus::sent);
}
