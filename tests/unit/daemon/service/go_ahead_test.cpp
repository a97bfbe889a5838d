// The go of Supabase: which rows are asked for, and what its answers do.
#include "daemon/service/go_ahead.hpp"

#include <sqlite3.h>

#include <algorithm>

#include "daemon/service/claimed.hpp"
#include "daemon/service/steps.hpp"
#include "daemon/service/why.hpp"
#include "tests/unit/daemon/service/box.hpp"

using namespace conductor;
using namespace conductor::service;
using namespace conductor::service::test;

namespace {

struct Claims : Box {
    std::int64_t next_job = 4211;
    std::optional<std::string> to;  ///< else a number of its own each
    int parts = 1, room = INT_MAX;

    MessageId claim(double priority = 50, bool offline_ok = false, MessageClass message_class = MessageClass::transactional,
                    std::optional<ModemIndex> modem = {}) {
        NewMessage m;
        m.to = to.value_or(fmt::format("+155501{:05}", next_job % 100000));
        m.text = parts == 1 ? "From Supabase." : text_of(parts);
        m.message_class = message_class;
        m.priority = priority;
        m.scheduled_message_id = next_job++;
        m.claim_epoch = 3;
        m.revision = 2;
        m.offline_ok = offline_ok;
        m.consent = true;
        m.modem_index = modem;
        return add(m);
    }
    GoBatch choose(std::vector<GoRequest::Modem> modems, bool offline = false) {
        for (auto& modem : modems) {
            modem.room = std::min(modem.room, room);
            modem.most_room = 20;
        }
        const GoRequest request{.modems = std::move(modems), .paused = paused, .offline = offline, .granted = granted, .now = now};
        return run([&](Tx& tx) { return choose_for_go(tx, env, request); });
    }
    std::vector<MessageId> chosen(std::vector<GoRequest::Modem> modems, bool offline = false) {
        std::vector<MessageId> ids;
        for (const auto& row : choose(std::move(modems), offline).rows) ids.push_back(row.id);
        return ids;
    }
    GoApplied answer(const GoBatch& batch, const std::string& refusal = {}) {
        std::vector<GoRuling> rulings;
        for (const auto& row : batch.rows) rulings.push_back({row, refusal});
        return run([&](Tx& tx) {
            auto applied = grant(tx, rulings, *granted);
            applied.changed = take_back(tx, env, rulings, now).changed;
            return applied;
        });
    }
};

}  // namespace

TEST_CASE("go: a claimed row reaches no modem without it, and with it at once") {
    Claims box;
    const auto id = box.claim();
    const auto asked = box.pick(0);
    CHECK_FALSE(asked.submission.has_value());
    CHECK(asked.waits_for_go);
    const auto batch = box.choose({{0}});
    REQUIRE(batch.rows.size() == 1);
    CHECK(batch.rows[0].id == id);
    CHECK(batch.rows[0].item.id == 4211);
    CHECK(batch.rows[0].item.epoch == 3);
    CHECK(batch.rows[0].item.revision == 2);
    CHECK(batch.rows[0].item.phone_number == box.row(id).phone_number);
    CHECK_FALSE(box.submit(0).has_value());  // being asked for is no go
    CHECK(box.answer(batch).lanes == std::vector<std::uint64_t>{0});
    const auto sent = box.must_submit(0);
    CHECK(sent.message == id);
    // it may be tried again under the same claim without another go
    box.settle(0, Box::not_sent(sent.token));
    CHECK(box.must_submit(0).message == id);
}

TEST_CASE("go: it costs no write, and after a restart it is asked for again") {
    Claims box;
    const auto id = box.claim();
    const auto batch = box.choose({{0}});
    const auto changes = [&] { return sqlite3_total_changes64(box.db->handle()); };
    const auto before = changes();
    box.answer(batch);
    CHECK(changes() == before);
    *box.granted = {};
    CHECK_FALSE(box.submit(0).has_value());
    const auto again = box.choose({{0}});
    REQUIRE(again.rows.size() == 1);
    CHECK(again.rows[0].id == id);
    box.answer(again);
    CHECK(box.must_submit(0).message == id);
    CHECK(box.row(id).begun);
}

TEST_CASE("go: what has it and waits no more under its claim is passed over") {
    Claims box;
    const auto first = box.claim(90), second = box.claim(10);
    box.answer(box.choose({{0}, {1}}));
    auto row = box.row(first);
    SUBCASE("cancelled") {
        row.status = MessageStatus::cancelled;
    }
    SUBCASE("claimed afresh") {
        row.claim_epoch = 4;
    }
    SUBCASE("parked") {
        row.ready = false;
        row.not_before = box.now + 1h;
    }
    box.run([&](Tx& tx) { store::update(tx, row); });
    CHECK(box.must_submit(0).message == second);
    CHECK(box.granted->rows().empty());
}

