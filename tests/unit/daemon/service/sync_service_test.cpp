// SyncService against a server of this test: what Supabase asks for, and what is claimed while the clock is not sure yet.
#include <algorithm>
#include <map>
#include <set>

#include "tests/unit/daemon/service/linked.hpp"

using namespace conductor;
using namespace conductor::service;
using namespace conductor::service::test;

namespace {

json command(std::int64_t id, json payload) {
    return {{"id", id}, {"kind", "opt_out"}, {"payload", std::move(payload)}};
}

}  // namespace

TEST_CASE("an opt-out without a reason is obeyed, and holds up nothing") {
    Linked box;
    box.server.commands = {
        command(1,
                {{"phone_number", "+15550100123"}, {"active", true}, {"at", to_rfc3339(start)}, {"reason", nullptr}, {"actor", nullptr}}),
        command(2, nullptr), command(3, {{"phone_number", 17}, {"active", "yes"}, {"reason", json::array()}}),
        command(4, {{"phone_number", "+15550100124"}, {"active", nullptr}, {"at", nullptr}})};
    box.begin();
    CHECK(box.run([&] { return box.server.calls["gw_claim_v1"] > 0; }, 5s));  // behind the commands
    CHECK(box.server.acknowledged == std::set<std::int64_t>{1, 2, 3, 4});
    const auto first = box.opt_out("+15550100123"), last = box.opt_out("+15550100124");
    REQUIRE(first.has_value());
    CHECK(first->active);
    CHECK(first->reason == "supabase");
    CHECK(first->actor == "supabase");
    CHECK(first->at == start);
    REQUIRE(last.has_value());
    CHECK(last->active);
}

TEST_CASE("an opt-in of before a STOP does not undo it") {
    struct Row {
        const char* name;
        std::chrono::minutes theirs;  ///< the command's time, after the STOP's; what is known here is an opt-out
        bool active, want;
    };
    const Row rows[] = {{"opt-in before the STOP", -1min, false, true},
                        {"of the same moment", 0min, false, true},
                        {"opt-in after the STOP", 1min, false, false},
                        {"opt-out after it", 1min, true, true}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Linked box;
        const auto stopped = start - 30min;
        box.look([stopped](store::Tx& tx) {
            store::set_opt_out(tx, {.phone = "+15550100123", .active = true, .reason = "STOP", .actor = "recipient", .at = stopped});
            return true;
        });
        const auto theirs = to_rfc3339(stopped + row.theirs);
        box.server.commands = {command(1, {{"phone_number", "+15550100123"}, {"active", row.active}, {"at", theirs}})};
        box.begin();
        CHECK(box.run([&] { return box.server.calls["gw_claim_v1"] > 0; }, 5s));
        const auto known = box.opt_out("+15550100123");
        REQUIRE(known.has_value());
        CHECK(known->active == row.want);
    }
}

TEST_CASE("what `mine` names is stored though the clock was not sure when the box said hello") {
    Linked box;
    box.clock.sure = false;
    bool tells = false;
    box.shared.told_time = [&](TimeSource source, Instant, WallTime) {
        if (tells && source == TimeSource::supabase) box.clock.sure = true;
    };
    box.server.answers["gw_mine_v1"]["jobs"] = json::array({box.job(4211)});
    const auto stored = [&] { return box.look([](store::Tx& tx) { return store::find_by_scheduled(tx, 4211).has_value(); }); };
    SUBCASE("the server's time makes it sure at once") {
        tells = true;
        box.begin();
        CHECK(box.run([&] { return box.server.calls["gw_claim_v1"] > 0; }, 5s));
        CHECK(box.server.calls["gw_hello_v1"] == 1);
        CHECK(stored());
    }
    SUBCASE("it becomes sure later") {
        box.begin();
        CHECK(box.run([&] { return box.server.calls["gw_hello_v1"] > 0; }, 5s));
        box.run([] { return false; }, 300ms);
        CHECK(box.server.calls["gw_mine_v1"] == 0);
        CHECK(box.server.calls["gw_hello_v1"] == 1);  // and the server is not asked again and again meanwhile
        box.clock.sure = true;
        box.sync->now();
        CHECK(box.run([&] { return box.server.calls["gw_claim_v1"] > 0; }, 5s));
        CHECK(stored());
    }
}

