// Which modem takes which message, and in which order: affinity, failover, classes of messages against starvation, pauses.
#include "daemon/analytics/priority.hpp"
#include "daemon/dispatch/places.hpp"
#include "daemon/dispatch/submission.hpp"
#include "daemon/service/steps.hpp"
#include "tests/unit/daemon/service/box.hpp"

using namespace conductor;
using namespace conductor::service;
using namespace conductor::service::test;

namespace {

/// Modems that leave messages to each other. Which of them are able is the test's.
struct Fleet : Box {
    std::shared_ptr<HandOver> hand_over = std::make_shared<HandOver>();
    std::set<ModemIndex> able = {0, 1};
    std::optional<WallTime> spaced_until;

    PickAnswer pick_by(ModemIndex modem, std::optional<driver::SubmitOutcome> finished = {}, bool available = true) {
        PickRequest request{.modem = modem,
                            .iccid = iccid_of(modem),
                            .finished = std::move(finished),
                            .available = available,
                            .paused = paused,
                            .hand_over = hand_over,
                            .spaced_until = spaced_until,
                            .now = now};
        for (const auto other : able)
            if (other != modem) request.others.push_back({other, iccid_of(other)});
        return run([&](Tx& tx) { return settle_and_pick(tx, env, request); });
    }
    std::optional<Sent> take_by(ModemIndex modem) { return sent_of(pick_by(modem), modem); }
    /// Sent through that modem before, and accepted.
    void wrote(ModemIndex modem, std::string to = phone) {
        add("Hello from modem " + std::to_string(modem), std::move(to));
        const auto sent = must_submit(modem);
        settle(modem, accepted(sent.token, 9));
    }
};

}  // namespace

TEST_CASE("routing: a recipient keeps its SIM, and waits a bounded time for it") {
    Fleet box;
    box.wrote(1);
    const auto id = box.add();
    auto answer = box.pick_by(0);
    CHECK_FALSE(answer.submission.has_value());  // left to modem 1
    CHECK(answer.wake == bit_of(1));
    CHECK(answer.look_again == box.now + HandOver::bound);
    SUBCASE("the SIM takes it") {
        CHECK(box.take_by(1)->message == id);
    }
    SUBCASE("the SIM is busy: after the bound anybody takes it") {
        box.now += HandOver::bound - 1ms;
        CHECK_FALSE(box.take_by(0).has_value());
        box.now += 1ms;
        CHECK(box.take_by(0)->message == id);
    }
    SUBCASE("the SIM stops to live: anybody takes it at once") {
        box.able = {0};
        CHECK(box.take_by(0)->message == id);
    }
    SUBCASE("something else is not held up by it") {
        const auto other = box.add("Another one.", other_phone);
        CHECK(box.take_by(0)->message == other);
    }
}

TEST_CASE("routing: a SIM that is gone, or already has enough, keeps nobody") {
    SUBCASE("gone") {
        Fleet box;
        box.wrote(1);
        box.able = {0};
        const auto id = box.add();
        CHECK(box.take_by(0)->message == id);
    }
    SUBCASE("enough") {
        Fleet box;
        std::set<std::int64_t> mine;
        const auto number = [](int n) { return "+155501002" + std::to_string(10 + n); };
        for (int n = 0; n < HandOver::most_for_one + 3; ++n) box.wrote(1, number(n));
        for (int n = 0; n < HandOver::most_for_one + 3; ++n) mine.insert(box.add("Again.", number(n)).value);
        const auto sent = box.take_by(0);  // those beyond what one modem may have kept for it go where there is room
        REQUIRE(sent.has_value());
        CHECK(mine.contains(sent->message.value));
        CHECK(sent->message.value == *std::next(mine.begin(), HandOver::most_for_one));
    }
}

TEST_CASE("routing: many messages to one number keep their order where their SIM is busy") {
    Fleet box;
    box.wrote(1);
    std::vector<MessageId> waiting;
    for (int n = 0; n < HandOver::most_for_one + 4; ++n) waiting.push_back(box.add("No. " + std::to_string(n)));
    for (int n = 0; n < 3; ++n) CHECK_FALSE(box.take_by(0).has_value());
    const auto other = box.add("Another one.", other_phone);
    CHECK(box.take_by(0)->message == other);
    CHECK(box.take_by(1)->message == waiting.front());
}

