// The AT session alone: an answer that comes after its command's deadline is never taken for the next one's.
#include <doctest/doctest.h>

#include "modem/driver/at_session.hpp"
#include "tests/unit/modem/driver/rig.hpp"

using namespace conductor;
using namespace conductor::driver;
using namespace conductor::driver::test;
using namespace std::chrono_literals;

namespace {

using MaybeReply = std::optional<Result<at::Reply>>;

aio::awaitable<void> run_into(std::shared_ptr<AtSession> session, std::string line, MaybeReply& into) {
    into = co_await session->run(std::move(line));
}
aio::awaitable<void> submit_into(std::shared_ptr<AtSession> session, pdu::Encoded pdu, std::optional<SubmitOutcome>& into) {
    into = co_await session->submit(std::move(pdu), profile::generic());
}

aio::awaitable<void> write_into(std::shared_ptr<AtSession> session, pdu::Encoded pdu, std::optional<AtSession::Written>& into) {
    into = co_await session->write_stored(std::move(pdu), profile::generic());
}
aio::awaitable<void> send_stored_into(std::shared_ptr<AtSession> session, int index, std::optional<SubmitOutcome>& into) {
    into = co_await session->submit_stored(index);
}

/// A Rig without a driver: its modem is talked to by a session.
struct Talk : Rig {
    Talk() {
        inbox = std::make_shared<Inbox>(ctx.get_executor());
        session = std::make_shared<AtSession>(ctx.get_executor(), std::make_unique<LineStream>(line), inbox);
        session->start();
    }
    ~Talk() {
        session->close();
        until([] { return false; }, 1s);
    }
    /// Writes a command and waits for its end.
    Result<at::Reply> run(std::string command) {
        MaybeReply reply;
        boost::asio::co_spawn(ctx, run_into(session, std::move(command), reply), boost::asio::detached);
        REQUIRE(until([&] { return reply.has_value(); }, 200s));
        return *reply;
    }
    std::shared_ptr<Inbox> inbox;
    std::shared_ptr<AtSession> session;
};

}  // namespace

TEST_CASE("a late answer does not end the next command") {
    struct Row {
        const char* name;
        const char* late;   ///< what comes after the deadline
        bool when_written;  ///< at the moment when the modem hears the next octets; else 5 s before them
    };
    const Row rows[] = {
        {"OK, before the next command", "\r\nOK\r\n", false},
        {"OK, when the next is written", "\r\nOK\r\n", true},
        {"ERROR", "\r\nERROR\r\n", true},
        {"CMS ERROR", "\r\n+CMS ERROR: 500\r\n", true},
        {"its lines and OK", "\r\n+CSQ: 3,99\r\n\r\nOK\r\n", true},
        {"its lines alone", "\r\n+CSQ: 3,99\r\n", true},
        {"a list, and a URC in it", "\r\n+CMGL: 1,0,,24\r\n07915155\r\n\r\n+CREG: 2\r\n\r\nOK\r\n", true},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Talk talk;
        talk.modem->answers["AT+CSQ"] = "";
        REQUIRE(talk.run("+CSQ").has_error());
        talk.modem->answers["AT+CSQ"] = "\r\n+CSQ: 20,99\r\n\r\nOK\r\n";
        bool said = false;
        talk.line->to_modem = [&, inner = talk.line->to_modem](std::string_view octets) {
            if (row.when_written && !std::exchange(said, true)) talk.modem->raw(row.late);
            inner(octets);
        };
        if (!row.when_written) {
            talk.modem->raw(row.late);
            talk.pass(5s);
        }
        const auto reply = talk.run("+CSQ");
        REQUIRE(reply.has_value());
        CHECK(reply->ok());
        CHECK(reply->lines == std::vector<std::string>{"+CSQ: 20,99"});
        // and the one after it has its own answer too
        const auto other = talk.run("+CREG?");
        REQUIRE(other.has_value());
        CHECK(other->lines == std::vector<std::string>{"+CREG: 1,1"});
        CHECK(talk.modem->count("AT+CSQ") == 2);
    }
}

TEST_CASE("while nothing answers, nothing more is written than what asks for an answer") {
    Talk talk;
    talk.modem->mute = true;
    REQUIRE(talk.run("+CSQ").has_error());
    const auto reply = talk.run("+CMGD=3");
    REQUIRE(reply.has_error());
    CHECK(reply.error().is(at::AtErrc::timeout));
    CHECK(!talk.modem->saw("AT+CMGD=3"));
    CHECK(talk.modem->saw("AT"));
    talk.modem->mute = false;
    CHECK(talk.run("+CMGD=3").has_value());
    CHECK(talk.modem->saw("AT+CMGD=3"));
}