TEST_CASE("go: what has it waits for a modem, and for one that may take it") {
    Claims box;
    const auto id = box.claim();
    const auto reason = [&] {
        const BoxView view{.modems = {{.index = 0, .up = true}, {.index = 1, .up = true}}, .granted = box.granted};
        return box.run([&](Tx& tx) { return why(tx, box.env, *store::find(tx, id), view, box.now).word; });
    };
    CHECK(reason() == "awaiting-go");
    box.answer(box.choose({{0}}));
    CHECK(reason() == "waiting-for-modem");
    box.run([&](Tx& tx) { store::set_lane(tx, id, bit_of(1)); });  // as a change of the routes does
    CHECK_FALSE(box.submit(0).has_value());
    box.answer(box.choose({{1}}));
    CHECK(box.must_submit(1).message == id);
}

TEST_CASE("go: the policy parks what has it, and it is asked for again when it is due") {
    Claims box;
    const auto id = box.claim(50, false, MessageClass::marketing);
    box.answer(box.choose({{0}}));
    const auto window = std::exchange(box.env.config.send.window, {0, 60});
    CHECK_FALSE(box.submit(0).has_value());
    box.env.config.send.window = window;
    box.now = box.row(id).not_before;
    CHECK_FALSE(box.submit(0).has_value());
    box.answer(box.choose({{0}}));
    CHECK(box.must_submit(0).message == id);
}

TEST_CASE("go: one message a modem ahead, the best first") {
    Claims box;
    const auto low = box.claim(10), high = box.claim(90), middle = box.claim(50);
    const std::vector<GoRequest::Modem> both = {{0}, {1}};
    const auto first = box.choose(both);
    REQUIRE(first.rows.size() == 2);
    CHECK(first.rows[0].id == high);
    CHECK(first.rows[1].id == middle);
    box.answer(first);
    CHECK(box.chosen(both).empty());  // both have one ahead
    CHECK(box.must_submit(0).message == high);
    CHECK(box.chosen(both) == std::vector{low});  // while that one is in flight
    // what is ahead is for neither of two that found nothing
    CHECK(box.chosen({{0, true}, {1, true}}) == std::vector{low});
}

TEST_CASE("go: what is ahead for a modem that is gone, or for after the pause, keeps the others from nothing") {
    Claims box;
    const auto ahead = [&](auto... how) {  // one after the other, as if a modem had found nothing
        for (int n = 0; n < 2; ++n) box.claim(how...);
        for (int n = 0; n < 2; ++n) REQUIRE(box.answer(box.choose({{1, true}})).lanes.size() == 1);
    };
    SUBCASE("gone") {
        ahead(90, false, MessageClass::transactional, 1);
        const auto ours = box.claim();
        CHECK(box.chosen({{0}}) == std::vector{ours});
        CHECK(box.chosen({{0}, {1}}) == std::vector{ours});
    }
    SUBCASE("paused") {
        ahead(90, false, MessageClass::marketing);
        box.to = other_phone;
        for (const auto& pdu : inbound("Where is it?", other_phone)) box.take_in(pdu);
        const auto reply = box.claim(10, false, MessageClass::reply);
        CHECK(box.chosen({{0}}).empty());
        box.paused = true;
        CHECK(box.chosen({{0}}) == std::vector{reply});
    }
}

TEST_CASE("go: of two messages for one number the second has its turn when the first is on a modem") {
    Claims box;
    box.to = phone;
    const auto first = box.claim(90), second = box.claim(80);
    box.to = {};
    const auto other = box.claim(10);
    const std::vector<GoRequest::Modem> three = {{0}, {1}, {2}};
    const auto batch = box.choose(three);
    CHECK(box.chosen(three) == std::vector{first, other});
    box.answer(batch);
    CHECK(box.chosen(three).empty());  // the first is ahead
    CHECK(box.row(second).needs_go());
    const auto sent = box.must_submit(0);
    REQUIRE(sent.message == first);
    box.settle(0, Box::accepted(sent.token, 1));
    CHECK(box.chosen({{0}, {1}}) == std::vector{second});
}