TEST_CASE("without readable credentials nobody is asked, until there are some") {
    Linked box;
    auto none = box.settings();
    none.keys.clear();
    box.sync->update(std::move(none));
    CHECK_FALSE(box.sync->usable());
    box.begin();
    box.run([] { return false; }, 200ms);
    CHECK(box.server.calls.empty());
    CHECK(box.sync->status()["last_error"] == "credentials-unreadable");
    box.sync->update(box.settings());
    CHECK(box.run([&] { return box.server.calls["gw_claim_v1"] > 0; }, 5s));
    CHECK(box.sync->status()["last_error"] == "");
}

TEST_CASE("a claimed row that cannot be stored holds up none of the others") {
    Linked box;
    box.look([](store::Tx& tx) {
        store::MessageRow m;
        m.key = "supabase-2-1";  // nobody may take such a key; a database of long ago has one
        m.keyed = true;
        m.phone_number = "+15550100123";
        m.content = "Something else.";
        m.timestamp = m.not_before = start;
        m.parts.push_back({.seq = 1});
        store::insert(tx, m);
        return true;
    });
    box.server.answers["gw_mine_v1"]["jobs"] = json::array({box.job(1), box.job(2), box.job(3)});
    box.begin();
    REQUIRE(box.run([&] { return box.server.calls["gw_claim_v1"] > 0; }, 5s));
    for (const int id : {1, 2, 3})
        CHECK(box.look([id](store::Tx& tx) { return store::find_by_scheduled(tx, id); }).has_value() == (id != 2));
    CHECK(box.look([](store::Tx& tx) {
        auto q = tx.query("SELECT count(*) FROM audit WHERE action = 'store-failed' AND target = 'scheduled-message-2'");
        return q.next() ? q.i64(0) : 0;
    }) == 1);
}

TEST_CASE("a reply of Supabase goes to nobody who wrote STOP and nothing since") {
    Linked box;
    box.look([](store::Tx& tx) {
        for (const auto& [phone, text, at] : {std::tuple{"+15550100123", "STOP", start - 60s},
                                              {"+15550100124", "STOP", start - 60s},
                                              {"+15550100124", "Where is it?", start - 30s},
                                              {"+15550100125", "Hello?", start - 30s}}) {
            store::MessageRow m;
            m.direction = Direction::inbound;
            m.status = MessageStatus::unread;
            m.phone_number = phone;
            m.content = text;
            m.timestamp = m.not_before = at;
            store::insert(tx, m);
            if (m.content == "STOP")
                store::set_opt_out(tx, {.phone = phone, .active = true, .reason = "stop", .actor = "recipient", .at = at});
        }
        return true;
    });
    for (const int id : {1, 2, 3}) {  // the third opted out elsewhere, and the command is not here yet
        auto job = box.job(id);
        job["class"] = "reply";
        job["opted_out"] = true;
        job["phone_number"] = "+1555010012" + std::to_string(id + 2);
        box.server.answers["gw_mine_v1"]["jobs"].push_back(std::move(job));
    }
    box.begin();
    REQUIRE(box.run([&] { return box.server.calls["gw_report_v1"] > 0; }, 5s));
    for (const int id : {1, 2, 3}) {
        CAPTURE(id);
        const auto row = box.look([id](store::Tx& tx) { return store::find_by_scheduled(tx, id); });
        REQUIRE(row.has_value());
        CHECK(row->status == (id == 2 ? MessageStatus::queued : MessageStatus::suppressed));
        CHECK(row->reason.value_or("") == (id == 2 ? "" : "opted-out"));
    }
}

