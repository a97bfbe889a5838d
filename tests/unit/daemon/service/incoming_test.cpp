// What arrives: stored once, joined, and obeyed.
#include "daemon/dispatch/opt_out.hpp"
#include "tests/unit/daemon/service/box.hpp"

using namespace conductor;
using namespace conductor::service;
using namespace conductor::service::test;

namespace {

std::vector<MessageRow> inbox(Box& box) {
    auto rows = box.run([&](Tx& tx) { return store::list(tx, {.direction = Direction::inbound}); });
    std::reverse(rows.begin(), rows.end());
    return rows;
}
std::vector<std::string> texts(Box& box) {
    std::vector<std::string> out;
    for (const auto& row : inbox(box)) out.push_back(row.content);
    return out;
}
std::vector<MessageRow> outbox(Box& box) {
    return box.run([&](Tx& tx) { return store::list(tx, {.direction = Direction::outbound}); });
}
std::int64_t raw_rows(Box& box, int state) {
    return box.run([&](Tx& tx) {
        store::Rows q = tx.query("SELECT count(*) FROM incoming WHERE state = ?", state);
        return q.next() ? q.i64(0) : -1;
    });
}
std::vector<Arrived> give_up(Box& box) {
    return box.run([&](Tx& tx) { return give_up_parts(tx, box.env, box.now - Limits::reassembly, box.now, 100); });
}

}  // namespace

TEST_CASE("incoming: a message as it is stored") {
    Box box;
    const auto sent = box.sent(1);
    const auto arrived = box.take_in(inbound("Gr\xC3\xBC\xC3\x9F Gott!")[0], 1);
    CHECK_FALSE(arrived.duplicate);
    CHECK_FALSE(arrived.undecodable);
    CHECK_FALSE(arrived.wants_sending);
    REQUIRE(arrived.message.has_value());
    const auto row = box.row(*arrived.message);
    CHECK(row.direction == Direction::inbound);
    CHECK(row.status == MessageStatus::unread);
    CHECK(row.phone_number == phone);
    CHECK(row.content == "Gr\xC3\xBC\xC3\x9F Gott!");
    CHECK(row.timestamp == box.now);
    CHECK(row.modem_timestamp == *parse_rfc3339("2026-11-24T18:00:00Z"));
    CHECK(row.modem_index == 1);
    CHECK(row.iccid == Box::iccid_of(1));
    CHECK(row.in_reply_to == sent);
    CHECK(raw_rows(box, 1) == 1);
}

TEST_CASE("incoming: the same PDU twice is one message") {
    Box box;
    const auto hex = inbound("Once.")[0];
    std::string flagged = hex;  // TP-MMS: what a network sets on a repetition
    const std::size_t first = 2 + 2 * static_cast<std::size_t>(std::stoi(hex.substr(0, 2), nullptr, 16));
    flagged[first + 1] = flagged[first + 1] == '4' ? '0' : '4';
    struct Row {
        std::string name;
        std::string hex;
        ModemIndex modem;
        bool duplicate;
    };
    const Row rows[] = {{"first", hex, 0, false},
                        {"read again from the storage", hex, 0, true},
                        {"moved to another modem", hex, 1, true},
                        {"other flags in its first octet", flagged, 0, true},
                        {"the same text a second later", inbound("Once.", phone, 1)[0], 0, false},
                        {"the same text of another number", inbound("Once.", other_phone)[0], 0, false}};
    std::size_t messages = 0;
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const auto arrived = box.take_in(row.hex, row.modem);
        CHECK(arrived.duplicate == row.duplicate);
        CHECK(arrived.message.has_value() == !row.duplicate);
        messages += !row.duplicate;
        CHECK(inbox(box).size() == messages);
    }
}

