// The way of a message through the queue: journaled, submitted, settled.
#include "tests/unit/daemon/service/box.hpp"

#include "daemon/dispatch/submission.hpp"
#include "daemon/service/steps.hpp"

using namespace conductor;
using namespace conductor::service;
using namespace conductor::service::test;

TEST_CASE("ledger: a submission is journaled before the modem gets it") {
    Box box;
    const auto id = box.add();
    const auto sent = box.must_submit(1);
    CHECK(sent.message == id);
    CHECK(sent.tpdu.to.digits == phone);
    CHECK(sent.tpdu.data.text == "Your order is ready.");
    CHECK(sent.tpdu.report_request);
    CHECK_FALSE(sent.tpdu.reject_duplicates);
    CHECK_FALSE(sent.more_follow);
    CHECK(box.status(id) == "sending");
    const auto attempt = box.run([&](Tx& tx) { return store::find_attempt(tx, sent.token); });
    REQUIRE(attempt.has_value());
    CHECK(attempt->message == id);
    CHECK(attempt->modem_index == 1);
    CHECK(attempt->iccid == Box::iccid_of(1));
    CHECK(attempt->started_at == box.now);
    CHECK_FALSE(attempt->outcome.has_value());
    CHECK_FALSE(box.submit(0).has_value());  // nobody else gets it

    box.now += 4s;
    box.settle(1, Box::accepted(sent.token, 41));
    const auto row = box.row(id);
    CHECK(row.status == MessageStatus::sent);
    CHECK(row.delivery_status == DeliveryStatus::pending);
    CHECK(row.sent_at == box.now);
    CHECK(row.modem_index == 1);
    CHECK(row.iccid == Box::iccid_of(1));
    CHECK(row.retry_count == 0);
    CHECK(row.parts[0] == Part{.seq = 1, .status = PartStatus::sent, .tp_mr = 41, .modem_index = 1, .attempts = 1});
    const auto closed = box.run([&](Tx& tx) { return store::find_attempt(tx, sent.token); });
    CHECK(closed->outcome == static_cast<int>(Ending::accepted));
    CHECK(closed->tp_mr == 41);
    CHECK(closed->ended_at == box.now);
}

TEST_CASE("ledger: an outcome settles once, and an unknown token settles nothing") {
    Box box;
    const auto id = box.add();
    const auto sent = box.must_submit(0);
    box.settle(0, Box::accepted(sent.token, 5));
    const auto before = box.row(id);
    for (const auto& outcome :
         {Box::ambiguous(sent.token), Box::refused(sent.token, 1), Box::accepted(sent.token, 6), Box::refused(sent.token + 77, 1)}) {
        const auto answer = box.settle(0, outcome);
        CHECK(answer.changed.empty());
        CHECK(box.row(id).status == MessageStatus::sent);
        CHECK(box.row(id).parts == before.parts);
    }
}

TEST_CASE("ledger: the best ready message goes first") {
    Box box;
    struct Row {
        std::string text;
        double priority;
        std::chrono::seconds due;
        int place;
    };
    // high priority first; among equals the one that was due first, then the older one
    const Row rows[] = {
        {"low", 10, 0s, 5}, {"due later", 50, -60s, 3}, {"due first", 50, -120s, 2}, {"same again", 50, -60s, 4}, {"high", 90, 0s, 1}};
    std::vector<std::pair<int, MessageId>> wanted;
    for (const Row& row : rows) {
        NewMessage m;
        m.to = phone;
        m.text = row.text;
        m.message_class = MessageClass::transactional;
        m.priority = row.priority;
        m.due_at = box.now + row.due;
        wanted.emplace_back(row.place, box.add(m));
    }
    std::sort(wanted.begin(), wanted.end());
    for (const auto& [place, id] : wanted) {
        CAPTURE(place);
        const auto sent = box.must_submit(0);
        CHECK(sent.message == id);
        box.settle(0, Box::accepted(sent.token, place));
    }
    CHECK_FALSE(box.submit(0).has_value());
}

TEST_CASE("ledger: a due time is kept, and the next look is told") {
    Box box;
    NewMessage m;
    m.to = phone;
    m.text = "Later.";
    m.message_class = MessageClass::transactional;
    m.due_at = box.now + 2h;
    const auto id = box.add(m);
    auto answer = box.pick(0);
    CHECK_FALSE(answer.submission.has_value());
    CHECK(answer.look_again == *m.due_at);
    box.now = *m.due_at - 1ms;
    CHECK_FALSE(box.submit(0).has_value());
    box.now += 1ms;
    CHECK(box.must_submit(0).message == id);
}