TEST_CASE("bubbles of one message are a set, and among equal rows the better customer goes first") {
    Linked box;
    json jobs = json::array();
    for (int n = 1; n <= 4; ++n) {
        auto job = box.job(n);
        job["class"] = "marketing";
        job["consent"] = true;
        job["content"] = "Bubble " + std::to_string(n);
        job["send_at"] = to_rfc3339(start + 3s * n);
        job["state"] = n == 1 ? "CA" : "Atlantis";
        if (n <= 2) job["set"] = "campaign-message-9";
        if (n > 2) job["phone_number"] = "+1555010012" + std::to_string(n);
        job["customer"] = {{"value_percentile", n == 4 ? 1.0 : 0.1}, {"visits", 3}};
        jobs.push_back(job);
    }
    box.server.answers["gw_mine_v1"]["jobs"] = jobs;
    box.begin();
    REQUIRE(box.run([&] { return box.server.calls["gw_claim_v1"] > 0; }, 5s));
    std::map<int, store::MessageRow> rows;
    for (int n = 1; n <= 4; ++n) {
        auto row = box.look([n](store::Tx& tx) { return store::find_by_scheduled(tx, n); });
        REQUIRE(row.has_value());
        CHECK(row->status == MessageStatus::queued);
        rows[n] = *row;
    }
    CHECK(rows[2].after == rows[1].id);
    CHECK_FALSE(rows[3].after.has_value());
    // the first one's lease was lost, and it comes again: the second stays behind it
    const auto anew = box.look([&](store::Tx& tx) {
        auto first = rows[1];
        first.status = first.stored_status = MessageStatus::cancelled;
        store::update(tx, first);
        NewMessage m;
        m.to = first.phone_number;
        m.text = first.content;
        m.message_class = MessageClass::marketing;
        m.due_at = first.due_at;
        m.consent = true;
        m.set = first.set_name;
        m.scheduled_message_id = 1;
        m.claim_epoch = 2;
        auto taken = take(tx, *box.context->env, m, start, 0);
        REQUIRE(taken.has_value());
        return taken->row;
    });
    CHECK_FALSE(anew.after.has_value());
    CHECK(box.look([&](store::Tx& tx) { return store::find(tx, rows[2].id); })->after == anew.id);
    CHECK(rows[1].state == "CA");
    CHECK_FALSE(rows[2].state.has_value());
    CHECK(rows[4].priority > rows[3].priority);
    CHECK(std::abs(rows[4].priority - 50) <= 0.5);
}

TEST_CASE("what an earlier database of this box may have sent is not sent by this one") {
    struct Row {
        const char* name;
        const char* status;    ///< at the server
        const char* instance;  ///< of the box that claimed it
        bool offline_ok;
        std::chrono::minutes due;
        MessageStatus want;
    };
    const char *own = "00000000-0000-4000-8000-000000000001", *other = "00000000-0000-4000-8000-000000000002";
    const Row rows[] = {{"it had the go", "sending", own, false, -1min, MessageStatus::unknown},
                        {"pinned, due, of another database", "claimed", other, true, -1min, MessageStatus::unknown},
                        {"pinned, not yet due", "claimed", other, true, 60min, MessageStatus::queued},
                        {"never without the go", "claimed", other, false, -1min, MessageStatus::queued},
                        {"its own claim whose answer was lost", "claimed", own, true, -1min, MessageStatus::queued}};
    for (const Row& row : rows) {
        CAPTURE(std::string{row.name});
        Linked box;
        auto job = box.job(4211);
        job["status"] = row.status;
        job["instance"] = row.instance;
        job["offline_ok"] = row.offline_ok;
        job["send_at"] = to_rfc3339(start + row.due);
        box.server.answers["gw_mine_v1"]["jobs"] = json::array({job});
        box.begin();
        // what is unknown is told, before more is claimed
        const char* const next = row.want == MessageStatus::unknown ? "gw_report_v1" : "gw_claim_v1";
        REQUIRE(box.run([&] { return box.server.calls[next] > 0; }, 5s));
        const auto kept = box.look([](store::Tx& tx) { return store::find_by_scheduled(tx, 4211); });
        REQUIRE(kept.has_value());
        CHECK(kept->status == row.want);
        if (row.want == MessageStatus::unknown) CHECK(kept->reason == "begun-before");
    }
}