TEST_CASE("incoming: parts in any order make one message") {
    const std::string text = Box::text_of(2) + "The end.";
    const auto parts = inbound(text);
    REQUIRE(parts.size() == 3);
    std::vector<std::size_t> order = {0, 1, 2};
    do {
        CAPTURE(order[0]);
        CAPTURE(order[1]);
        Box box;
        for (std::size_t n = 0; n < 3; ++n) {
            CHECK(box.take_in(parts[order[n]], static_cast<int>(n % 2)).message.has_value() == (n == 2));
            if (n < 2) CHECK(box.take_in(parts[order[n]]).duplicate);
        }
        REQUIRE(texts(box) == std::vector<std::string>{text});
        CHECK(inbox(box)[0].segments == 3);
        CHECK(raw_rows(box, 0) == 0);
    } while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE("incoming: an emoji that is split across two parts") {
    // 67 units a part: the pair of U+1F600 stands at 66 and 67
    std::string text;
    for (int n = 0; n < 66; ++n) text += "\xD0\x96";
    std::vector<std::string> parts;
    for (int seq : {1, 2}) {
        pdu::Deliver deliver;
        deliver.from = pdu::address_of(phone);
        deliver.dcs = pdu::parse_dcs(pdu::make_dcs(pdu::Alphabet::ucs2));
        deliver.time = stamp(seq);
        deliver.data.udh = {{0x00, {9, 2, static_cast<std::uint8_t>(seq)}}};
        deliver.data.units.assign(seq == 1 ? 66 : 0, 0x0416);
        deliver.data.units.push_back(seq == 1 ? 0xD83D : 0xDE00);
        parts.push_back(hex_of(deliver));
    }
    for (const bool reversed : {false, true}) {
        Box box;
        box.take_in(parts[reversed ? 1 : 0]);
        box.take_in(parts[reversed ? 0 : 1]);
        CHECK(texts(box) == std::vector<std::string>{text + "\xF0\x9F\x98\x80"});
        CHECK(inbox(box)[0].encoding == Encoding::ucs2);
    }
}

TEST_CASE("incoming: sets that must not be mixed") {
    const std::string long_text = std::string(200, 'x') + "A.", other_text = std::string(200, 'x') + "B.";
    struct Row {
        std::string name;
        std::vector<std::string> first, second;
    };
    const Row rows[] = {
        {"another sender", inbound(long_text), inbound(other_text, other_phone)},
        {"another reference", inbound(long_text), inbound(other_text, phone, 0, 8)},
        {"a 16-bit reference of the same number", inbound(long_text), inbound(other_text, phone, 0, 7, true)},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Box box;
        box.take_in(row.first[0]);
        box.take_in(row.second[0]);
        CHECK(inbox(box).empty());
        box.take_in(row.second[1]);
        box.take_in(row.first[1]);
        CHECK(texts(box) == std::vector<std::string>{other_text, long_text});
    }
}

TEST_CASE("incoming: a reference is used again after its set was joined") {
    Box box;
    const std::string first = std::string(200, 'x') + "A.", second = std::string(200, 'x') + "B.";
    for (const auto& hex : inbound(first, phone, 1)) box.take_in(hex);
    for (const auto& hex : inbound(second, phone, 2)) box.take_in(hex);
    CHECK(texts(box) == std::vector<std::string>{first, second});
}

TEST_CASE("incoming: a reference is used again after a part of its set was lost") {
    Box box;
    const std::string old = std::string(200, 'x') + "A.", young = std::string(200, 'x') + "B.";
    const auto a = inbound(old, phone, 0, 7, false, 0), b = inbound(young, phone, 0, 7, false, 11);
    box.take_in(a[0]);
    box.now += 11min;
    box.take_in(b[1]);
    CHECK(texts(box).empty());
    box.take_in(b[0]);
    CHECK(texts(box) == std::vector<std::string>{young});
    box.now += 2h;
    box.run([&](Tx& tx) { give_up_parts(tx, box.env, box.now - 1h, box.now, 100); });
    CHECK(texts(box).size() == 2);
    CHECK(box.run([&](Tx& tx) { return store::stale_parts(tx, box.now, 1); }).empty());
}

TEST_CASE("incoming: what cannot be decoded is kept as it came") {
    Box box;
    for (const std::string hex : {"0011", "ZZ", "07915155"}) {
        CAPTURE(hex);
        const auto arrived = box.take_in(hex);
        CHECK(arrived.undecodable);
        CHECK_FALSE(arrived.duplicate);
        CHECK_FALSE(arrived.message.has_value());
        const bool kept = box.run([&](Tx& tx) { return tx.query("SELECT 1 FROM incoming WHERE hex = ? AND state = 2", hex).next(); });
        CHECK(kept);
        CHECK(box.take_in(hex).duplicate);
    }
    // shown to people with its octets; no bot is given it, and no opt-out follows from it
    const auto shown = inbox(box);
    REQUIRE(shown.size() == 3);
    for (const auto& row : shown) {
        CHECK(row.reason == "undecodable");
        CHECK(row.status == MessageStatus::unread);
        CHECK(row.content.empty());
    }
    CHECK(shown.front().reason_text.value_or("").find("0011") != std::string::npos);
    CHECK(box.run([&](Tx& tx) { return store::claim_unread(tx, "bot", box.now, box.now + 1min, 10); }).empty());
}

TEST_CASE("incoming: a compressed text says so, and keeps its octets") {
    Box box;
    const std::string head = "0B915155100021F300206211128130422B";
    box.take_in("0004" + head + "05E8329BFD06");
    box.take_in("0044" + head + "09050003AA0202FD0611");
    box.take_in("0044" + head + "09050003AA0201E8329B");
    const auto shown = inbox(box);
    REQUIRE(shown.size() == 2);
    for (const auto& row : shown) {
        CHECK(row.reason == "compressed");
        CHECK(row.content.empty());
        CHECK(row.phone_number == "+15550100123");
    }
    CHECK(shown[0].reason_text.value_or("").ends_with(": E8329BFD06"));
    CHECK(shown[1].reason_text.value_or("").ends_with(": E8329BFD0611"));
}

TEST_CASE("incoming: U+0000 in a text") {
    Box box;
    // TP-DCS 08, TP-UDL 6: "a", U+0000, "b"
    const auto arrived = box.take_in(
        "00040B915155100132F4000862111101010140"
        "06"
        "006100000062");
    REQUIRE(arrived.message.has_value());
    CHECK(box.row(*arrived.message).content ==
          "a\xEF\xBF\xBD"
          "b");
}

TEST_CASE("incoming: parts that do not come are shown as gaps") {
    Box box;
    const auto parts = inbound(Box::text_of(2) + "The end.");
    box.take_in(parts[0]);
    box.now += 30min;
    box.take_in(parts[2]);
    box.now += Limits::reassembly - 1ms;
    CHECK(give_up(box).empty());  // the newest part is not that old
    box.now += 2ms;
    const auto given = give_up(box);
    REQUIRE(given.size() == 1);
    CHECK(texts(box) == std::vector<std::string>{Box::text_of(1) + "[\xE2\x80\xA6]" + "The end."});
    CHECK(inbox(box)[0].reason == "parts-missing");
    CHECK(raw_rows(box, 0) == 0);
    CHECK(give_up(box).empty());
}

TEST_CASE("incoming: alphanumeric and short senders") {
    Box box;
    pdu::Deliver deliver;
    deliver.from = {"Example", pdu::Ton::alphanumeric, 0};
    deliver.time = stamp(1);
    deliver.data.text = "STOP";
    box.take_in(hex_of(deliver));
    deliver.from = {"12345", pdu::Ton::unknown, 1};
    deliver.data.text = "Your code is 1.";
    box.take_in(hex_of(deliver));
    const auto rows = inbox(box);
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].phone_number == "Example");
    CHECK(rows[1].phone_number == "12345");
    CHECK(outbox(box).empty());  // a name cannot be answered
}