TEST_CASE("ledger: what was taken in while the clock was ahead does not wait for that time, a time that was named is kept") {
    Box box;
    const WallTime truth = box.now;
    NewMessage m;
    m.to = phone;
    m.text = "Later.";
    m.message_class = MessageClass::transactional;
    m.due_at = truth + 2h;
    box.now += 24h * 7;
    CHECK(box.take(m).error().code == "expired");
    m.expire_after = 24h * 30;
    const auto named = box.add(m);
    const auto at_once = box.add("At once.", other_phone);
    box.now = truth;
    const auto sent = box.must_submit(0);
    CHECK(sent.message == at_once);
    box.settle(0, Box::accepted(sent.token, 1));
    CHECK_FALSE(box.submit(0).has_value());
    CHECK(box.reason(named) == "not-due");
    box.now = *m.due_at;
    CHECK(box.must_submit(0).message == named);
}

TEST_CASE("ledger: a clock that was ahead and is right again") {
    Box box;
    const WallTime truth = box.now;
    const auto before = box.add("Before.", "+15550100201");
    box.now += 10h;
    NewMessage m;
    m.to = other_phone;
    m.text = "Later.";
    m.message_class = MessageClass::transactional;
    m.due_at = truth + 2h;
    const auto named = box.add(m);
    const auto last = box.add("At once.");
    NewMessage dated;
    dated.to = "+15550100202";
    dated.text = "Until then.";
    dated.message_class = MessageClass::transactional;
    dated.expires_at = truth + 20h;
    const auto until = box.add(dated);
    NewMessage lent = dated;
    lent.to = "+15550100203";
    lent.scheduled_message_id = 4211;
    lent.claim_epoch = 1;
    const auto claimed = box.add(lent);
    auto leased = box.row(claimed);
    leased.lease_until = box.now + 10min;
    box.run([&](Tx& tx) { store::update(tx, leased); });
    const auto life = *box.row(last).expires_at - box.now;
    const auto tried = box.must_submit(0);
    REQUIRE(tried.message == before);
    REQUIRE(box.must_submit(1).message == named);  // due long ago, as it seems
    box.settle(0, Box::refused(tried.token, 42));  // congestion: again later
    box.now = truth + 1min;
    store::AheadCursor at;
    int steps = 1;
    while (box.run([&](Tx& tx) { return store::set_right(tx, at, box.now, 10h - 1min, 1); })) ++steps;
    CHECK(steps == 5);                                   // it ends where the clock was right
    CHECK(*box.row(last).expires_at == box.now + life);  // it lives no longer than others
    CHECK(*box.row(until).expires_at == truth + 20h);
    CHECK(*box.row(claimed).expires_at == truth + 20h);
    CHECK(*box.row(claimed).lease_until == box.now + 10min);
    CHECK(box.row(last).timestamp == box.now);
    CHECK(box.row(last).due_at == box.now);
    CHECK(box.row(before).timestamp == truth);
    CHECK(box.row(before).not_before == box.now);
    CHECK(box.row(named).timestamp == truth + 10h);  // it is on its way
    CHECK_FALSE(box.run([&](Tx& tx) { return store::set_right(tx, at, box.now, 10h - 1min, 1); }));
}

