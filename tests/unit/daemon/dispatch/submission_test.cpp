#include "daemon/dispatch/submission.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace conductor;
using namespace conductor::dispatch;

namespace {

using enum PartStatus;

Message message_of(std::vector<PartStatus> parts, MessageStatus status, DeliveryStatus delivery = DeliveryStatus::none,
                   std::string reason = {}) {
    Message m;
    int seq = 0;
    for (const auto part : parts) m.parts.push_back({.seq = ++seq, .status = part});
    m.status = status;
    m.delivery_status = delivery;
    if (!reason.empty()) m.reason = std::move(reason);
    return m;
}
std::vector<PartStatus> parts_of(const Message& m) {
    std::vector<PartStatus> out;
    for (const auto& p : m.parts) out.push_back(p.status);
    return out;
}
std::string text_of(const Message& m) {
    std::string out{to_string(m.status)};
    out += "/" + std::string{to_string(m.delivery_status)} + "/" + m.reason.value_or("-");
    for (const auto& p : m.parts) out += " " + std::string{to_string(p.status)};
    return out;
}

}  // namespace

TEST_CASE("begin_part: journaled, counted, named") {
    Message m = message_of({sent, waiting, waiting}, MessageStatus::queued, DeliveryStatus::none, "waiting-for-modem");
    REQUIRE(waiting_part(m) == &m.parts[1]);
    begin_part(m, 2, 7);
    CHECK(text_of(m) == "sending/none/- sent submitting waiting");
    CHECK(m.parts[1] == Part{.seq = 2, .status = submitting, .tp_mr = {}, .modem_index = 7, .attempts = 1});
    CHECK(m.modem_index == 7);
    CHECK(waiting_part(m) == &m.parts[2]);
    const Message before = m;
    begin_part(m, 9, 1);  // there is no such part
    CHECK(text_of(m) == text_of(before));
    CHECK(m.modem_index == 7);
}