TEST_CASE("go: a row that was edited meanwhile keeps the revision of its text, and does not go out without asking") {
    for (const bool restored : {false, true}) {
        CAPTURE(restored);
        Claims box;
        const auto id = box.claim(50, true);
        if (restored) box.run([](Tx& tx) { store::hold_queued(tx, 10); });
        Claimed mine{{.id = 4211, .epoch = restored ? 4 : 3, .revision = 3}, box.now + 1h};
        mine.job.phone_number = box.row(id).phone_number;
        mine.job.content = "What it says now.";
        mine.job.send_at = box.now;
        mine.job.offline_ok = true;
        mine.job.instance = box.env.instance;
        box.run([&](Tx& tx) { return take_claimed(tx, box.env, mine, box.now); });
        CHECK_FALSE(box.row(id).held);
        CHECK(box.row(id).content == "From Supabase.");
        CHECK(box.chosen({{0}}, true).empty());
        const auto batch = box.choose({{0}});
        REQUIRE(batch.rows.size() == 1);
        CHECK(batch.rows[0].item.epoch == mine.job.epoch);
        CHECK(batch.rows[0].item.revision == 2);
        CHECK_FALSE(batch.rows[0].item.offline_ok);
        box.answer(batch, "edited");
        const auto told = box.told_bodies();
        REQUIRE(told.size() == 1);
        CHECK(told[0].at("kind") == "released");
        // and comes again with its new text
        mine.job.epoch += 1;
        CHECK(box.run([&](Tx& tx) { return take_claimed(tx, box.env, mine, box.now); }));
        CHECK(box.choose({{0}}).rows.at(0).item.revision == 3);
    }
}

TEST_CASE("go: lanes, the pause and the policy are asked before Supabase is") {
    Claims box;
    SUBCASE("a row of another modem") {
        const auto of_1 = box.claim(90, false, MessageClass::transactional, 1);
        CHECK(box.chosen({{0}}).empty());
        CHECK(box.chosen({{0}, {1}}) == std::vector{of_1});
    }
    SUBCASE("a paused queue begins nothing") {
        box.claim();
        box.paused = true;
        CHECK(box.chosen({{0}}).empty());
        box.paused = false;
        CHECK(box.chosen({{0}}).size() == 1);
    }
    SUBCASE("outside the window it is parked") {
        const auto id = box.claim(50, false, MessageClass::marketing);
        box.env.config.send.window = {0, 60};
        const auto batch = box.choose({{0}});
        CHECK(batch.rows.empty());
        REQUIRE(batch.changed.size() == 1);
        CHECK(box.status(id) == "queued");
        CHECK_FALSE(box.row(id).ready);
    }
    SUBCASE("its lease is over: it goes back, and Supabase is told so") {
        const auto id = box.claim();
        auto row = box.row(id);
        row.lease_until = box.now;
        box.run([&](Tx& tx) { store::update(tx, row); });
        CHECK(box.chosen({{0}}).empty());
        CHECK(box.status(id) == "cancelled");
        CHECK(box.told_bodies().at(0).at("kind") == "released");
    }
    SUBCASE("nobody looks at it: housekeeping gives it back") {
        const auto id = box.claim();
        auto row = box.row(id);
        row.lease_until = box.now;
        box.run([&](Tx& tx) { store::update(tx, row); });
        box.run([&](Tx& tx) {
            store::ReadyCursor at;
            const auto in_vain = store::ready_and_expired(tx, at, box.now, 10, store::Gate::go);
            return expire_overdue(tx, box.env, in_vain, box.now, 10);
        });
        CHECK(box.status(id) == "cancelled");
        CHECK(box.reason(id) == "lease-lost");
    }
}

TEST_CASE("go: while nobody can be asked, only what may do without goes on") {
    Claims box;
    box.claim(90);
    const auto pinned = box.claim(10, true);
    CHECK(box.chosen({{0}, {1}}, true) == std::vector{pinned});
    box.answer(box.choose({{0}}, true));
    CHECK(box.must_submit(0).message == pinned);
    CHECK_FALSE(box.submit(1).has_value());
}