TEST_CASE("ledger: lanes: classes, routes and pins bind a message to modems") {
    struct Row {
        std::string name;
        void (*change)(config::Config&);
        std::optional<ModemIndex> pinned;
        std::string to;
        std::set<ModemIndex> may;  ///< of 0, 1, 2
    };
    const Row rows[] = {
        {"any", [](config::Config&) {}, {}, phone, {0, 1, 2}},
        {"pinned", [](config::Config&) {}, 1, phone, {1}},
        {"class", [](config::Config& c) { c.modems[0].classes = {MessageClass::marketing}; }, {}, phone, {1, 2}},
        {"class of one's own", [](config::Config& c) { c.modems[2].classes = {MessageClass::transactional}; }, {}, phone, {0, 1, 2}},
        {"route",
         [](config::Config& c) {
             c.routes = {{"+52", {1}}};
         },
         {},
         "+525512345678",
         {1}},
        {"route of others",
         [](config::Config& c) {
             c.routes = {{"+52", {1}}};
         },
         {},
         phone,
         {0, 1, 2}},
        {"longest route",
         [](config::Config& c) {
             c.routes = {{"+1", {1}}, {"+1555", {2}}, {"+15", {0}}};
         },
         {},
         phone,
         {2}},
        {"route and class",
         [](config::Config& c) {
             c.routes = {{"+1", {0, 1}}};
             c.modems[0].classes = {MessageClass::reply};
         },
         {},
         phone,
         {1}},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Box box;
        box.env.config.send.countries.clear();
        box.env.config.modems.push_back({.index = 2, .imei = "350000000000002"});
        row.change(box.env.config);
        NewMessage m;
        m.to = row.to;
        m.text = "Hello.";
        m.message_class = MessageClass::transactional;
        m.modem_index = row.pinned;
        const auto id = box.add(m);
        for (int modem = 0; modem < 3; ++modem) {
            CAPTURE(modem);
            const auto sent = box.submit(modem);
            CHECK(sent.has_value() == row.may.contains(modem));
            if (sent) box.settle(modem, Box::not_sent(sent->token));  // back at once, for the next modem
            if (sent) box.now += 1min;
        }
        CHECK(box.status(id) == "queued");
    }
}

TEST_CASE("ledger: parts go out back to back, on the modem that began") {
    Box box;
    const auto id = box.add(Box::text_of(3));
    box.add("Short one.", other_phone);  // must not come between the parts
    auto sent = box.must_submit(0);
    CHECK(sent.message == id);
    for (int seq = 1; seq <= 3; ++seq) {
        CAPTURE(seq);
        CHECK(sent.message == id);
        const auto concat = pdu::find_concat(sent.tpdu.data.udh);
        REQUIRE(concat.has_value());
        CHECK(concat->total == 3);
        CHECK(concat->seq == seq);
        CHECK(concat->ref == (id.value & 0xff));
        CHECK(sent.more_follow == (seq < 3));
        CHECK(box.status(id) == "sending");
        const auto next = Box::sent_of(box.pick(0, Box::accepted(sent.token, 40 + seq)), 0);
        REQUIRE(next.has_value());
        sent = *next;
    }
    CHECK(sent.message != id);
    CHECK(box.status(id) == "sent");
    CHECK(box.parts(id) == "1:sent 2:sent 3:sent");
}

TEST_CASE("ledger: a set that was interrupted waits for its modem alone") {
    Box box;
    const auto id = box.add(Box::text_of(2));
    const auto first = box.must_submit(1);
    box.settle(1, Box::accepted(first.token, 9));  // and the modem is gone
    CHECK(box.status(id) == "queued");
    CHECK(box.reason(id) == "waiting-for-modem");
    CHECK(box.parts(id) == "1:sent 2:waiting");
    CHECK_FALSE(box.submit(0).has_value());
    box.paused = true;  // what has begun is completed
    const auto second = box.must_submit(1);
    CHECK(second.message == id);
    CHECK(pdu::find_concat(second.tpdu.data.udh)->seq == 2);
    box.settle(1, Box::accepted(second.token, 10));
    CHECK(box.status(id) == "sent");
}

TEST_CASE("ledger: a set whose time is over is undelivered, and not completed") {
    Box box;
    const auto id = box.add(Box::text_of(2));
    const auto first = box.must_submit(1);
    box.settle(1, Box::accepted(first.token, 9));
    box.now = *box.row(id).expires_at;
    CHECK_FALSE(box.submit(1).has_value());
    CHECK(box.status(id) == "undelivered");
    CHECK(box.reason(id) == "incomplete");
    CHECK(box.row(id).delivery_status == DeliveryStatus::failed);
}