TEST_CASE("settle_part: every way a submission ends") {
    struct Row {
        std::string name;
        std::vector<PartStatus> before;  ///< the submitting one is settled
        After after;
        bool report_wanted;
        std::string want;
    };
    const Row rows[] = {
        {"one part, accepted", {submitting}, After::accepted, true, "sent/pending/- sent"},
        {"no report wanted", {submitting}, After::accepted, false, "sent/none/- sent"},
        {"one part, again", {submitting}, After::again, true, "queued/none/why waiting"},
        {"one part, given up", {submitting}, After::give_up, true, "failed/none/why failed"},
        {"one part, unknown", {submitting}, After::unknown, true, "unknown/pending/why unknown"},
        {"unknown, no report wanted: final", {submitting}, After::unknown, false, "unknown/none/why unknown"},
        {"first of two accepted", {submitting, waiting}, After::accepted, true, "sending/none/- sent waiting"},
        {"first of two unknown: hold goes on", {submitting, waiting}, After::unknown, true, "sending/none/why unknown waiting"},
        {"first of two given up: nothing is out", {submitting, waiting}, After::give_up, true, "failed/none/why failed waiting"},
        {"last accepted", {sent, submitting}, After::accepted, true, "sent/pending/- sent sent"},
        {"last again", {sent, submitting}, After::again, true, "queued/none/why sent waiting"},
        {"last given up", {sent, submitting}, After::give_up, true, "undelivered/failed/incomplete sent failed"},
        {"middle given up after an unknown one",
         {unknown, submitting, waiting},
         After::give_up,
         true,
         "undelivered/failed/incomplete unknown failed waiting"},
        {"middle given up after a delivered one",
         {delivered, submitting, waiting},
         After::give_up,
         true,
         "undelivered/failed/incomplete delivered failed waiting"},
        {"last unknown", {sent, submitting}, After::unknown, true, "unknown/pending/why sent unknown"},
        {"last accepted after an unknown one", {unknown, submitting}, After::accepted, true, "unknown/pending/- unknown sent"},
        {"reports of the others were faster", {delivered, submitting}, After::accepted, true, "sent/pending/- delivered sent"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Message m = message_of(row.before, MessageStatus::sending);
        const int seq = 1 + static_cast<int>(std::find(row.before.begin(), row.before.end(), submitting) - row.before.begin());
        settle_part(m, seq, row.after, row.after == After::accepted ? std::optional{41} : std::nullopt,
                    row.after == After::accepted ? "" : "why", row.report_wanted);
        CHECK(text_of(m) == row.want);
        const auto& part = m.parts[static_cast<std::size_t>(seq) - 1];
        CHECK(part.tp_mr == (row.after == After::accepted ? std::optional{41} : std::nullopt));
    }
}

TEST_CASE("settle_part: a part that is not submitting is left alone") {
    for (const auto status : {waiting, sent, delivered, failed, unknown})
        for (const auto after : {After::accepted, After::again, After::give_up, After::unknown}) {
            CAPTURE(to_string(status));
            CAPTURE(static_cast<int>(after));
            Message m = message_of({status, submitting}, MessageStatus::sending);
            const auto before = text_of(m);
            settle_part(m, 1, after, 9, "why", true);
            settle_part(m, 3, after, 9, "why", true);
            CHECK(text_of(m) == before);
            CHECK_FALSE(m.parts[0].tp_mr.has_value());
        }
}

TEST_CASE("report_part: what each report makes of each part") {
    struct Row {
        PartStatus before;
        Report report;
        PartStatus after;
    };
    const Row rows[] = {
        {sent, Report::delivered, delivered},
        {sent, Report::unconfirmed, delivered},
        {sent, Report::pending, sent},
        {sent, Report::failed, failed},
        {sent, Report::expired, failed},
        {unknown, Report::delivered, delivered},
        {unknown, Report::unconfirmed, delivered},
        {unknown, Report::pending, sent},
        {unknown, Report::failed, failed},
        {unknown, Report::expired, failed},
        {failed, Report::delivered, delivered},
        {failed, Report::unconfirmed, delivered},
        {failed, Report::pending, failed},
        {failed, Report::failed, failed},
        {failed, Report::expired, failed},
        {delivered, Report::pending, delivered},
        {delivered, Report::failed, delivered},
        {delivered, Report::expired, delivered},
        {delivered, Report::delivered, delivered},
    };
    for (const Row& row : rows) {
        CAPTURE(to_string(row.before));
        CAPTURE(static_cast<int>(row.report));
        const auto status = row.before == delivered ? MessageStatus::delivered
                            : row.before == failed  ? MessageStatus::undelivered
                            : row.before == unknown ? MessageStatus::unknown
                                                    : MessageStatus::sent;
        Message m = message_of({row.before}, status, row.before == delivered ? DeliveryStatus::delivered : DeliveryStatus::pending);
        CHECK(report_part(m, 1, row.report) == (row.before != row.after));
        CHECK(m.parts[0].status == row.after);
    }
}

TEST_CASE("report_part: what a report makes of the message") {
    struct Row {
        std::string name;
        std::vector<PartStatus> before;
        MessageStatus status;
        DeliveryStatus delivery;
        int seq;
        Report report;
        std::string want;
        std::string reason = {};  ///< before
    };
    constexpr auto pending = DeliveryStatus::pending, none = DeliveryStatus::none;
    const Row rows[] = {
        {"delivered", {sent}, MessageStatus::sent, pending, 1, Report::delivered, "delivered/delivered/- delivered"},
        {"unconfirmed", {sent}, MessageStatus::sent, pending, 1, Report::unconfirmed, "delivered/delivered/unconfirmed delivered"},
        {"failed", {sent}, MessageStatus::sent, pending, 1, Report::failed, "undelivered/failed/not-delivered failed"},
        {"expired at the centre", {sent}, MessageStatus::sent, pending, 1, Report::expired, "undelivered/failed/validity-expired failed"},
        {"report that nobody asked for", {sent}, MessageStatus::sent, none, 1, Report::delivered, "delivered/delivered/- delivered"},
        {"unknown went out", {unknown}, MessageStatus::unknown, pending, 1, Report::pending, "sent/pending/- sent"},
        {"unknown was delivered", {unknown}, MessageStatus::unknown, pending, 1, Report::delivered, "delivered/delivered/- delivered"},
        {"unknown, report time over",
         {unknown},
         MessageStatus::unknown,
         DeliveryStatus::unknown,
         1,
         Report::delivered,
         "delivered/delivered/- delivered"},
        {"one of two", {sent, sent}, MessageStatus::sent, pending, 2, Report::delivered, "sent/pending/- sent delivered"},
        {"the other of two",
         {sent, delivered},
         MessageStatus::sent,
         pending,
         1,
         Report::delivered,
         "delivered/delivered/- delivered delivered"},
        {"one failed of two",
         {sent, delivered},
         MessageStatus::sent,
         pending,
         1,
         Report::failed,
         "undelivered/failed/not-delivered failed delivered"},
        {"one failed, other unknown",
         {sent, unknown},
         MessageStatus::unknown,
         pending,
         1,
         Report::failed,
         "undelivered/failed/not-delivered failed unknown"},
        {"corrected upwards",
         {failed, delivered},
         MessageStatus::undelivered,
         DeliveryStatus::failed,
         1,
         Report::delivered,
         "delivered/delivered/- delivered delivered"},
        {"while a part waits", {sent, waiting}, MessageStatus::queued, none, 1, Report::delivered, "queued/none/- delivered waiting"},
        {"while a part is submitted",
         {sent, submitting},
         MessageStatus::sending,
         none,
         1,
         Report::failed,
         "sending/none/not-delivered failed submitting"},
        {"the rest was never tried, for this part had failed",
         {failed, waiting},
         MessageStatus::failed,
         none,
         1,
         Report::delivered,
         "undelivered/failed/incomplete delivered waiting",
         "cms-38"},
        {"given up while it was open",
         {unknown, waiting},
         MessageStatus::unknown,
         none,
         1,
         Report::unconfirmed,
         "undelivered/failed/incomplete delivered waiting",
         "timeout"},
        {"no such part", {sent}, MessageStatus::sent, pending, 2, Report::delivered, "sent/pending/- sent"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Message m = message_of(row.before, row.status, row.delivery, row.reason);
        report_part(m, row.seq, row.report);
        CHECK(text_of(m) == row.want);
    }
}

TEST_CASE("report_part: a report of a failed part while the next is submitted") {
    // the set cannot become whole any more: its end says so, however the other part settles
    Message m = message_of({sent, submitting}, MessageStatus::sending);
    CHECK(report_part(m, 1, Report::failed));
    settle_part(m, 2, After::accepted, 42, {}, true);
    CHECK(m.status == MessageStatus::undelivered);
    CHECK(m.delivery_status == DeliveryStatus::failed);
}

TEST_CASE("accept_late: a part that is being submitted keeps the message open") {
    Message m = message_of({unknown, submitting}, MessageStatus::sending, DeliveryStatus::none, "timeout");
    accept_late(m, 1, 17, true);
    CHECK(text_of(m) == "sending/none/timeout sent submitting");
    settle_part(m, 2, After::accepted, 18, "", true);
    CHECK(text_of(m) == "sent/pending/- sent sent");
    // what was given up stays so: the rest of it is not submitted any more
    m = message_of({waiting, waiting}, MessageStatus::unknown, DeliveryStatus::none, "timeout");
    accept_late(m, 1, 17, true);
    CHECK(text_of(m) == "undelivered/failed/incomplete sent waiting");
}

TEST_CASE("wait_for: what is known of a part stays") {
    Message m = message_of({unknown, waiting}, MessageStatus::queued, DeliveryStatus::none, "timeout");
    wait_for(m, "waiting-for-modem");
    CHECK(m.reason == "timeout");
    m = message_of({sent, waiting}, MessageStatus::queued);
    wait_for(m, "waiting-for-modem");
    CHECK(m.reason == "waiting-for-modem");
}

TEST_CASE("report_part: a failed part that arrived after all waits for the others again") {
    Message m = message_of({sent, sent}, MessageStatus::sent, DeliveryStatus::pending);
    CHECK(report_part(m, 1, Report::failed));
    CHECK(text_of(m).starts_with("undelivered/failed"));
    CHECK(report_part(m, 1, Report::delivered));
    CHECK(text_of(m) == "sent/pending/- delivered sent");
    CHECK(report_part(m, 2, Report::delivered));
    CHECK(text_of(m) == "delivered/delivered/- delivered delivered");
}

TEST_CASE("abandon") {
    struct Row {
        std::string name;
        std::vector<PartStatus> parts;
        std::string want;
    };
    const Row rows[] = {
        {"nothing was sent", {waiting, waiting}, "cancelled/none/cancelled waiting waiting"},
        {"a part is out", {sent, waiting}, "undelivered/failed/incomplete sent waiting"},
        {"a part was delivered", {delivered, waiting}, "undelivered/failed/incomplete delivered waiting"},
        {"a part may be out", {unknown, waiting}, "undelivered/failed/incomplete unknown waiting"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Message m = message_of(row.parts, MessageStatus::queued);
        abandon(m, MessageStatus::cancelled, "cancelled");
        CHECK(text_of(m) == row.want);
    }
}

TEST_CASE("close_reports: only what waits for a report") {
    struct Row {
        DeliveryStatus before, after;
    };
    using D = DeliveryStatus;
    for (const Row& row : {Row{D::pending, D::unknown}, Row{D::none, D::none}, Row{D::delivered, D::delivered}, Row{D::failed, D::failed},
                           Row{D::unknown, D::unknown}}) {
        Message m = message_of({sent}, MessageStatus::sent, row.before);
        close_reports(m);
        CHECK(m.delivery_status == row.after);
        CHECK(m.status == MessageStatus::sent);
        CHECK(is_final(m.status, m.delivery_status));
    }
}

TEST_CASE("new_round: everything is submitted again") {
    Message m = message_of({delivered, unknown, failed}, MessageStatus::undelivered, DeliveryStatus::failed, "incomplete");
    for (auto& part : m.parts) {
        part.tp_mr = 4;
        part.modem_index = 1;
        part.attempts = 3;
    }
    m.sent_at = m.delivered_at = from_ms(1);
    new_round(m);
    CHECK(parts_of(m) == std::vector{waiting, waiting, waiting});
    for (int seq = 1; seq <= 3; ++seq) CHECK(m.parts[static_cast<std::size_t>(seq) - 1] == Part{.seq = seq});
    CHECK(text_of(m) == "queued/none/- waiting waiting waiting");
    CHECK_FALSE(m.sent_at.has_value());
    CHECK_FALSE(m.delivered_at.has_value());
}

TEST_CASE("is_final: every pair") {
    struct Row {
        MessageStatus status;
        std::string final_with;  ///< of none, pending, delivered, failed, unknown: n p d f u
    };
    using S = MessageStatus;
    for (const Row& row : {Row{S::queued, ""}, Row{S::sending, ""}, Row{S::sent, "ndfu"}, Row{S::unknown, "ndfu"},
                           Row{S::delivered, "npdfu"}, Row{S::undelivered, "npdfu"}, Row{S::failed, "npdfu"}, Row{S::expired, "npdfu"},
                           Row{S::cancelled, "npdfu"}, Row{S::suppressed, "npdfu"}}) {
        CAPTURE(to_string(row.status));
        for (int d = 0; d < 5; ++d) {
            CAPTURE(d);
            CHECK(is_final(row.status, static_cast<DeliveryStatus>(d)) == (row.final_with.find("npdfu"[d]) != std::string::npos));
        }
    }
}