TEST_CASE("routing: a number that is left to a SIM keeps nothing that another one alone may take") {
    Fleet box;
    box.wrote(1);
    box.add();
    CHECK_FALSE(box.take_by(0).has_value());  // left to modem 1
    NewMessage m;
    m.to = phone;
    m.text = "For modem 0 alone.";
    m.message_class = MessageClass::transactional;
    m.modem_index = 0;
    const auto pinned = box.add(m);
    CHECK(box.take_by(0)->message == pinned);
}

TEST_CASE("routing: what failed on one modem goes to another") {
    struct Row {
        const char* name;
        driver::SubmitOutcome outcome;
        bool elsewhere;
    };
    const Row rows[] = {{"not sent", Box::not_sent(0, "no-prompt"), true},
                        {"SIM refused (CMS 310)", Box::refused(0, 310), true},
                        {"network, first time (CMS 38)", Box::refused(0, 38), false},
                        {"an optional element, left out now (CMS 69)", Box::refused(0, 69), false}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Fleet box;
        const auto id = box.add();
        auto outcome = row.outcome;
        outcome.token = box.take_by(0)->token;
        box.pick_by(0, outcome, false);
        box.now = box.row(id).not_before;
        const auto here = box.take_by(0);
        CHECK(here.has_value() == !row.elsewhere);
        if (!row.elsewhere) continue;
        CHECK(box.take_by(1)->message == id);
    }
    SUBCASE("alone: it tries again itself") {
        Fleet box;
        box.able = {0};
        const auto id = box.add();
        const auto sent = box.take_by(0);
        box.pick_by(0, Box::not_sent(sent->token), false);
        CHECK(box.take_by(0)->message == id);
    }
    SUBCASE("the others are busy: after the bound it tries again itself") {
        Fleet box;
        const auto id = box.add();
        const auto sent = box.take_by(0);
        box.pick_by(0, Box::not_sent(sent->token), false);
        CHECK_FALSE(box.take_by(0).has_value());
        box.now += HandOver::bound;
        CHECK(box.take_by(0)->message == id);
    }
}

TEST_CASE("routing: the database's rank is that of analytics") {
    Box box;
    struct Row {
        MessageClass message_class;
        double priority;
        std::chrono::minutes due;
    };
    for (const Row& row : {Row{MessageClass::transactional, 80, 0min}, Row{MessageClass::transactional, 71.5, 30min},
                           Row{MessageClass::transactional, 0, -90min}, Row{MessageClass::marketing, 100, -600min}}) {
        auto m = marketing("Sale!");
        m.message_class = row.message_class;
        m.text += std::to_string(row.priority);
        m.priority = row.priority;
        m.due_at = box.now + row.due;
        const auto id = box.add(m);
        const auto rank = box.run([&](Tx& tx) {
            auto q = tx.query("SELECT rank FROM messages WHERE id = ?", id);
            REQUIRE(q.next());
            return q.i64(0);
        });
        const auto due = std::max(*m.due_at, box.now - analytics::full_ageing);
        CHECK(rank == analytics::aged_rank(static_cast<int>(row.message_class), row.priority, due));
    }
}

TEST_CASE("routing: the lowest priority is overtaken for four hours, then it goes") {
    Box box;
    auto low = marketing("Low.");
    low.priority = 0;
    low.expire_after = 48h;
    const auto id = box.add(low);
    bool gone = false;
    int overtaken = 0;
    for (int minute = 0; minute <= 241 && !gone; ++minute) {  // one a minute leaves, one a minute comes
        auto high = marketing("High " + std::to_string(minute), "+1555010" + std::to_string(1000 + minute));
        high.priority = 100;
        box.add(high);
        const auto sent = box.must_submit(0);
        box.settle(0, Box::accepted(sent.token, minute & 255));
        gone = sent.message == id;
        overtaken += !gone;
        box.now += 1min;
    }
    CHECK(gone);
    CHECK(overtaken == 240);
}

TEST_CASE("routing: a code goes before a campaign that is late") {
    Box box;
    const auto campaign = box.add(marketing("Sale!"));
    box.now += 8h;
    const auto code = box.add("Your code is 1234.", other_phone);
    CHECK(box.must_submit(0).message == code);
    CHECK(box.must_submit(1).message == campaign);
}

