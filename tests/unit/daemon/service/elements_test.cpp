// Refusals that are about an optional element of the TPDU.
#include "daemon/dispatch/elements.hpp"

#include "tests/unit/daemon/service/box.hpp"

using namespace conductor;
using namespace conductor::service;
using namespace conductor::service::test;
using dispatch::Elements;

namespace {

MessageId add_flash(Box& box, std::string to = phone) {
    NewMessage m;
    m.to = std::move(to);
    static int orders = 0;
    m.text = "Your order " + std::to_string(++orders) + " is ready.";
    m.message_class = MessageClass::transactional;
    m.flash = true;
    return box.add(m);
}

std::string elements_of(const pdu::Submit& submit) {
    unsigned bits = 0;
    if (submit.report_request) bits |= Elements::report;
    if (!std::holds_alternative<pdu::NoValidity>(submit.validity)) bits |= Elements::validity;
    if (submit.dcs.message_class) bits |= Elements::message_class;
    return Elements{bits}.text();
}

}  // namespace

TEST_CASE("elements: words and what a refusal may be about") {
    CHECK(Elements{7}.text() == "report,validity,class");
    CHECK(Elements{}.text().empty());
    for (unsigned bits = 0; bits < 8; ++bits) CHECK(Elements::of_text(Elements{bits}.text()) == Elements{bits});
    CHECK(Elements::of_text("class,colour,,report") == Elements{5});
    CHECK(dispatch::blamed_by("cms-145") == Elements{Elements::message_class});
    CHECK(dispatch::blamed_by("cms-38").empty());
    CHECK(dispatch::blamed_by("cme-69").empty());
    CHECK(dispatch::blamed_by("").empty());
}

TEST_CASE("elements: a part that is refused for an optional element goes out at once without it, and the SIM's next ones too") {
    struct Row {
        int cms;
        const char* left;    ///< of "report,validity,class" in the second submission
        const char* status;  ///< once that one is accepted
    };
    const Row rows[] = {{69, "class", "sent"},
                        {99, "", "sent"},
                        {145, "report,validity", "sent"},
                        {198, "report,class", "sent"},
                        {199, "report,class", "sent"}};
    for (const Row& row : rows) {
        CAPTURE(row.cms);
        Box box;
        const auto id = add_flash(box);
        auto sent = box.must_submit(0);
        CHECK(elements_of(sent.tpdu) == "report,validity,class");
        const auto answer = box.pick(0, Box::refused(sent.token, row.cms));
        const auto second = Box::sent_of(answer, 0);
        REQUIRE(second.has_value());
        CHECK(second->message == id);
        CHECK(elements_of(second->tpdu) == row.left);
        CHECK_FALSE(answer.refused.has_value());  // no strike against the SIM
        CHECK(box.row(id).attempts_used == 0);
        box.settle(0, Box::accepted(second->token, 5));
        CHECK(box.status(id) == row.status);
        const bool reports = std::string_view{row.left}.starts_with("report");
        CHECK(to_string(box.row(id).delivery_status) == (reports ? "pending" : "none"));

        const auto next = add_flash(box, other_phone);
        sent = box.must_submit(0);
        CHECK(sent.message == next);
        CHECK(elements_of(sent.tpdu) == row.left);  // at once, without an attempt
        box.settle(0, Box::accepted(sent.token, 6));
        add_flash(box, other_phone);
        CHECK(elements_of(box.must_submit(1).tpdu) == "report,validity,class");  // another SIM
        box.now += std::chrono::hours{24 * 31};
        add_flash(box);
        CHECK(elements_of(box.must_submit(0).tpdu) == "report,validity,class");  // tried again after a month
    }
}

TEST_CASE("elements: once; where leaving them out does not help, the refusal counts and nothing is remembered") {
    for (const int cms : {69, 99, 145, 198, 199}) {
        CAPTURE(cms);
        Box box;
        const auto id = add_flash(box);
        const auto first = box.must_submit(0);
        const auto second = Box::sent_of(box.pick(0, Box::refused(first.token, cms)), 0);
        REQUIRE(second.has_value());
        const auto answer = box.pick(0, Box::refused(second->token, cms));
        CHECK_FALSE(answer.submission.has_value());
        CHECK(answer.refused.has_value());
        CHECK(box.status(id) == "failed");
        CHECK(box.reason(id) == "cms-" + std::to_string(cms));
        add_flash(box, other_phone);
        CHECK(elements_of(box.must_submit(0).tpdu) == "report,validity,class");
    }
}

TEST_CASE("elements: an outcome that is not known is never submitted again for their sake") {
    Box box;
    const auto id = add_flash(box);
    auto open = Box::ambiguous(box.must_submit(0).token, "cms-69");
    open.cms = 332;
    CHECK_FALSE(box.pick(0, open).submission.has_value());
    CHECK(box.status(id) == "unknown");
}