TEST_CASE("a held row is let go by Supabase where nothing of it can have gone out") {
    struct Row {
        const char* name;
        const char* status;
        const char* instance;  ///< of the box that claimed it
        std::int64_t epoch;
        bool offline_ok;
        std::chrono::minutes due;
        bool held;
        MessageStatus want = MessageStatus::queued;
    };
    const char *own = "00000000-0000-4000-8000-000000000001", *other = "00000000-0000-4000-8000-000000000002";
    const Row rows[] = {{"no go yet, and none to do without", "claimed", other, 1, false, -1min, false},
                        {"it had the go", "sending", other, 1, false, -1min, false, MessageStatus::unknown},
                        {"it may have gone without asking", "claimed", other, 1, true, -1min, false, MessageStatus::unknown},
                        {"it may go without asking", "claimed", other, 1, true, 60min, true},
                        {"adopted", "claimed", own, 1, true, 60min, false},
                        {"claimed afresh", "claimed", own, 2, true, -1min, false}};
    for (const Row& row : rows) {
        CAPTURE(std::string{row.name});
        Linked box;
        box.look([](store::Tx& tx) {
            store::MessageRow m;
            m.phone_number = "+15550100123";
            m.content = "Your order is ready.";
            m.status = MessageStatus::queued;
            m.timestamp = m.not_before = start;
            m.due_at = start;
            m.held = true;
            m.scheduled_message_id = 4211;
            m.claim_epoch = 1;
            m.parts.push_back({.seq = 1});
            store::insert(tx, m);
            return true;
        });
        auto job = box.job(4211);
        job["status"] = row.status;
        job["instance"] = row.instance;
        job["epoch"] = row.epoch;
        job["offline_ok"] = row.offline_ok;
        job["send_at"] = to_rfc3339(start + row.due);
        box.server.answers["gw_mine_v1"]["jobs"] = json::array({job});
        box.begin();
        const char* const next = row.want == MessageStatus::unknown ? "gw_report_v1" : "gw_claim_v1";
        REQUIRE(box.run([&] { return box.server.calls[next] > 0; }, 5s));
        const auto kept = box.look([](store::Tx& tx) { return store::find_by_scheduled(tx, 4211); });
        REQUIRE(kept.has_value());
        CHECK(kept->held == row.held);
        CHECK(kept->status == row.want);
        CHECK_FALSE(kept->begun);
    }
}

TEST_CASE("a box that hears of a copy of itself begins an instance of its own, and one that is fenced sends nothing more") {
    Linked box;
    box.look([](store::Tx& tx) {
        store::MessageRow m;
        m.phone_number = "+15550100123";
        m.content = "Your order is ready.";
        m.status = MessageStatus::queued;
        m.timestamp = m.not_before = m.lease_until.emplace(start + 10h);
        m.due_at = start;
        m.offline_ok = true;
        m.scheduled_message_id = 4211;
        m.claim_epoch = 1;
        m.parts.push_back({.seq = 1});
        store::insert(tx, m);
        return true;
    });
    std::string why;
    box.shared.begin_instance = [&](std::string reason) -> aio::awaitable<Result<void>> {
        why = std::move(reason);
        box.server.answers["gw_hello_v1"] = {{"forked", false}};
        co_return Result<void>{};
    };
    SUBCASE("forked") {
        box.server.answers["gw_hello_v1"] = {{"forked", true}};
        box.begin();
        CHECK(box.run([&] { return box.server.calls["gw_mine_v1"] > 0; }, 5s));
        CHECK_FALSE(why.empty());
        CHECK(box.server.calls["gw_hello_v1"] == 2);
    }
    SUBCASE("fenced") {
        box.server.answers["gw_hello_v1"] = {{"fenced", true}};
        const auto begun = box.keep(4212, [](store::MessageRow& m) { m.ready = true; });
        box.look([&](store::Tx& tx) {
            box.shared.granted->add(*store::waiting_for_go(tx, begun, 1));
            return true;
        });
        box.begin();
        const auto status = [&] { return box.look([](store::Tx& tx) { return store::find_by_scheduled(tx, 4211)->status; }); };
        CHECK(box.run([&] { return status() == MessageStatus::cancelled; }, 5s));
        CHECK(box.sync->status()["fenced"] == true);
        CHECK(box.row(4212).status == MessageStatus::cancelled);
        CHECK(box.run([&] { return !box.server.told().empty(); }, 5s));
        REQUIRE(box.server.told().size() == 1);  // the first is the other one's; of the second that one cannot know that it did not go out
        const auto told = box.server.told()[0];
        CHECK(told.at("kind") == "released");
        CHECK(told.at("job_id") == 4212);
        CHECK(told.at("instance") == box.context->env->instance);
        CHECK(box.shared.granted->rows().empty());
        box.sync->go_ahead().set_link(Link::away);  // and being away changes nothing
        CHECK(box.server.calls["gw_mine_v1"] == 0);
    }
}

TEST_CASE("what is due waits no longer than the poll, whatever is told meanwhile") {
    Linked box;
    Env env = *box.context->env;
    env.config.supabase->poll = 1s;
    box.context->env = std::make_shared<const Env>(std::move(env));
    box.begin();
    REQUIRE(box.run([&] { return box.server.calls["gw_claim_v1"] == 1; }, 5s));
    const Instant polled = BootClock::now();
    box.run([] { return false; }, 500ms);
    box.shared.sync_wake.raise();
    CHECK(box.run([&] { return box.server.calls["gw_claim_v1"] == 2; }, 5s));
    CHECK(BootClock::now() - polled < 1400ms);
}