TEST_CASE("go: what Supabase takes back ends with its reason") {
    struct Row {
        const char *refusal, *status, *reason, *told;
    };
    const Row rows[] = {{"cancelled", "cancelled", "cancelled", "cancelled"},
                        {"expired", "expired", "expired", "expired"},
                        {"opted-out", "suppressed", "opted-out", "suppressed"},
                        {"edited", "cancelled", "edited", "released"},
                        {"lease", "cancelled", "lease-lost", "released"},
                        {"stale-epoch", "cancelled", "lease-lost", ""},
                        {"fenced", "cancelled", "lease-lost", ""},
                        {"begun-before", "unknown", "begun-before", "unknown"},
                        {"not-found", "cancelled", "lease-lost", ""},
                        {"state", "cancelled", "lease-lost", ""}};
    for (const Row& row : rows) {
        CAPTURE(row.refusal);
        Claims box;
        const auto id = box.claim();
        const auto applied = box.answer(box.choose({{0}}), row.refusal);
        CHECK(applied.lanes.empty());
        CHECK(applied.changed.size() == 1);
        CHECK(box.status(id) == row.status);
        CHECK(box.reason(id) == row.reason);
        const auto told = box.told_bodies();
        REQUIRE(told.size() == (*row.told ? 1 : 0));
        if (*row.told) CHECK(told[0].at("kind") == row.told);
        CHECK_FALSE(box.submit(0).has_value());
    }
}

TEST_CASE("go: a row that a fenced box cannot give back is put aside, and the others go back") {
    Claims box;
    const auto bad = box.claim(90), good = box.claim(10);
    const auto batch = box.choose({{0}, {1}});
    REQUIRE(batch.rows.size() == 2);
    std::vector<GoRuling> rulings;
    for (const auto& row : batch.rows) rulings.push_back({row, {}});
    REQUIRE(bad.value == 1);
    REQUIRE(box.db
                ->execute("CREATE TRIGGER refuse BEFORE UPDATE ON messages WHEN OLD.id = 1 AND NEW.status <> 0"
                          " BEGIN SELECT RAISE(ABORT, 'refused'); END")
                .has_value());
    const auto given = box.run([&](Tx& tx) { return give_back(tx, box.env, rulings, box.now); });
    REQUIRE(given.changed.size() == 2);
    CHECK(given.changed[0].id == bad);
    CHECK(given.changed[0].reason == "put-aside");
    CHECK(given.changed[1].id == good);
    CHECK(box.reason(bad) == "put-aside");
    CHECK(box.status(good) == "cancelled");
    const auto told = box.told_bodies();
    REQUIRE(told.size() == 1);
    CHECK(told[0].at("kind") == "released");
}

TEST_CASE("go: an answer that comes too late changes nothing") {
    Claims box;
    const auto id = box.claim();
    const auto batch = box.choose({{0}});
    auto row = box.row(id);
    SUBCASE("claimed afresh meanwhile") {
        row.claim_epoch = 4;
        box.run([&](Tx& tx) { store::update(tx, row); });
        CHECK(box.answer(batch).lanes.empty());
        CHECK(box.answer(batch, "cancelled").changed.empty());
        CHECK(box.status(id) == "queued");
        CHECK_FALSE(box.submit(0).has_value());
    }
    SUBCASE("it went out meanwhile") {
        box.answer(batch);
        box.must_submit(0);
        CHECK(box.answer(batch, "stale-epoch").changed.empty());
        CHECK(box.status(id) == "sending");
    }
}

TEST_CASE("go: a held database asks for nothing, and its rows wait for a go when they are let go") {
    Claims box;
    const auto id = box.claim();
    box.choose({{0}});
    CHECK(box.run([](Tx& tx) { return store::hold_queued(tx, 10); }) == 1);
    CHECK(box.chosen({{0}}).empty());
    CHECK(box.run([](Tx& tx) { return store::count_open(tx); }) == 1);
    box.run([&](Tx& tx) { return store::release_held(tx, box.now, 10); });
    CHECK_FALSE(box.submit(0).has_value());
    CHECK(box.chosen({{0}}) == std::vector{id});
}

TEST_CASE("go: one message that no SIM has room for now is begun early, and shorter ones behind it are asked for") {
    Claims box;
    box.parts = 3;
    std::vector<MessageId> long_ones;
    for (int n = 0; n < 3; ++n) long_ones.push_back(box.claim(90));
    box.parts = 1;
    const auto first = box.claim(10);
    const auto second = box.claim(9);
    box.room = 2;
    auto batch = box.choose({{0, true}});
    REQUIRE(batch.rows.size() == 1);
    CHECK(batch.rows[0].id == long_ones[0]);
    box.answer(batch);
    batch = box.choose({{0, true}});
    REQUIRE(batch.rows.size() == 1);
    CHECK(batch.rows[0].id == first);
    box.answer(batch);
    const PickRequest request{.modem = 0, .iccid = Box::iccid_of(0), .granted = box.granted, .room = 2, .most_room = 20, .now = box.now};
    REQUIRE(box.run([&](Tx& tx) { return settle_and_pick(tx, box.env, request); }).message == first);
    CHECK(box.chosen({{0, true}}) == std::vector{second});
    CHECK(box.chosen({{0}, {1}}) == std::vector{second});
    batch = box.choose({{0}});  // while the first is in flight: the long one keeps nobody from it
    REQUIRE(batch.rows.size() == 1);
    CHECK(batch.rows[0].id == second);
    box.parts = 1;
    box.claim(8);
    box.answer(batch);
    CHECK(box.chosen({{0}}).empty());  // one message a modem ahead
    box.granted->drop(second);
    box.room = 3;
    CHECK(box.chosen({{0}}).empty());  // there is room for the long one: that is ahead
}