TEST_CASE("ledger: what was not sent costs no attempt") {
    Box box;
    const auto id = box.add();
    for (int n = 1; n <= 20; ++n) {
        CAPTURE(n);
        const auto sent = box.submit(n % 2);
        REQUIRE(sent.has_value());
        box.settle(n % 2, Box::not_sent(sent->token));
        CHECK(box.status(id) == "queued");
        CHECK(box.reason(id) == "no-prompt");
        CHECK(box.row(id).retry_count == n);
        CHECK(box.row(id).attempts_used == 0);
        // at once for another modem, unless it keeps happening to this message
        if (n < Limits::not_sent_pause_after) CHECK(box.row(id).not_before == box.now);
        if (n > Limits::not_sent_pause_after) CHECK(box.row(id).not_before > box.now);
        if (n == 20) CHECK(box.row(id).not_before == box.now + 1h);  // less and less often
        box.now = std::max(box.now + 10min, box.row(id).not_before);
    }
    const auto sent = box.must_submit(0);
    box.settle(0, Box::accepted(sent.token, 1));
    CHECK(box.status(id) == "sent");
}

TEST_CASE("ledger: expiry") {
    Box box;
    NewMessage m;
    m.to = phone;
    m.text = "Now or never.";
    m.message_class = MessageClass::transactional;
    m.expire_after = 10min;
    const auto id = box.add(m);
    CHECK(box.row(id).expires_at == box.now + 10min);
    SUBCASE("before") {
        box.now += 10min - 1ms;
        const auto sent = box.must_submit(0);
        // TP-VP is what remains, at least five minutes
        CHECK(std::get<pdu::RelativeValidity>(sent.tpdu.validity).duration() == 5min);
    }
    SUBCASE("after") {
        box.now += 10min;
        CHECK_FALSE(box.submit(0).has_value());
        CHECK(box.status(id) == "expired");
        CHECK(box.told() == std::vector<std::string>{"expired/none"});
    }
    SUBCASE("while it waits for its retry") {
        const auto sent = box.must_submit(0);
        box.now += 9min + 50s;
        box.settle(0, Box::refused(sent.token, 41));
        CHECK(box.row(id).not_before == *box.row(id).expires_at);  // the back-off would be longer
        box.now += 10s;
        CHECK_FALSE(box.submit(0).has_value());
        CHECK(box.status(id) == "expired");
    }
}

TEST_CASE("ledger: what may have gone out and was to be repeated ends as unknown") {
    for (const bool cancelled : {false, true}) {
        CAPTURE(cancelled);
        Box box;
        NewMessage m;
        m.to = phone;
        m.text = "Your code is 1234.";
        m.message_class = MessageClass::transactional;
        m.on_unknown = OnUnknown::resend;
        m.expire_after = 10min;
        const auto id = box.add(m);
        const auto first = box.must_submit(0);
        box.settle(0, Box::ambiguous(first.token));
        CHECK(box.status(id) == "queued");
        if (cancelled) {
            box.run([&](Tx& tx) {
                auto row = *store::find(tx, id);
                give_up(tx, row, MessageStatus::cancelled, "cancelled");
                save(tx, box.env, row, box.now);
            });
        } else {
            box.now += 11min;
            CHECK_FALSE(box.submit(0).has_value());
        }
        CHECK(box.status(id) == "unknown");
        CHECK(box.reason(id) == "timeout");
    }
}

TEST_CASE("ledger: the reason of an open outcome outlives a pause between parts") {
    Box box;
    const auto id = box.add(Box::text_of(2));
    const auto first = box.must_submit(0);
    box.settle(0, Box::ambiguous(first.token, "port-lost"));
    CHECK(box.reason(id) == "port-lost");
    const auto second = box.must_submit(0);
    box.settle(0, Box::accepted(second.token, 8));
    CHECK(box.status(id) == "unknown");
    CHECK(box.reason(id) == "port-lost");
}

TEST_CASE("ledger: TP-VP is what remains of the expiry") {
    Box box;
    const auto id = box.add();
    box.now += 12h;
    const auto sent = box.must_submit(0);
    const auto validity = std::get<pdu::RelativeValidity>(sent.tpdu.validity).duration();
    CHECK(validity == 12h);
    CHECK(box.row(id).report_until == box.now + 12h + Limits::report_grace);
}

TEST_CASE("ledger: pause holds what has not begun, but not replies") {
    Box box;
    const auto id = box.add();
    box.paused = true;
    CHECK_FALSE(box.submit(0).has_value());
    CHECK(box.status(id) == "queued");
    CHECK(box.row(id).ready);  // a pause parks nothing: a long queue is not written twice
    box.take_in(inbound("Hello?")[0]);
    NewMessage m;
    m.to = phone;
    m.text = "How can we help?";
    m.message_class = MessageClass::reply;
    const auto reply = box.add(m);
    const auto sent = box.must_submit(0);
    CHECK(sent.message == reply);
    box.settle(0, Box::accepted(sent.token, 3));
    box.paused = false;
    CHECK(box.must_submit(0).message == id);
    CHECK_FALSE(box.row(id).reason.has_value());
}