TEST_CASE("a submission after a timeout: the late answer is neither its prompt's nor its own") {
    Talk talk;
    talk.modem->answers["AT+CSQ"] = "";
    REQUIRE(talk.run("+CSQ").has_error());
    bool said = false;
    talk.line->to_modem = [&, inner = talk.line->to_modem](std::string_view octets) {
        if (!std::exchange(said, true)) talk.modem->raw("\r\n+CSQ: 3,99\r\n\r\nOK\r\n");
        inner(octets);
    };
    pdu::Encoded pdu;
    pdu.octets = {0x00, 0x11, 0x00, 0x0B, 0x91, 0x51, 0x55, 0x10, 0x10, 0x32, 0xF4, 0x00, 0x00, 0xA7, 0x02, 0xE8, 0x34};
    pdu.tpdu_length = 16;
    std::optional<SubmitOutcome> outcome;
    boost::asio::co_spawn(talk.ctx, submit_into(talk.session, pdu, outcome), boost::asio::detached);
    REQUIRE(talk.until([&] { return outcome.has_value(); }, 200s));
    CHECK(outcome->ending == Ending::accepted);
    CHECK(talk.modem->pdus.size() == 1);
}

TEST_CASE("after an open outcome a late +CMGS is still told, and ends no command") {
    Talk talk;
    talk.modem->on_pdu = [](const std::string&) { return true; };
    pdu::Encoded pdu;
    pdu.octets = {0x00, 0x11, 0x00, 0x0B, 0x91, 0x51, 0x55, 0x10, 0x10, 0x32, 0xF4, 0x00, 0x00, 0xA7, 0x02, 0xE8, 0x34};
    pdu.tpdu_length = 16;
    std::optional<SubmitOutcome> outcome;
    boost::asio::co_spawn(talk.ctx, submit_into(talk.session, pdu, outcome), boost::asio::detached);
    REQUIRE(talk.until([&] { return outcome.has_value(); }, 200s));
    CHECK(outcome->ending == Ending::ambiguous);
    bool said = false;
    talk.line->to_modem = [&, inner = talk.line->to_modem](std::string_view octets) {
        if (!std::exchange(said, true)) talk.modem->raw("\r\n+CMGS: 9\r\n\r\nOK\r\n");
        inner(octets);
    };
    const auto reply = talk.run("+CREG?");
    REQUIRE(reply.has_value());
    CHECK(reply->lines == std::vector<std::string>{"+CREG: 1,1"});
    REQUIRE(!talk.inbox->urcs.empty());
    CHECK(std::get<at::Reference>(talk.inbox->urcs.front()).tp_mr == 9);
}

TEST_CASE("a PDU that the port does not take is not sent: no minute is waited, and the prompt is left") {
    Talk talk;
    const std::string escape{'\x1b'};
    std::string last;
    talk.line->to_modem = [&, inner = talk.line->to_modem](std::string_view octets) {
        last = octets;
        inner(octets);
    };
    talk.line->stuck = [](std::string_view octets) { return octets.ends_with('\x1a'); };
    pdu::Encoded pdu;
    pdu.octets = {0x00, 0x11, 0x00, 0x0B, 0x91, 0x51, 0x55, 0x10, 0x10, 0x32, 0xF4, 0x00, 0x00, 0xA7, 0x02, 0xE8, 0x34};
    pdu.tpdu_length = 16;
    for (const auto& [stored, room] : {std::pair{false, 0U}, {true, 0U}, {false, 20U}, {true, 20U}, {false, 1000U}, {true, 1000U}}) {
        CAPTURE(stored);
        CAPTURE(room);
        talk.line->room = room;
        std::optional<SubmitOutcome> sent;
        std::optional<AtSession::Written> written;
        if (stored)
            boost::asio::co_spawn(talk.ctx, write_into(talk.session, pdu, written), boost::asio::detached);
        else
            boost::asio::co_spawn(talk.ctx, submit_into(talk.session, pdu, sent), boost::asio::detached);
        REQUIRE(talk.until([&] { return sent || written; }, 6s));
        if (sent) CHECK(sent->ending == Ending::not_sent);
        CHECK((sent ? sent->reason : written->reason) == "timeout");
        if (written) CHECK_FALSE(written->index);
        CHECK(last == escape);
        CHECK(talk.run("+CSQ").has_value());
        CHECK(talk.modem->pdus.empty());
        CHECK(talk.modem->storage.empty());
    }
}

