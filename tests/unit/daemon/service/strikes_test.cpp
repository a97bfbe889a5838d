// A refusal that may be about the number counts against the number, whichever message met it.
#include "tests/unit/daemon/service/box.hpp"

using namespace conductor;
using namespace conductor::service;
using namespace conductor::service::test;

TEST_CASE("cms-38: three strikes are the number's, whatever the message") {
    Box box;
    const auto refuse = [&](MessageId id) {
        const auto sent = box.must_submit(0);
        REQUIRE(sent.message == id);
        box.settle(0, Box::refused(sent.token, 38));
    };
    const auto first = box.add("One.");
    for (int i = 0; i < 3; ++i) {
        REQUIRE(box.status(first) == "queued");
        box.now = std::max(box.now, box.row(first).not_before);
        refuse(first);
    }
    CHECK(box.status(first) == "failed");
    box.now += 10min;
    const auto second = box.add("Two.");
    refuse(second);
    CHECK(box.status(second) == "failed");  // the number had its three
    box.now += 20min;
    const auto other = box.add("Three.", other_phone);
    refuse(other);
    CHECK(box.status(other) == "queued");  // another number has its own
    box.now += 20min;
    while (box.status(other) != "failed") {
        box.now = std::max(box.now, box.row(other).not_before);
        refuse(other);
    }
}

TEST_CASE("cms-38: an accepted message clears the number, and an outage is one strike however many messages it met") {
    Box box;
    box.env.config.send.per_recipient_gap = 0s;
    NewMessage m{.to = phone, .text = "Come in."};
    m.message_class = MessageClass::marketing;
    m.consent = true;
    const auto order = box.add("One."), offer = box.add(m);  // of two classes: neither waits for the other
    for (int i = 0; i < 2; ++i) box.settle(0, Box::refused(box.must_submit(0).token, 38));
    CHECK(box.status(order) == "queued");
    CHECK(box.status(offer) == "queued");
    box.now += 15min;
    for (int i = 0; i < 2; ++i) {
        const auto sent = box.must_submit(0);
        box.settle(0, sent.message == order ? Box::accepted(sent.token, 9) : Box::refused(sent.token, 38));
    }
    CHECK(box.status(order) == "sent");
    CHECK(box.status(offer) == "queued");
    box.now += 1h;
    const auto late = box.add("Five.");
    for (int i = 0; i < 2; ++i) box.settle(0, Box::refused(box.must_submit(0).token, 38));
    CHECK(box.status(late) == "queued");
    CHECK(box.status(offer) == "failed");  // its own third strike
}