TEST_CASE("incoming: STOP, START, HELP") {
    Box box;
    const auto confirm = "Example Shop: you are unsubscribed and get no more messages. Reply START to resume.";
    const auto resumed = "Example Shop: you are subscribed again. Reply STOP to end.";
    const auto help = "Example Shop: reply STOP to end.";
    struct Row {
        std::string text;
        bool out;            ///< afterwards
        const char* answer;  ///< or none
    };
    const Row rows[] = {
        {"Thanks!", false, nullptr}, {"HELP", false, help},     {"help", false, nullptr},
        {"START", false, nullptr},   {"stop", true, confirm},   {" Stop. ", true, nullptr},
        {"START", false, resumed},   {"START", false, nullptr}, {"UNSUBSCRIBE", true, confirm},
    };
    int second = 0;
    for (const Row& row : rows) {
        CAPTURE(row.text);
        CAPTURE(second);
        const auto before = outbox(box).size();
        box.now += 1min;
        const auto arrived = box.take_in(inbound(row.text, phone, ++second)[0], 1);
        REQUIRE(arrived.message.has_value());  // a wish is a message too
        CHECK(arrived.wants_sending == (row.answer != nullptr));
        const auto out = box.run([&](Tx& tx) { return store::find_opt_out(tx, phone); });
        CHECK((out && out->active) == row.out);
        const auto after = outbox(box);
        REQUIRE(after.size() == before + (row.answer ? 1 : 0));
        if (!row.answer) continue;
        CHECK(after[0].content == row.answer);
        CHECK(after[0].message_class == MessageClass::reply);
        CHECK(after[0].in_reply_to == *arrived.message);
        CHECK_FALSE(box.submit(0).has_value());  // it goes out through the SIM that was written to
        const auto sent = box.must_submit(1);
        CHECK(sent.message == after[0].id);
        CHECK(sent.tpdu.data.text == row.answer);
        box.settle(1, Box::accepted(sent.token, second));
    }
}