TEST_CASE("ledger: a lease that is over gives the row back") {
    Box box;
    NewMessage m;
    m.to = phone;
    m.text = "From Supabase.";
    m.message_class = MessageClass::transactional;
    m.scheduled_message_id = 4211;
    m.claim_epoch = 3;
    const auto id = box.add(m);
    auto row = box.row(id);
    row.lease_until = box.now + 5min;
    row.begun = true;
    box.run([&](Tx& tx) { store::update(tx, row); });
    SUBCASE("in time") {
        box.now += 5min - 1ms;
        CHECK(box.must_submit(0).message == id);
    }
    SUBCASE("too late") {
        box.now += 5min;
        CHECK_FALSE(box.submit(0).has_value());
        CHECK(box.status(id) == "cancelled");
        CHECK(box.reason(id) == "lease-lost");
        const auto told = box.told_bodies();
        REQUIRE(told.size() == 1);  // released, and not cancelled: the row is free for another box
        CHECK(told[0]["kind"] == "released");
        CHECK(told[0]["job_id"] == 4211);
        CHECK(told[0]["epoch"] == 3);
        CHECK(told[0]["reason"] == "lease-lost");
    }
    SUBCASE("refused for good before, over now") {
        const auto sent = box.must_submit(0);
        box.settle(0, Box::refused(sent.token, 41));
        box.now += 5min;
        CHECK_FALSE(box.submit(0).has_value());
        CHECK(box.told() == std::vector<std::string>{"released"});
    }
}

TEST_CASE("ledger: what no modem can carry fails with its reason") {
    Box box;
    const auto id = box.add(Box::text_of(3));
    box.run([&](Tx& tx) { tx.run("UPDATE messages SET content = content || content WHERE id = ?", id); });  // no longer in three parts
    CHECK_FALSE(box.submit(0).has_value());
    CHECK(box.status(id) == "failed");
    CHECK(box.reason(id) == "not-encodable");
    CHECK(box.told() == std::vector<std::string>{"failed/none"});
}

TEST_CASE("ledger: a message goes out in the parts in which it was taken in, whatever the configuration is since") {
    Box box;
    auto& send = box.env.config.send;
    const std::string quoted = "It\xE2\x80\x99s here. " + std::string(90, 'x'), turkish = "\xC4\x9F " + std::string(98, 'x');
    NewMessage m;
    m.to = phone;
    m.message_class = MessageClass::transactional;
    std::string content, parts;
    SUBCASE("fewer segments are allowed") {
        m.text = content = Box::text_of(3);
        parts = "1:sent 2:sent 3:sent";
    }
    SUBCASE("it would be transliterated now") {
        send.transliterate = false;
        m.text = content = quoted;
        parts = "1:sent 2:sent";
    }
    SUBCASE("it would not be transliterated any more") {
        send.transliterate = true;
        m.text = quoted;
        content = "It's here. " + std::string(90, 'x');
        parts = "1:sent";
    }
    SUBCASE("its national table is not configured any more") {
        send.national_tables = {1};
        m.text = content = turkish;
        parts = "1:sent";
    }
    SUBCASE("it would be shorter with a national table") {
        m.text = content = turkish;
        parts = "1:sent 2:sent";
    }
    const auto id = box.add(m);
    send.transliterate = !send.transliterate;
    send.national_tables = send.national_tables.empty() ? std::vector<std::uint8_t>{1, 2, 3} : std::vector<std::uint8_t>{};
    send.max_segments = 1;
    std::string out;
    for (auto sent = box.submit(0); sent; sent = Box::sent_of(box.pick(0, Box::accepted(sent->token, 1)), 0)) out += sent->tpdu.data.text;
    CHECK(out == content);
    CHECK(box.parts(id) == parts);
    CHECK(box.status(id) == "sent");
}

