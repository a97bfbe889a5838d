// What is asked to be sent: taken in, or refused with a code, a field and a status.
#include "tests/unit/daemon/service/box.hpp"

using namespace conductor;
using namespace conductor::service;
using namespace conductor::service::test;

namespace {

NewMessage message_of(std::string text, MessageClass message_class = MessageClass::transactional, std::string to = phone) {
    NewMessage m;
    m.to = std::move(to);
    m.text = std::move(text);
    m.message_class = message_class;
    return m;
}
void consent(Box& box, std::string number = phone, bool active = true) {
    box.run([&](Tx& tx) { store::set_consent(tx, {.phone = number, .active = active, .source = "test", .actor = "test", .at = box.now}); });
}
std::size_t stored(Box& box) {
    return box.run([](Tx& tx) { return store::list(tx, {.limit = 1000}).size(); });
}

}  // namespace

TEST_CASE("intake: refusals") {
    constexpr auto transactional = MessageClass::transactional, marketing = MessageClass::marketing, reply = MessageClass::reply;
    struct Row {
        std::string name;
        NewMessage message;
        const char* code;
        const char* field;
    };
    auto with_modem = message_of("Hi.");
    with_modem.modem_index = 9;
    const Row rows[] = {
        {"no number", message_of("Hi.", transactional, ""), "bad-number", "to"},
        {"letters", message_of("Hi.", transactional, "call me"), "bad-number", "to"},
        {"too short", message_of("Hi.", transactional, "+1555"), "bad-number", "to"},
        {"premium", message_of("Hi.", transactional, "+19005550100"), "premium-number", "to"},
        {"abroad", message_of("Hi.", transactional, "+447700900123"), "country-not-allowed", "to"},
        {"no text", message_of(""), "empty-text", "text"},
        {"variable", message_of("Hi {first_name}!"), "unreplaced-variable", "text"},
        {"variable in doubled braces", message_of("Hi {{name}}!"), "unreplaced-variable", "text"},
        {"variable after a stray brace", message_of("{ and {x1}"), "unreplaced-variable", "text"},
        {"bubble", message_of("Hi.[BUBBLE]How are you?"), "bubble-in-text", "text"},
        {"bubble in a reply", message_of("Hi.[BUBBLE]You?", reply), "bubble-in-text", "text"},
        {"bubble in small letters", message_of("Hi.[bubble]You?"), "bubble-in-text", "text"},
        {"bubble in mixed letters", message_of("[Bubble]"), "bubble-in-text", "text"},
        {"bubble with blanks", message_of("[a] Hi. [ BUBBLE ]\nYou?"), "bubble-in-text", "text"},
        {"bubble with tabs and a line end", message_of("Hi.[\tBubble\r\n]You?"), "bubble-in-text", "text"},
        {"bubble after an open bracket", message_of("a [ b [BUBBLE]"), "bubble-in-text", "text"},
        {"variable with blanks", message_of("Hi { first_name }!"), "unreplaced-variable", "text"},
        {"variable of two words", message_of("Hi {First Name}!"), "unreplaced-variable", "text"},
        {"variable with a line end", message_of("Hi {\n name\n}!"), "unreplaced-variable", "text"},
        {"variable of a path", message_of("Hi {customer.first-name}!"), "unreplaced-variable", "text"},
        {"variable by its place", message_of("Hi {0}!"), "unreplaced-variable", "text"},
        {"too long", message_of(Box::text_of(11)), "too-many-segments", "text"},
        {"not UTF-8", message_of("\xFF\xFE"), "bad-text", "text"},
        {"no such modem", with_modem, "no-such-modem", "modem_index"},
        {"no consent", message_of("Sale!", marketing), "no-consent", "to"},
        {"reply to nothing", message_of("You are welcome.", reply), "no-inbound", "class"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Box box;
        const auto taken = box.take(row.message);
        REQUIRE(taken.has_error());
        CHECK(taken.error().status == 422);
        CHECK(taken.error().code == row.code);
        CHECK(taken.error().field == row.field);
        CHECK_FALSE(taken.error().message.empty());
        CHECK(stored(box) == 0);
    }
}

TEST_CASE("intake: braces that are no variable") {
    for (const std::string text : {"{}", "{ }", "{:-) hi}", "{-}", "a { b", "50% off, 20%", "[BUBBLES]", "[bub ble]", "BUBBLE", "[ ]",
                                   "a [b] c", "a } b", "{", "{\xC3\xA4}", "if (x) { y; }"}) {
        CAPTURE(text);
        Box box;
        CHECK(box.take(message_of(text)).has_value());
    }
}

TEST_CASE("intake: what a row is made of") {
    Box box;
    auto m = message_of("Hi.", MessageClass::transactional, "(555) 010-0123");
    m.key = "order-1";
    m.priority = 71.5;
    m.flash = true;
    m.report = false;
    m.on_unknown = OnUnknown::resend;
    m.due_at = box.now + 1h;
    m.expire_after = 2h;
    m.campaign_name = "winback-nov";
    const auto row = box.row(box.add(m));
    CHECK(row.phone_number == phone);
    CHECK(row.key == "order-1");
    CHECK(row.priority == 71.5);
    CHECK(row.flash);
    CHECK_FALSE(row.report_wanted);
    CHECK(row.on_unknown == OnUnknown::resend);
    CHECK(row.due_at == *m.due_at);
    CHECK(row.not_before == *m.due_at);
    CHECK(row.expires_at == *m.due_at + 2h);
    CHECK(row.campaign_name == "winback-nov");
    CHECK(row.timestamp == box.now);
    CHECK(row.encoding == Encoding::gsm7);
    CHECK(row.segments == 1);
    CHECK(row.status == MessageStatus::queued);
    CHECK_FALSE(row.ready);
    CHECK(present(box.env, row).message_hash == message_hash(phone, "Hi."));
    CHECK(present(box.env, row).reason == "not-due");

    struct Row {
        std::string text;
        Encoding encoding;
        int segments;
    };
    for (const Row& r : {Row{"plain", Encoding::gsm7, 1}, Row{"\xD0\x96", Encoding::ucs2, 1}}) {
        CAPTURE(r.text);
        const auto made = box.row(box.add(r.text));
        CHECK(made.encoding == r.encoding);
        CHECK(made.segments == r.segments);
        CHECK(made.parts.size() == static_cast<std::size_t>(r.segments));
    }
    CHECK(box.row(box.add(Box::text_of(10))).parts.size() == 10);
}

TEST_CASE("intake: keys") {
    Box box;
    auto m = message_of("Hi.");
    m.key = "k-1";
    const auto first = box.take(m);
    REQUIRE(first.has_value());
    CHECK(first->created);
    struct Row {
        std::string name;
        const char* to;
        std::string text;
        bool same;
    };
    for (const Row& row : {Row{"again", "+15550100123", "Hi.", true}, Row{"written otherwise", "555-010-0123", "Hi.", true},
                           Row{"other text", "+15550100123", "Ho.", false}, Row{"other number", "+15550100124", "Hi.", false}}) {
        CAPTURE(row.name);
        auto again = message_of(row.text, MessageClass::transactional, row.to);
        again.key = "k-1";
        const auto taken = box.take(again);
        REQUIRE(taken.has_value() == row.same);
        if (taken) {
            CHECK_FALSE(taken->created);
            CHECK(taken->row.id == first->row.id);
        } else {
            CHECK(taken.error().status == 409);
            CHECK(taken.error().code == "key-in-use");
            CHECK(taken.error().field == "key");
            CHECK(taken.error().existing == first->row.id);
        }
        CHECK(stored(box) == 1);
    }
    // a known key is answered even when the queue is full, the number opted out, or the message sent
    box.settle(0, Box::accepted(box.must_submit(0).token, 1));
    box.take_in(inbound("STOP")[0]);
    box.env.config.gateway.queue_limit = 0;
    const auto taken = box.take(m);
    REQUIRE(taken.has_value());
    CHECK_FALSE(taken->created);
    CHECK(taken->row.status == MessageStatus::sent);
}

TEST_CASE("intake: duplicates by class, key and window") {
    constexpr auto transactional = MessageClass::transactional, marketing = MessageClass::marketing;
    struct Row {
        std::string name;
        MessageClass message_class;
        bool keyed;
        std::chrono::milliseconds later;
        const char* to;
        std::string text;
        bool duplicate;
        std::chrono::milliseconds window = 24h;
    };
    const Row rows[] = {
        {"marketing", marketing, false, 1h, "+15550100123", "Same.", true},
        {"marketing, whatever the key", marketing, true, 1h, "+15550100123", "Same.", true},
        {"marketing, window over", marketing, false, 24h + 1ms, "+15550100123", "Same.", false},
        {"marketing, off", marketing, false, 1h, "+15550100123", "Same.", false, 0s},
        {"marketing, other text", marketing, false, 1h, "+15550100123", "Other.", false},
        {"marketing, other number", marketing, false, 1h, "+15550100124", "Same.", false},
        {"transactional", transactional, false, 1h, "+15550100123", "Same.", true},
        {"transactional with a key", transactional, true, 1h, "+15550100123", "Same.", false},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Box box;
        box.env.config.send.duplicate_window = row.window;
        consent(box);
        consent(box, other_phone);
        const auto first = box.add(message_of("Same.", row.message_class));
        box.now += row.later;
        auto second = message_of(row.text, row.message_class, row.to);
        if (row.keyed) second.key = "k-2";
        const auto taken = box.take(second);
        REQUIRE(taken.has_error() == row.duplicate);
        if (taken) continue;
        CHECK(taken.error().status == 409);
        CHECK(taken.error().code == "duplicate");
        CHECK(taken.error().existing == first);
    }
}

TEST_CASE("intake: what failed is no duplicate") {
    Box box;
    const auto first = box.add();
    box.settle(0, Box::refused(box.must_submit(0).token, 1));
    REQUIRE(box.status(first) == "failed");
    CHECK(box.take(message_of("Your order is ready.")).has_value());
}

TEST_CASE("intake: queue limit") {
    Box box;
    box.env.config.gateway.queue_limit = 3;
    box.add("1");
    box.add("2");
    box.must_submit(0);  // in flight: still open
    box.add("3");
    const auto taken = box.take(message_of("4"));
    REQUIRE(taken.has_error());
    CHECK(taken.error().status == 503);
    CHECK(taken.error().code == "queue-full");
    CHECK(stored(box) == 3);
}

TEST_CASE("intake: consent and opt-out") {
    Box box;
    auto m = message_of("Sale!", MessageClass::marketing);
    SUBCASE("consent with the message") {
        m.consent = true;
        REQUIRE(box.take(m).has_value());
        const auto known = box.run([](Tx& tx) { return store::find_consent(tx, phone); });
        REQUIRE(known.has_value());
        CHECK(known->active);
    }
    SUBCASE("revoked") {
        consent(box, phone, false);
        CHECK(box.take(m).error().code == "no-consent");
    }
    SUBCASE("what is on record stays, with its text; a message that says the same adds nothing") {
        box.run([&](Tx& tx) {
            store::set_consent(tx,
                               {.phone = phone, .active = true, .source = "web", .shown = "I agree", .actor = "form", .at = box.now - 24h});
        });
        m.consent = true;
        for (const char* text : {"Sale!", "Another sale!"}) {
            m.text = text;
            REQUIRE(box.take(m).has_value());
        }
        const auto known = box.run([](Tx& tx) { return store::find_consent(tx, phone); });
        CHECK(known->shown == "I agree");
        CHECK(known->source == "web");
        CHECK(known->at == box.now - 24h);
        const auto lines = box.run([](Tx& tx) {
            store::Rows q = tx.query("SELECT count(*) FROM audit WHERE action = 'consent'");
            return q.next() ? q.i64(0) : -1;
        });
        CHECK(lines == 1);
    }
    SUBCASE("a revocation here ends with a caller's word, not with Supabase's") {
        consent(box, phone, false);
        m.consent = true;
        m.scheduled_message_id = 4211;
        CHECK(box.take(m).error().code == "no-consent");
        m.scheduled_message_id.reset();
        REQUIRE(box.take(m).has_value());
        CHECK(box.run([](Tx& tx) { return store::find_consent(tx, phone); })->source == "api");
    }
    SUBCASE("Supabase's word where nothing is on record") {
        m.consent = true;
        m.scheduled_message_id = 4211;
        REQUIRE(box.take(m).has_value());
        CHECK(box.run([](Tx& tx) { return store::find_consent(tx, phone); })->source == "supabase");
    }
    SUBCASE("not required") {
        box.env.config.opt_out.require_consent = false;
        CHECK(box.take(m).has_value());
    }
    SUBCASE("an opt-out stands above a consent") {
        consent(box);
        box.take_in(inbound("STOP")[0]);
        m.consent = true;
        CHECK(box.take(m).error().code == "opted-out");
        CHECK(box.take(message_of("Order.")).error().code == "opted-out");
        box.now += 1min;
        box.take_in(inbound("START", phone, 2)[0]);
        CHECK(box.take(message_of("Order.")).has_value());
    }
    SUBCASE("consent is asked again at the release") {
        consent(box);
        const auto id = box.add(m);
        consent(box, phone, false);
        CHECK_FALSE(box.submit(0).has_value());
        CHECK(box.status(id) == "suppressed");
        CHECK(box.reason(id) == "no-consent");
    }
}

TEST_CASE("intake: replies need an inbound message of the last seven days") {
    struct Row {
        std::string name;
        std::chrono::milliseconds later;
        const char* to;
        bool linked;
        bool taken;
    };
    const Row rows[] = {
        {"found by itself", 1h, "+15550100123", false, true},        {"linked", 1h, "+15550100123", true, true},
        {"last moment", 24h * 7 - 1ms, "+15550100123", false, true}, {"too late", 24h * 7, "+15550100123", false, false},
        {"linked, too late", 24h * 7, "+15550100123", true, false},  {"another number", 1h, "+15550100124", false, false},
        {"another number, linked", 1h, "+15550100124", true, false},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Box box;
        const auto inbound_id = *box.take_in(inbound("Are you open?")[0]).message;
        box.now += row.later;
        auto m = message_of("Yes {smile}.", MessageClass::reply, row.to);
        if (row.linked) m.in_reply_to = inbound_id;
        const auto taken = box.take(m);
        REQUIRE(taken.has_value() == row.taken);
        if (taken) {
            CHECK(taken->row.in_reply_to == inbound_id);
        } else {
            CHECK(taken.error().status == 422);
            CHECK(taken.error().code == "no-inbound");
        }
    }
    Box box;  // a message of ours is nothing to reply to
    const auto own = box.sent(1);
    auto m = message_of("Yes.", MessageClass::reply);
    m.in_reply_to = own;
    CHECK(box.take(m).error().code == "no-inbound");
}