TEST_CASE("incoming: a START that was written before the STOP on record comes too late, a STOP never does") {
    Box box;
    const auto out = [&] {
        const auto known = box.run([&](Tx& tx) { return store::find_opt_out(tx, phone); });
        return known && known->active;
    };
    const auto take = [&](const char* text, int minute) {  // of the service centre's clock
        box.now += 1s;
        return box.take_in(inbound(text, phone, 0, 7, false, minute)[0]);
    };
    box.now += 24h * 3;  // all of it lay somewhere since
    take("STOP", 30);
    CHECK(out());
    CHECK(take("START", 31).wants_sending);
    CHECK_FALSE(out());
    CHECK(take("STOP", 20).wants_sending);
    CHECK(out());
    take("STOP", 50);
    const auto late = take("START", 45);
    CHECK(late.message.has_value());
    CHECK_FALSE(late.wants_sending);
    CHECK(out());
    box.run([&](Tx& tx) {
        store::set_opt_out(tx, {.phone = phone, .active = true, .reason = "asked on the phone", .actor = "staff", .at = box.now});
    });
    CHECK_FALSE(take("START", 59).wants_sending);
    CHECK(out());
}

TEST_CASE("incoming: two gateways do not talk for ever") {
    Box box;
    int answers = 0;
    for (int n = 0; n < 40; ++n) {
        box.now += 1min;
        answers += box.take_in(inbound(n % 2 ? "START" : "STOP", phone, n % 60)[0]).wants_sending;
    }
    CHECK(answers == dispatch::AnswerHistory::most_a_day);
}