TEST_CASE("ledger: a clock that goes back makes no try older than its round") {
    Box box;
    const auto id = add_with(box, OnUnknown::resend);
    box.now -= 50s;
    box.settle(0, Box::ambiguous(box.must_submit(0).token));
    REQUIRE(box.status(id) == "queued");
    box.run([&](Tx& tx) {
        auto row = *store::find(tx, id);
        CHECK(has_begun(tx, row));
        give_up(tx, row, MessageStatus::cancelled, "cancelled");
        CHECK(row.status == MessageStatus::unknown);
    });
}

TEST_CASE("ledger: what is wanted after all is due when it was due") {
    Box box;
    NewMessage m;
    m.to = phone;
    m.text = "Tomorrow.";
    m.message_class = MessageClass::transactional;
    m.due_at = box.now + 24h;
    const auto id = box.add(m);
    box.run([&](Tx& tx) {
        auto row = *store::find(tx, id);
        give_up(tx, row, MessageStatus::cancelled, "cancelled");
        save(tx, box.env, row, box.now);
        begin_again(box.env, row, box.now);
        save(tx, box.env, row, box.now);
    });
    CHECK_FALSE(box.submit(0).has_value());
    box.now += 24h;
    CHECK(box.must_submit(0).message == id);
}

TEST_CASE("ledger: costs add up per accepted part") {
    Box box;
    box.env.config.modems[0].cost_per_part = 0.25;
    const auto id = box.add(Box::text_of(2));
    auto sent = box.must_submit(0);
    box.settle(0, Box::refused(sent.token, 41));
    box.now += 1min;
    sent = box.must_submit(0);
    sent = *Box::sent_of(box.pick(0, Box::accepted(sent.token, 1)), 0);
    box.settle(0, Box::accepted(sent.token, 2));
    CHECK(box.status(id) == "sent");
    CHECK(box.row(id).cost == doctest::Approx(0.5));
}

TEST_CASE("ledger: another modem learns that there is more") {
    Box box;
    box.add("One.");
    CHECK_FALSE(box.pick(0).more_ready);
    box.add("Two.", "+15550100124");
    box.add("Three.", "+15550100125");
    CHECK(box.pick(1).more_ready);
}

TEST_CASE("ledger: a modem that cannot take more only settles") {
    Box box;
    const auto id = box.add();
    box.add("Another.");
    const auto sent = box.must_submit(0);
    const auto answer = box.settle(0, Box::accepted(sent.token, 1));
    CHECK_FALSE(answer.submission.has_value());
    CHECK(box.status(id) == "sent");
    REQUIRE(answer.changed.size() == 1);
    CHECK(answer.changed[0].id == id);
    CHECK(answer.changed[0].status == MessageStatus::sent);
}

TEST_CASE("ledger: each modem has a lane of its own") {
    for (int index : {1, 2, 31, 32, 61, 62, 63}) {
        CAPTURE(index);
        Box box;
        if (index > 1) box.env.config.modems.push_back({.index = index, .imei = "350000000000002"});
        NewMessage m;
        m.to = phone;
        m.text = "Hi.";
        m.message_class = MessageClass::transactional;
        m.modem_index = index;
        box.add(m);
        CHECK_FALSE(box.submit(0).has_value());
        CHECK(box.submit(index).has_value());
    }
}

TEST_CASE("ledger: a message that no modem may take goes to none") {
    Box box;
    for (auto& modem : box.env.config.modems) modem.classes = {MessageClass::marketing};
    const auto id = box.add();
    CHECK_FALSE(box.submit(0).has_value());
    CHECK_FALSE(box.submit(1).has_value());
    CHECK(box.status(id) == "queued");
}

TEST_CASE("ledger: a lease that ends after Ctrl-Z gives nothing back") {
    Box box;
    NewMessage m;
    m.to = phone;
    m.text = "From Supabase.";
    m.message_class = MessageClass::transactional;
    m.scheduled_message_id = 4211;
    m.claim_epoch = 3;
    m.on_unknown = OnUnknown::resend;
    const auto id = box.add(m);
    auto row = box.row(id);
    row.lease_until = box.now + 5min;
    row.begun = true;
    box.run([&](Tx& tx) { store::update(tx, row); });
    box.settle(0, Box::ambiguous(box.must_submit(0).token));
    box.now += 5min;
    box.submit(0);
    for (const auto& kind : box.told()) CHECK(kind != "released");
    CHECK(box.status(id) == "unknown");
    CHECK(box.reason(id) == "lease-lost");
}