TEST_CASE("order: what one number gets goes out one after the other, and the rest is not kept by it") {
    Box box;
    const auto first = box.add("First."), second = box.add("Second."), other = box.add("To another.", "+15550100124");
    const auto sent = box.must_submit(0);
    CHECK(sent.message == first);
    CHECK(box.must_submit(1).message == other);  // not beside it on another modem
    CHECK(box.reason(second) == "recipient-order");
    box.now += 3s;
    CHECK_FALSE(box.submit(2).has_value());  // still on its modem
    box.settle(0, Box::refused(sent.token, 41));
    box.now += 3s;
    CHECK_FALSE(box.submit(2).has_value());  // waits for another try, and goes first then
    box.now = box.row(first).not_before;
    const auto again = box.must_submit(2);
    CHECK(again.message == first);
    SUBCASE("it is sent") {
        box.settle(2, Box::accepted(again.token, 1));
    }
    SUBCASE("it ends otherwise") {
        box.settle(2, Box::refused(again.token, 1));
    }
    SUBCASE("its outcome is unknown") {
        box.settle(2, Box::ambiguous(again.token));
    }
    box.now += 10s;
    CHECK(box.must_submit(2).message == second);
}

TEST_CASE("order: a message that is held keeps none of those to its number") {
    Box box;
    const auto tried = box.add("No. 1");
    const auto first = box.must_submit(0);
    box.settle(0, Box::not_sent(first.token));
    const auto later = box.add("No. 2");
    box.run([&](Tx& tx) { return store::hold_queued(tx, 10); });
    auto row = box.row(later);
    row.held = false;
    row.ready = true;
    box.run([&](Tx& tx) { store::update(tx, row); });
    CHECK(box.row(tried).held);
    CHECK(box.must_submit(0).message == later);
}

TEST_CASE("order: however many wait for one number, and whatever comes meanwhile, each goes as soon as the one before is settled") {
    Box box;
    std::vector<MessageId> ids, went;
    for (int n = 0; n < 6; ++n) ids.push_back(box.add("No. " + std::to_string(n)));
    for (int n = 6; went.size() < ids.size(); ++n) {
        const auto sent = box.must_submit(0);
        went.push_back(sent.message);
        CHECK_FALSE(box.submit(1).has_value());                          // another modem looks at all that wait
        if (n < 12) ids.push_back(box.add("No. " + std::to_string(n)));  // ready, and nobody has looked at it yet
        box.now += 100ms;
        box.settle(0, n % 3 == 0 ? Box::refused(sent.token, 1) : Box::accepted(sent.token, n));
    }
    CHECK(went == ids);
}

TEST_CASE("order: of two that are tried again the older goes first, and neither waits for the other for ever") {
    Box box;
    const auto first = box.add("First."), second = box.add("Second.");
    box.settle(0, Box::refused(box.must_submit(0).token, 1));  // ended
    box.settle(0, Box::refused(box.must_submit(0).token, 1));
    box.run([&](Tx& tx) { reopen(tx, box.env, {second, first}, box.now); });
    const auto sent = box.must_submit(0);
    CHECK(sent.message == first);
    CHECK_FALSE(box.submit(1).has_value());
    box.settle(0, Box::accepted(sent.token, 1));
    box.now += 3s;
    CHECK(box.must_submit(1).message == second);
}

TEST_CASE("campaigns: a pause of one holds no other one's message to the same number") {
    Box box;
    auto m = marketing("Sale!");
    m.campaign_name = "winback";
    const auto held = box.add(m);
    box.settle(0, Box::refused(box.must_submit(0).token, 41));
    box.run([&](Tx& tx) { store::set_setting(tx, paused_campaign("winback"), "uid:0"); });
    box.now += 1h;
    REQUIRE_FALSE(box.submit(0).has_value());
    REQUIRE(box.reason(held) == "campaign-paused");
    const auto free = box.add(marketing("News."));
    CHECK(box.must_submit(0).message == free);
}

TEST_CASE("pause: what has begun goes on behind any number of messages that were tried") {
    Fleet box;
    auto two_parts = marketing(std::string(200, 'a'));
    two_parts.priority = 0;
    const auto begun = box.add(two_parts);
    box.settle(0, Box::accepted(box.must_submit(0).token, 1));
    std::vector<MessageId> tried;
    for (int n = 0; n < 300; ++n) {
        auto sale = marketing(std::string(200, 'b'), "+1555010" + std::to_string(1000 + n));
        sale.priority = 100;
        tried.push_back(box.add(sale));
    }
    box.run([&](Tx& tx) {
        for (const auto id : tried) {
            auto row = *store::find(tx, id);
            const auto attempt = store::open_attempt(tx, {.message = id, .seq = 1, .modem_index = 1, .started_at = box.now});
            store::close_attempt(tx, attempt, box.now, static_cast<int>(driver::Ending::refused), {}, "cms-41");
            row.retry_count = 1;
            store::update(tx, row);
            store::set_last_attempt(tx, id, attempt);
        }
    });
    box.paused = true;
    const auto sent = box.take_by(0);
    REQUIRE(sent.has_value());
    CHECK(sent->message == begun);
    CHECK_FALSE(box.take_by(1).has_value());
}

