// Messages of a set to one number: their order, what ends it, and what one contact is.
#include "daemon/dispatch/submission.hpp"
#include "daemon/service/steps.hpp"
#include "tests/unit/daemon/service/box.hpp"

using namespace conductor;
using namespace conductor::service;
using namespace conductor::service::test;

TEST_CASE("sets: in order, two to five seconds apart, one contact") {
    Box box;
    std::vector<MessageId> ids;
    for (const char* text : {"One.", "Two.", "Three."}) {
        auto m = marketing(text);
        m.set = "welcome-17";
        ids.push_back(box.add(m));
    }
    const auto first = box.must_submit(0);
    CHECK(first.message == ids[0]);
    CHECK_FALSE(box.submit(1).has_value());  // the next waits for it
    CHECK(box.reason(ids[1]) == "set-order");
    box.settle(0, Box::accepted(first.token, 1));
    for (std::size_t n = 1; n < ids.size(); ++n) {
        CAPTURE(n);
        CHECK_FALSE(box.submit(0).has_value());
        box.now += 2s - 1ms;
        CHECK_FALSE(box.submit(0).has_value());
        box.now += 3s + 1ms;
        const auto sent = box.must_submit(0);  // neither gap nor cap binds inside a set
        CHECK(sent.message == ids[n]);
        box.settle(0, Box::accepted(sent.token, static_cast<int>(n) + 1));
    }
    CHECK_FALSE(box.submit(0).has_value());
    const auto next = box.add(marketing("Another day."));
    CHECK_FALSE(box.submit(0).has_value());
    CHECK(box.reason(next) == "per-recipient-cap");
}

TEST_CASE("sets: a retry keeps the order, a failure stops the rest until it is mended") {
    Box box;
    std::vector<MessageId> ids;
    for (const char* text : {"One.", "Two."}) {
        NewMessage m;
        m.to = phone;
        m.text = text;
        m.message_class = MessageClass::transactional;
        m.set = "s";
        ids.push_back(box.add(m));
    }
    auto sent = box.must_submit(0);
    box.settle(0, Box::refused(sent.token, 38));
    CHECK_FALSE(box.submit(0).has_value());
    CHECK_FALSE(box.submit(1).has_value());
    box.now = box.row(ids[0]).not_before;
    sent = box.must_submit(0);
    CHECK(sent.message == ids[0]);
    box.settle(0, Box::refused(sent.token, 1));  // no such number
    CHECK(box.status(ids[0]) == "failed");
    box.now += 61min;
    CHECK_FALSE(box.submit(0).has_value());
    CHECK(box.status(ids[1]) == "queued");
    CHECK(box.reason(ids[1]) == "set-stopped");
    box.run([&](Tx& tx) { reopen(tx, box.env, {ids[0]}, box.now); });
    sent = box.must_submit(0);
    CHECK(sent.message == ids[0]);
    box.settle(0, Box::accepted(sent.token, 4));
    box.now += 5s;
    CHECK(box.must_submit(0).message == ids[1]);
}

TEST_CASE("sets: one that is cancelled has no place in its set until it is wanted after all") {
    Box box;
    std::vector<MessageId> ids;
    const auto add_one = [&](const char* text) {
        auto m = marketing(text);
        m.set = "s";
        ids.push_back(box.add(m));
    };
    const auto change = [&](MessageId id, bool cancel) {
        box.run([&](Tx& tx) {
            auto row = *store::find(tx, id);
            if (cancel) {
                dispatch::abandon(row, MessageStatus::cancelled, "cancelled");
                row.ready = false;
            } else {
                dispatch::new_round(row);
                row.ready = true;
            }
            save(tx, box.env, row, box.now);
        });
    };
    const auto goes = [&](MessageId id) {
        box.now += 5s;
        const auto sent = box.must_submit(0);
        CHECK(sent.message == id);
        box.settle(0, Box::accepted(sent.token, static_cast<int>(id.value)));
        CHECK_FALSE(box.submit(0).has_value());  // never two of a set at once
    };
    for (const char* text : {"One.", "Two.", "Three.", "Four."}) add_one(text);
    change(ids[1], true);
    change(ids[3], true);
    add_one("Five.");
    goes(ids[0]);
    SUBCASE("left out") {
        goes(ids[2]);
        goes(ids[4]);
    }
    SUBCASE("wanted after all: it has its old place") {
        change(ids[1], false);
        goes(ids[1]);
        goes(ids[2]);
        goes(ids[4]);
    }
}