TEST_CASE("incoming: an opt-out suppresses what waits") {
    Box box;
    box.run([&](Tx& tx) { store::set_consent(tx, {.phone = phone, .active = true, .source = "test", .actor = "test", .at = box.now}); });
    NewMessage m;
    m.to = phone;
    m.text = "Sale!";
    m.due_at = box.now + 1h;
    const auto marketing = box.add(m);
    const auto transactional = box.add("Order.");
    const auto begun = box.add(Box::text_of(2));
    const auto elsewhere = box.add("Order.", other_phone);
    {
        auto row = box.row(begun);
        row.priority = 99;
        box.run([&](Tx& tx) { tx.run("UPDATE messages SET priority = 99 WHERE id = ?", begun); });
    }
    box.settle(0, Box::accepted(box.must_submit(0).token, 1));
    REQUIRE(box.parts(begun) == "1:sent 2:waiting");
    box.take_in(inbound("A question")[0]);
    NewMessage r;
    r.to = phone;
    r.text = "An answer.";
    r.message_class = MessageClass::reply;
    const auto reply = box.add(r);
    box.told();

    box.now += 1min;
    const auto arrived = box.take_in(inbound("STOP", phone, 9)[0]);
    CHECK(box.status(marketing) == "suppressed");
    CHECK(box.reason(marketing) == "opted-out");
    CHECK(box.status(transactional) == "suppressed");
    CHECK(box.status(begun) == "queued");
    CHECK(box.status(elsewhere) == "queued");
    CHECK(box.status(reply) == "queued");
    CHECK(arrived.changed.size() == 2);
    CHECK(box.told() == std::vector<std::string>{"opt_out", "suppressed/none", "suppressed/none", "inbound"});
    // a reply to what came before the opt-out does not go out any more; the confirmation does
    std::vector<MessageId> out;
    while (const auto sent = box.submit(0)) {
        out.push_back(sent->message);
        box.settle(0, Box::accepted(sent->token, 50 + static_cast<int>(out.size())));
    }
    CHECK(box.status(reply) == "suppressed");
    CHECK(box.status(begun) == "sent");
    CHECK(box.status(elsewhere) == "sent");
    CHECK(out.size() == 3);
    NewMessage late;
    late.to = phone;
    late.text = "Another order.";
    late.message_class = MessageClass::transactional;
    const auto refused = box.take(late);
    REQUIRE(refused.has_error());
    CHECK(refused.error().code == "opted-out");
}

TEST_CASE("incoming: a reply answers what came after the opt-out, and nothing else") {
    struct Row {
        std::string name;
        std::vector<const char*> texts;  ///< come in one after the other, a minute apart; "operator" is an opt-out by hand
        int answers;                     ///< which of them the reply names, by its place; -1: none is named
        bool allowed;
    };
    const Row rows[] = {
        {"nothing came after STOP", {"STOP"}, -1, false},
        {"the STOP itself", {"STOP"}, 0, false},
        {"the STOP, though more came", {"STOP", "Where is my order?"}, 0, false},
        {"what came before it", {"Are you open?", "STOP"}, 0, false},
        {"a revocation in free words", {"Stop texting me"}, -1, false},
        {"the same, named", {"Stop texting me"}, 0, false},
        {"what came after it", {"STOP", "Where is my order?"}, -1, true},
        {"the same, named", {"STOP", "Where is my order?"}, 1, true},
        {"STOP again", {"STOP", "Where is my order?", "Stop!"}, -1, false},
        {"STOP again ends what was said in between", {"STOP", "Where is my order?", "Stop!"}, 1, false},
        {"by hand, nothing came", {"Are you open?", "operator"}, -1, false},
        {"by hand, something came", {"Are you open?", "operator", "Hello?"}, -1, true},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Box box;
        std::vector<MessageId> came;
        bool by_hand = false;
        for (const std::string text : row.texts) {
            box.now += 1min;
            by_hand = by_hand || text == "operator";
            const store::OptOutRow by_phone{.phone = phone, .active = true, .reason = "phone call", .actor = "uid:0", .at = box.now};
            if (text == "operator")
                box.run([&](Tx& tx) { store::set_opt_out(tx, by_phone); });
            else
                came.push_back(*box.take_in(inbound(text, phone, static_cast<int>(came.size()))[0]).message);
        }
        NewMessage m;
        m.to = phone;
        m.text = "Buy our shoes.";
        m.message_class = MessageClass::reply;
        if (row.answers >= 0) m.in_reply_to = came[static_cast<std::size_t>(row.answers)];
        box.now += 1s;
        const auto taken = box.take(m);
        REQUIRE(taken.has_value() == row.allowed);
        if (!taken) CHECK(taken.error().code == "opted-out");
        std::vector<std::string> out;
        while (const auto sent = box.submit(0)) {
            out.push_back(sent->tpdu.data.text);
            box.settle(0, Box::accepted(sent->token, static_cast<int>(out.size())));
        }
        CHECK(std::ranges::count(out, m.text) == (row.allowed ? 1 : 0));
        CHECK(out.size() == (row.allowed ? 1U : 0U) + (by_hand ? 0 : 1));  // the confirmation
    }
    // taken while it was allowed, and STOP came again before it left
    Box box;
    box.take_in(inbound("STOP")[0]);
    box.now += 1min;
    box.take_in(inbound("Where is my order?", phone, 1)[0]);
    NewMessage m;
    m.to = phone;
    m.text = "At your door.";
    m.message_class = MessageClass::reply;
    const auto id = box.add(m);
    box.now += 1min;
    box.take_in(inbound("STOP", phone, 2)[0]);
    while (const auto sent = box.submit(0)) box.settle(0, Box::accepted(sent->token, 1));
    CHECK(box.status(id) == "suppressed");
    CHECK(box.reason(id) == "opted-out");
}