TEST_CASE("AT+CMSS that the port does not take is not sent") {
    Talk talk;
    talk.line->stuck = [](std::string_view octets) { return octets.starts_with("AT+CMSS"); };
    std::optional<SubmitOutcome> sent;
    boost::asio::co_spawn(talk.ctx, send_stored_into(talk.session, 1, sent), boost::asio::detached);
    REQUIRE(talk.until([&] { return sent.has_value(); }, 12s));
    CHECK(sent->ending == Ending::not_sent);
}

TEST_CASE("a late answer to AT+CMGW is not taken for the next command's") {
    Talk talk;
    talk.modem->on_write = [](int) { return std::string{}; };
    pdu::Encoded pdu;
    pdu.octets = {0x00, 0x11, 0x00, 0x0B, 0x91, 0x51, 0x55, 0x10, 0x10, 0x32, 0xF4, 0x00, 0x00, 0xA7, 0x02, 0xE8, 0x34};
    pdu.tpdu_length = 16;
    std::optional<AtSession::Written> written;
    boost::asio::co_spawn(talk.ctx, write_into(talk.session, pdu, written), boost::asio::detached);
    REQUIRE(talk.until([&] { return written.has_value(); }, 60s));
    CHECK(written->reason == "timeout");
    bool said = false;
    talk.line->to_modem = [&, inner = talk.line->to_modem](std::string_view octets) {
        if (!std::exchange(said, true)) talk.modem->raw("\r\n+CMGW: 1\r\n\r\nOK\r\n");
        inner(octets);
    };
    talk.modem->answers["AT+CNMA"] = "\r\n+CMS ERROR: 340\r\n";
    const auto reply = talk.run("+CNMA");
    REQUIRE(reply.has_value());
    CHECK(reply->final.code == 340);
}

TEST_CASE("nothing is written to a modem that said that it restarted, until that is taken") {
    Talk talk;
    REQUIRE(talk.run("+CSQ").has_value());
    talk.modem->raw("\r\nRDY\r\n");
    talk.pass(1s);
    talk.modem->log.clear();
    const auto reply = talk.run("+CMGD=3");
    REQUIRE(reply.has_error());
    CHECK(reply.error().is(at::AtErrc::rebooted));
    CHECK(talk.modem->log.empty());
    CHECK(talk.session->take_reboot());
    CHECK(talk.run("+CSQ").has_value());
}

TEST_CASE("a list that takes longer than its deadline: entries keep it open, URCs and silence do not, and it has an end") {
    struct Row {
        const char* name;
        const char* says;  ///< each second, `times` times
        int times;
        bool finishes;
        std::size_t lines;
        BootClock::duration ends_within;
    };
    const std::string entry = std::string{"\r\n+CMGL: 1,1,,29\r\n"} + delivered_pdu + "\r\n";
    const Row rows[] = {
        {"entries", entry.c_str(), 90, true, 180, 95s},
        {"entries that cease", entry.c_str(), 30, false, 0, 50s},
        {"URCs alone", "\r\n+CREG: 1\r\n", 90, false, 0, 21s},
        {"entries without end", entry.c_str(), 700, false, 0, 605s},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Talk talk;
        talk.modem->answers["AT+CMGL=4"] = "";
        MaybeReply reply;
        boost::asio::co_spawn(talk.ctx, run_into(talk.session, "+CMGL=4", reply), boost::asio::detached);
        const Instant begun = VirtualTime::current();
        talk.pass(10ms);
        for (int i = 0; i < row.times && !reply; ++i) {
            talk.modem->raw(row.says);
            talk.pass(1s);
        }
        if (row.finishes) talk.modem->raw("\r\nOK\r\n");
        REQUIRE(talk.until([&] { return reply.has_value(); }, 700s));
        CHECK(VirtualTime::current() - begun <= row.ends_within);
        REQUIRE(reply->has_value() == row.finishes);
        if (row.finishes) CHECK((*reply)->lines.size() == row.lines);
        if (!row.finishes) CHECK(reply->error().is(at::AtErrc::timeout));
    }
}

TEST_CASE("a flood of registrations does not push out what is told once") {
    Talk talk;
    talk.modem->say("+CMGS: 17");
    talk.modem->say("+CUSD: 0,\"Balance 5\",15");
    for (int i = 0; i < 600; ++i) talk.modem->say("+CREG: 2");
    talk.pass(100ms);
    CHECK(talk.inbox->urcs.size() == Inbox::max_urcs);
    CHECK(talk.inbox->dropped == 602 - Inbox::max_urcs);
    CHECK(std::holds_alternative<at::Reference>(talk.inbox->urcs[0]));
    CHECK(std::holds_alternative<at::Ussd>(talk.inbox->urcs[1]));
}