TEST_CASE("sets: a set whose first one is cancelled is a contact all the same") {
    Box box;
    std::vector<MessageId> ids;
    for (const char* text : {"One.", "Two."}) {
        auto m = marketing(text);
        m.set = "s";
        ids.push_back(box.add(m));
    }
    box.run([&](Tx& tx) {
        auto row = *store::find(tx, ids[0]);
        dispatch::abandon(row, MessageStatus::cancelled, "cancelled");
        row.ready = false;
        save(tx, box.env, row, box.now);
    });
    const auto sent = box.must_submit(0);
    CHECK(sent.message == ids[1]);
    box.settle(0, Box::accepted(sent.token, 1));
    box.now += 1h;
    const auto next = box.add(marketing("Another."));
    CHECK_FALSE(box.submit(0).has_value());
    CHECK(box.reason(next) == "per-recipient-cap");
}

TEST_CASE("sets: the next follows an unknown one as soon, and a held one stays held") {
    Box box;
    std::vector<MessageId> ids;
    for (const char* text : {"One.", "Two.", "Three."}) {
        auto m = marketing(text);
        m.set = "s";
        ids.push_back(box.add(m));
    }
    auto sent = box.must_submit(0);
    CHECK_FALSE(box.submit(1).has_value());
    box.settle(0, Box::ambiguous(sent.token, "timeout"));
    CHECK(box.status(ids[0]) == "unknown");
    box.now += 5s;
    sent = box.must_submit(0);
    CHECK(sent.message == ids[1]);
    box.run([&](Tx& tx) { tx.run("UPDATE messages SET ready = 2 WHERE id = ?", ids[2]); });  // of a restored database
    box.settle(0, Box::accepted(sent.token, 1));
    CHECK(box.status(ids[1]) == "sent");
    box.now += 5s;
    CHECK_FALSE(box.submit(0).has_value());
}

TEST_CASE("sets: a name that is used again an hour later begins another set") {
    Box box;
    auto m = marketing("One.");
    m.set = "promo";
    box.add(m);
    box.settle(0, Box::accepted(box.must_submit(0).token, 1));
    m.text = "Two.";
    SUBCASE("within the hour it is one contact") {
        box.now += 59min;
        const auto same = box.add(m);
        CHECK(box.row(same).after.has_value());
        CHECK(box.must_submit(0).message == same);
    }
    SUBCASE("after it, the cap binds") {
        box.now += 1h + 1ms;
        const auto other = box.add(m);
        CHECK_FALSE(box.row(other).after.has_value());
        CHECK_FALSE(box.submit(0).has_value());
        CHECK(box.reason(other) == "per-recipient-cap");
    }
    SUBCASE("one that waits is followed however long ago it was taken in") {
        auto late = marketing("Later.", other_phone);
        late.set = "promo";
        late.due_at = box.now + 24h * 10;
        const auto before = box.add(late);
        box.now += 24h * 9;
        auto last = marketing("Last.", other_phone);
        last.set = "promo";
        CHECK(box.row(box.add(last)).after == before);
    }
}

TEST_CASE("sets: sets of other names and numbers are their own") {
    Box box;
    auto a = marketing("One.");
    a.set = "a";
    auto b = marketing("One.", other_phone);
    b.set = "a";
    box.add(a);
    box.add(b);
    CHECK(box.submit(0).has_value());
    CHECK(box.submit(1).has_value());
}