TEST_CASE("pause: replies and what has begun go on, however much stands before them") {
    Fleet box;
    auto two_parts = marketing(std::string(200, 'a'));
    two_parts.priority = 0;
    const auto begun = box.add(two_parts);
    const auto first = box.must_submit(0);
    box.settle(0, Box::accepted(first.token, 1));  // its second part waits
    for (int n = 0; n < 200; ++n) {
        auto sale = marketing("Sale!", "+1555010" + std::to_string(1000 + n));
        sale.priority = 100;
        box.add(sale);
    }
    box.take_in(inbound("Hello?", other_phone)[0]);
    const auto reply = [&] {
        NewMessage m;
        m.to = other_phone;
        m.text = "You are welcome.";
        m.message_class = MessageClass::reply;
        return box.add(m);
    }();
    box.paused = true;
    std::vector<MessageId> out;
    for (int n = 0; n < 2; ++n) {
        const auto sent = box.take_by(0);
        REQUIRE(sent.has_value());
        out.push_back(sent->message);
        box.settle(0, Box::accepted(sent->token, 2 + n));
    }
    CHECK(std::ranges::find(out, reply) != out.end());
    CHECK(std::ranges::find(out, begun) != out.end());
    CHECK_FALSE(box.take_by(0).has_value());
}

TEST_CASE("campaigns: a pause holds one campaign and nothing else") {
    Box box;
    auto m = marketing("Sale!");
    m.campaign_name = "winback-nov";
    const auto id = box.add(m);
    box.run([&](Tx& tx) { store::set_setting(tx, paused_campaign("winback-nov"), "uid:0"); });
    CHECK_FALSE(box.submit(0).has_value());
    CHECK(box.reason(id) == "campaign-paused");
    auto other = marketing("Sale!", other_phone);
    other.campaign_name = "winback";
    const auto free = box.add(other);
    CHECK(box.must_submit(0).message == free);
    box.run([&](Tx& tx) {
        tx.run("DELETE FROM settings WHERE name = ?", paused_campaign("winback-nov"));
        store::resume_campaign(tx, "winback-nov", box.now, 0, store::last_message(tx));
    });
    CHECK(box.must_submit(1).message == id);
}

TEST_CASE("catch-up: what became overdue leaves evenly, the rest is not held up") {
    Fleet box;
    const auto late = box.add(marketing("Sale!"));
    box.now += overdue_after + 1ms;
    box.spaced_until = box.now + 3s;
    auto answer = box.pick_by(0);
    CHECK_FALSE(answer.submission.has_value());
    CHECK(answer.look_again == box.spaced_until);
    const auto code = box.add("Your code is 1234.", other_phone);
    CHECK(box.take_by(0)->message == code);
    box.now = *box.spaced_until;
    answer = box.pick_by(1);
    CHECK(answer.message == late);
    CHECK(answer.overdue);
}

TEST_CASE("routing: a route that is mended frees what waited for it") {
    Box box;
    box.env.config.routes.push_back({.prefix = "+1555", .modems = {7}});
    const auto id = box.add();
    CHECK_FALSE(box.submit(0).has_value());
    const auto relaned = [&] {
        int moved = 0;
        for (store::LaneCursor at; !at.done();) moved += box.run([&](Tx& tx) { return relane(tx, box.env, at, 2); });
        return moved;
    };
    CHECK(relaned() == 0);
    const auto before = lanes_in(box.env.config);
    box.env.config.routes[0].modems = {1};
    CHECK(lanes_in(box.env.config) != before);
    CHECK(relaned() == 1);
    CHECK_FALSE(box.submit(0).has_value());
    const auto sent = box.must_submit(1);
    CHECK(sent.message == id);
    // a class that a modem does not take any more leaves it, but for what has begun or was pinned
    NewMessage m{.to = "+15550100124", .text = "For modem 1."};
    m.message_class = MessageClass::transactional;
    m.modem_index = 1;
    const auto pinned = box.add(m);
    const auto later = box.add("Another.", "+15550100125");
    box.settle(1, Box::refused(sent.token, 41));
    box.env.config.routes.clear();
    box.env.config.modems[1].classes = {MessageClass::marketing};
    CHECK(relaned() == 2);
    CHECK(box.must_submit(0).message == later);
    CHECK(box.must_submit(1).message == pinned);
}