TEST_CASE("incoming: what is in flight when STOP comes is not sent a second time") {
    Box box;
    const auto id = box.add();
    const auto sent = box.must_submit(0);
    box.take_in(inbound("STOP")[0]);
    CHECK(box.status(id) == "sending");
    box.settle(0, Box::refused(sent.token, 41));
    box.now += 1min;
    const auto next = box.must_submit(0);
    CHECK(next.message != id);  // the confirmation
    CHECK(box.status(id) == "queued");
    box.settle(0, Box::accepted(next.token, 2));
    CHECK_FALSE(box.submit(0).has_value());
    CHECK(box.status(id) == "suppressed");
}

TEST_CASE("incoming: a revocation in free words is flagged for review") {
    Box box;
    const auto arrived = box.take_in(inbound("Please stop texting me")[0]);
    CHECK(arrived.wants_sending);
    const auto out = box.run([&](Tx& tx) { return store::find_opt_out(tx, phone); });
    REQUIRE(out.has_value());
    CHECK(out->reason == "free-text");
    CHECK(box.row(*arrived.message).reason == "free-text");  // in the inbox, and in Supabase
    for (const auto& body : box.told_bodies()) {
        if (body.contains("content")) CHECK(body.value("metadata", nlohmann::json::object()).value("review", "") == "free-text");
    }
    for (const char* text : {"STOP", "Where is my order?"}) {
        CHECK_FALSE(box.row(*box.take_in(inbound(text, other_phone)[0]).message).reason.has_value());
        CHECK(box.told_bodies().back().contains("metadata") == false);
    }
    const bool flagged =
        box.run([&](Tx& tx) { return tx.query("SELECT 1 FROM audit WHERE action = 'review' AND target = ?", phone).next(); });
    CHECK(flagged);
}

TEST_CASE("incoming: incomplete sets with one reference are all shown") {
    Box box;
    const auto a = inbound(std::string(200, 'a')), b = inbound(std::string(400, 'b'), phone, 1);
    box.take_in(a[0]);
    box.take_in(b[0]);
    box.take_in(b[2]);
    box.now += 2h;
    box.run([&](Tx& tx) { give_up_parts(tx, box.env, box.now - 1h, box.now, 100); });
    box.run([&](Tx& tx) { give_up_parts(tx, box.env, box.now - 1h, box.now, 100); });
    const auto rows = box.run([&](Tx& tx) { return store::list(tx, {.direction = Direction::inbound}); });
    CHECK(rows.size() == 2);
}

TEST_CASE("incoming: a STOP from abroad is confirmed") {
    Box box;
    const auto arrived = box.take_in(inbound("STOP", "+525512345678")[0]);
    CHECK(arrived.wants_sending);
    CHECK(box.submit(0).has_value());
}

TEST_CASE("incoming: undecodable PDUs are kept each") {
    Box box;
    for (const std::string hex : {"0011", "00AB", "0791515500000000F0"}) {
        CAPTURE(hex);
        CHECK_FALSE(box.take_in(hex).duplicate);
    }
}

TEST_CASE("incoming: what shares a second and half of its hash with another is told apart by its octets") {
    Box box;
    const auto hex = inbound("Hello there")[0];
    REQUIRE(box.take_in(hex).message.has_value());
    box.run([&](Tx& tx) { tx.run("UPDATE incoming SET hex = ?", inbound("Another one")[0]); });  // as if that had come first
    CHECK_FALSE(box.take_in(hex).duplicate);
    CHECK(box.take_in(hex).duplicate);
}