TEST_CASE("go: what one modem has no room for takes nothing from the next") {
    Claims box;
    std::vector<MessageId> rows;
    SUBCASE("one part, and a modem whose next slot is due in a moment") {
        for (int n = 0; n < 65; ++n) rows.push_back(box.claim());
        CHECK(box.chosen({{0, false, 0}, {1, false, 20}}) == std::vector{rows[0], rows[1]});
    }
    SUBCASE("three parts") {
        box.parts = 3;
        for (int n = 0; n < 65; ++n) rows.push_back(box.claim());
        CHECK(box.chosen({{0, true, 2}, {1, true, 20}}) == std::vector{rows[0]});
        CHECK(box.chosen({{0, true, 2}, {1, true, 20}, {2, true, 2}, {3, true, 3}}) == std::vector{rows[0], rows[1]});
        box.answer(box.choose({{0, true, 2}, {1, true, 20}}));
        CHECK(box.chosen({{0, true, 2}, {1, true, 20}}) == std::vector{rows[1]});
    }
    SUBCASE("to one number, which has one ahead") {
        box.to = phone;
        for (int n = 0; n < 65; ++n) rows.push_back(box.claim(90, false, MessageClass::transactional, 0));
        box.to = {};
        const auto other = box.claim(50, false, MessageClass::transactional, 1);
        CHECK(box.chosen({{0, true, 20}, {1, true, 20}}) == std::vector{rows[0], other});
        box.answer(box.choose({{0, true, 20}}));
        CHECK(box.chosen({{0, true, 20}, {1, true, 20}}) == std::vector{other});
    }
}

TEST_CASE("go: of what is too long for every modem one is begun, whichever of them it is for") {
    Claims box;
    box.parts = 3;
    std::vector<MessageId> long_ones;
    for (int n = 0; n < 3; ++n) long_ones.push_back(box.claim(90));
    const auto pinned = box.claim(95, false, MessageClass::transactional, 1);
    const std::vector<GoRequest::Modem> both = {{0, true, 2}, {1, true, 2}};
    box.answer(box.choose(both));
    CHECK(box.granted->rows().size() == 1);
    CHECK(box.granted->has(long_ones[0]));
    CHECK(box.chosen(both).empty());
    CHECK(box.chosen({both[1]}).empty());
    box.granted->clear();
    box.answer(box.choose({both[1]}));
    CHECK(box.granted->has(pinned));
    box.answer(box.choose(both));  // that one is not for the first
    CHECK(box.granted->rows().size() == 2);
    CHECK(box.chosen(both).empty());
}

TEST_CASE("go: the room for a message is that of the modems that may take it") {
    Claims box;
    box.parts = 3;
    SUBCASE("it is for a modem without, whatever room another one has") {
        for (int n = 0; n < 2; ++n) box.claim(90, false, MessageClass::transactional, 0);
        box.parts = 1;
        const auto shorter = box.claim(10, false, MessageClass::transactional, 0);
        box.answer(box.choose({{0, true, 2}, {1, true, 20}}));
        CHECK(box.granted->rows().size() == 1);
        CHECK(box.chosen({{0, true, 2}, {1, true, 20}}) == std::vector{shorter});
    }
    SUBCASE("each is for a modem without: one a modem is begun early") {
        for (const ModemIndex modem : {0, 0, 1}) box.claim(90, false, MessageClass::transactional, modem);
        CHECK(box.chosen({{0, true, 2}, {1, true, 2}}).size() == 2);
    }
    SUBCASE("it is for the modem that has room") {
        const auto longer = box.claim(90);
        box.parts = 1;
        const auto shorter = box.claim(10, false, MessageClass::transactional, 0);
        CHECK(box.chosen({{0, true, 2}, {1, true, 20}}) == std::vector{shorter, longer});
        CHECK(box.chosen({{0, true, 2}}) == std::vector{longer});  // nobody has
        box.answer(box.choose({{0, true, 2}}));
        CHECK(box.chosen({{0, false, 2}, {1, false, 20}}) == std::vector{shorter});  // what is ahead is for the second one
    }
}