TEST_CASE("routing: a new route is looked for in what waits, in whatever way it waits, and in nothing else") {
    Box box;
    std::vector<MessageId> ids;
    for (int n = 0; n < 12; ++n) ids.push_back(box.add("Number " + std::to_string(n), "+155501001" + std::to_string(10 + n)));
    box.run([&](Tx& tx) {  // 0 waits, 1 is ready, 2 is held, 3 waits for its go
        for (std::size_t n = 0; n < ids.size(); ++n)
            tx.run("UPDATE messages SET ready = ?, not_before = not_before + ?2 WHERE id = ?3", n % 4, (n / 8) * 1000, ids[n]);
    });
    box.env.config.modems[1].classes = {MessageClass::marketing};
    int moved = 0;
    store::LaneCursor at;
    while (!at.done()) moved += box.run([&](Tx& tx) { return relane(tx, box.env, at, 2); });
    CHECK(moved == 12);
    box.history(3000, phone);
    at = {};
    CHECK(box.steps_of([&](Tx& tx) {
        for (at = {}; !at.done();) moved += relane(tx, box.env, at, 100);
        return moved;
    }) < 3000);
    CHECK(moved == 12);
}

TEST_CASE("zones: the address counts beside the number, at planning and at release") {
    Box box;
    box.env.config.send.window = {9 * 60, 20 * 60};
    box.now = *parse_rfc3339("2026-11-24T16:30:00Z");  // 08:30 in Los Angeles, 11:30 in New York
    auto m = marketing("Sale!", "+12125550123");       // New York by its number
    m.state = "CA";
    const auto id = box.add(m);
    CHECK(box.row(id).state == "CA");
    CHECK(box.row(id).expires_at == *parse_rfc3339("2026-11-25T17:00:00Z"));  // counted from 09:00 in Los Angeles
    CHECK_FALSE(box.submit(0).has_value());
    CHECK(box.reason(id) == "quiet-hours");
    CHECK(box.row(id).not_before == *parse_rfc3339("2026-11-24T17:00:00Z"));
    box.now = *parse_rfc3339("2026-11-24T17:00:00Z");
    CHECK(box.must_submit(0).message == id);

    auto evening = marketing("Later.", "+12125550124");
    evening.time_zone = "America/Los_Angeles";
    evening.due_at = *parse_rfc3339("2026-11-25T01:30:00Z");  // 17:30 there, 20:30 in New York: only the overlap
    const auto later = box.add(evening);
    box.now = *evening.due_at;
    CHECK_FALSE(box.submit(0).has_value());
    CHECK(box.row(later).not_before == *parse_rfc3339("2026-11-25T17:00:00Z"));

    for (const auto& [state, zone, code] : {std::tuple{"ZZ", "", "bad-state"}, std::tuple{"", "Mars/Olympus", "bad-time-zone"}}) {
        auto bad = marketing("Hi.");
        if (*state) bad.state = state;
        if (*zone) bad.time_zone = zone;
        const auto taken = box.take(bad);
        REQUIRE(taken.has_error());
        CHECK(taken.error().code == code);
    }
}

TEST_CASE("priority: named, of the class, or the score of what is known") {
    Box box;
    auto named = marketing("A");
    named.priority = 33;
    CHECK(box.row(box.add(named)).priority == 33);
    named.text = "B";
    CHECK_FALSE(box.row(box.add(named)).known.has_value());
    CHECK(box.row(box.add("code")).priority == 80);
    auto scored = marketing("C");
    scored.customer = {.last_visit = box.now - 14 * 24h, .cycle_days = 14, .value_percentile = 1, .campaign = 100};
    const auto vip = box.row(box.add(scored));
    CHECK(vip.known.has_value());
    CHECK(vip.priority > 80);
    auto unknown = marketing("D", other_phone);
    CHECK(box.row(box.add(unknown)).priority == 50);
    Box other;
    for (int n = 0; n < 8; ++n) other.sent(n, "News " + std::to_string(n), "+15550100177");
    auto tired = marketing("E", "+15550100177");
    CHECK(other.row(other.add(tired)).priority < 40);  // eight messages in a month, none answered
}
