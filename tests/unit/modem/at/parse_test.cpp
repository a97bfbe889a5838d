#include <doctest/doctest.h>

#include "modem/at/answers.hpp"
#include "modem/at/lexer.hpp"
#include "modem/at/urc.hpp"

using namespace conductor::at;

TEST_CASE("registration_stat: queries, URCs and the forms of T39") {
    struct Row {
        const char* line;
        std::optional<int> want;
    };
    const Row rows[] = {{"+CREG: 1", 1},
                        {"+CREG: 0,1", 1},
                        {"+CREG: 2,5,\"18d8\",\"ffff\"", 5},
                        {"+CREG: 5,\"18D8\",\"FFFF\"", 5},
                        {"+CREG: 1,1,84CD,00D30173", 1},
                        {"+CREG: 1,84CD,00D30173", 1},
                        {"+CREG: 2,0,00,0", 0},
                        {"+CREG:002,001,\"18d8\",\"ffff\"", 1},
                        {"+CREG: 2,1,000B,2816, B, C2816", 1},
                        {"+CREG: 2,1,  0 5, 2715", 1},
                        {"+CREG: 2,1,\"0B,\"0100701\",7", 1},
                        {"+CEREG: 1,11", 11},
                        {"+CREG: ", std::nullopt}};
    for (const Row& row : rows) {
        CAPTURE(row.line);
        CHECK(registration_stat(row.line) == row.want);
    }
}

TEST_CASE("parse_final") {
    using Kind = FinalResult::Kind;
    struct Row {
        const char* line;
        std::optional<FinalResult> want;
    };
    const Row rows[] = {{"OK", FinalResult{Kind::ok, {}}},
                        {"+CMS ERROR: 38", FinalResult{Kind::cms, 38}},
                        {"+CMS ERROR:302", FinalResult{Kind::cms, 302}},
                        {"+CMS ERROR: SIM busy", FinalResult{Kind::cms, 314}},
                        {"+CME ERROR: SIM not inserted", FinalResult{Kind::cme, 10}},
                        {"+CME ERROR: some vendor's words", FinalResult{Kind::cme, {}}},
                        {"COMMAND NOT SUPPORT", FinalResult{Kind::not_supported, {}}},
                        {"NO CARRIER", std::nullopt},
                        {"OKAY", std::nullopt}};
    for (const Row& row : rows) {
        CAPTURE(row.line);
        CHECK(parse_final(row.line) == row.want);
    }
}

TEST_CASE("stored messages: what is a message, a report, our own, or nothing") {
    const auto kind = [](const char* hex, int stat) {
        StoredPdu pdu;
        pdu.stat = stat;
        pdu.hex = hex;
        return kind_of(pdu);
    };
    CHECK(kind("07915155100010F9040B91", 0) == StoredKind::message);
    CHECK(kind("00060A0B91", 1) == StoredKind::report);
    CHECK(kind("0011000B81", 1) == StoredKind::submission);
    CHECK(kind("0004", 3) == StoredKind::own);
    CHECK(kind("FFFFFF", 0) == StoredKind::blank);
    CHECK(kind("07", 0) == StoredKind::message);  // cut: kept raw
}

TEST_CASE("service centre, storages, tries, ICCID") {
    using Lines = std::vector<std::string>;
    CHECK(parse_csca(Lines{"+CSCA: \"+15550100199\",145"}) == "+15550100199");
    CHECK(parse_csca(Lines{"+CSCA: \"6281100000\",145"}) == "+6281100000");
    CHECK(parse_csca(Lines{"+CSCA: 002B0031003500350035,145"}) == "+1555");
    CHECK(!parse_csca(Lines{"+CSCA: \"\",129"}));
    const auto read = parse_cpms(Lines{"+CPMS: \"SM\",3,20,\"ME\",0,23,\"ME\",0,23"});
    REQUIRE(read.size() == 3);
    CHECK(read[0].memory == "SM");
    CHECK(read[0].used == 3);
    CHECK(parse_cpms(Lines{"+CPMS: 14,50,14,50"}).size() == 2);
    CHECK(parse_cpms_test(Lines{"+CPMS: (\"SM\",\"ME\"),(\"SM\"),(\"SM\",\"MT\")"}).size() == 3);
    CHECK(parse_pin_tries(Lines{"+CPINR: SIM PIN,3,3", "+CPINR: SIM PUK,10,10"}) == 3);
    CHECK(parse_pin_tries(Lines{"^CPIN: READY,10,10,2,10,3"}) == 2);
    CHECK(parse_crsm_iccid(Lines{"+CRSM: 144,0,\"98880200000000001071\""}) == "89882000000000000117");
    CHECK(parse_iccid(Lines{"+CCID: \"8988200000000000017F\""}) == "8988200000000000017");
    CHECK(parse_iccid(Lines{"^ICCID: 988802000000000010F7"}) == "8988200000000000017");  // as EF-ICCID has it
    CHECK(parse_iccid(Lines{"89882000000000000178"}) == "89882000000000000178");
    CHECK(!parse_iccid(Lines{"+CCID: 8988"}));
    CHECK(parse_csq(Lines{"+CSQ: 99,99"}) == std::nullopt);
    CHECK(parse_csq(Lines{"+CSQ: 31,0"}) == -51);
}

TEST_CASE("lexer: a huge line is dropped and counted; the next one is whole") {
    Lexer lexer;
    const std::string huge = std::string(3 * Lexer::max_line, 'x') + "\r\nOK\r\n";
    lexer.feed({reinterpret_cast<const std::uint8_t*>(huge.data()), huge.size()});
    const auto token = lexer.next();
    REQUIRE(token);
    CHECK(token->text == "OK");
    CHECK(!lexer.next());
    CHECK(lexer.overlong() == 1);
}

TEST_CASE("lexer: 10 MB without a line end cost one line's memory") {
    Lexer lexer;
    const std::vector<std::uint8_t> piece(2048, 'x');
    for (int i = 0; i < 5000; ++i) {
        lexer.feed(piece);
        CHECK(!lexer.next());
    }
    CHECK(lexer.overlong() == 1);
    const std::string end = "\r\nOK\r\n";
    lexer.feed({reinterpret_cast<const std::uint8_t*>(end.data()), end.size()});
    const auto token = lexer.next();
    REQUIRE(token);
    CHECK(token->text == "OK");
}

TEST_CASE("parse_clock") {
    struct Row {
        const char* line;
        const char* utc;  ///< nullptr: says nothing
    };
    const Row rows[] = {{"+CCLK: \"26/11/22,10:15:30-32\"", "2026-11-22T18:15:30Z"},
                        {"+CCLK: \"26/11/22,10:15:30+22\"", "2026-11-22T04:45:30Z"},
                        {"+CCLK: \"2026/12/31,23:59:59+00\"", "2026-12-31T23:59:59Z"},
                        {"+CCLK: 26/01/01,00:30:00+04", "2025-12-31T23:30:00Z"},
                        {"+CCLK: \"80/01/06,00:00:01+00\"", "2080-01-06T00:00:01Z"},
                        {"+CCLK: \"26/11/22,10:15:30\"", nullptr},
                        {"+CCLK: \"26/11/22,10:15:30+\"", nullptr},
                        {"+CCLK: \"26/11/22,10:15:30+99\"", nullptr},
                        {"+CCLK: \"26/02/30,10:15:30+00\"", nullptr},
                        {"+CCLK: \"26/13/01,10:15:30+00\"", nullptr},
                        {"+CCLK: \"26/11/22,24:15:30+00\"", nullptr},
                        {"+CCLK: \"26/11/22 10:15:30+00\"", nullptr},
                        {"+CCLK: \"99999999999/11/22,10:15:30+00\"", nullptr},
                        {"+CCLK: ", nullptr},
                        {"+CSQ: 1,2", nullptr}};
    for (const Row& row : rows) {
        CAPTURE(std::string{row.line});
        const std::vector<std::string> lines{row.line};
        const auto got = parse_clock(lines);
        REQUIRE(got.has_value() == (row.utc != nullptr));
        if (row.utc) CHECK(*got == *conductor::parse_rfc3339(row.utc));
    }
    CHECK_FALSE(parse_clock({}).has_value());
}

TEST_CASE("compare_echo") {
    struct Row {
        const char* heard;
        Echo want;
    };
    const Row rows[] = {{"", Echo::none},
                        {"\r\n^RSSI:3\r\n", Echo::none},
                        {"> ", Echo::none},
                        {"0011a", Echo::partial},
                        {"0011AB", Echo::whole},
                        {"> 0011ab", Echo::whole},
                        {"0011\r\n+CMTI: \"ME\",3\r\nAB", Echo::whole},
                        {"0011B", Echo::different},
                        {"0011AB0", Echo::different}};
    for (const Row& row : rows) {
        CAPTURE(std::string{row.heard});
        CHECK(compare_echo(row.heard, "0011aB") == row.want);
    }
}

TEST_CASE("a technician's line that sends or calls is known, wherever that stands in it") {
    for (const char* line : {"AT+CMGS=17",
                             "+CMGS=17",
                             "at+cmgs=17",
                             " +CMGS=17",
                             "AT + CMGS=17",
                             "+CSQ;+CMGS=5",
                             "+CSQ; +CMSS=3",
                             "E1+CMGS=17",
                             "E0V1Q0+CMGW=4",
                             "&FE0+CMGC=3",
                             "+CUSD=1,\"a;b\";+CMGS=3",
                             "D+15550100123;",
                             "ATD*100#",
                             "+CSQ;D1;",
                             "E0D1",
                             "A",
                             "ATA",
                             "ata",
                             "E0A",
                             "+CSQ;A",
                             "O",
                             "ATO",
                             "S0=0A",
                             "&C1D1",
                             "+CGDATA=\"PPP\",1",
                             "AT+CSQ;;A"}) {
        CAPTURE(std::string{line});
        CHECK(sends_or_calls(line));
    }
    for (const char* line : {"",
                             "AT",
                             "I",
                             "ATI",
                             "Z",
                             "H",
                             "&F",
                             "&D2",
                             "&A1",
                             "E0V1Q0",
                             "S0=0",
                             "S3?",
                             "+CSQ",
                             "+CMGF=0",
                             "+CMGD=3",
                             "+CMGL=4",
                             "+COPS=0;+CSQ",
                             "+CUSD=1,\"+CMGS=5;D1\",15",
                             "^SYSCFG=2,2,3FFFFFFF,1,2",
                             "+CPIN?",
                             "#PCT",
                             "+CGSMS=1",
                             "*PSRDY?",
                             "+CUSD=1,\"*100#\"",
                             "$QCPDPP",
                             "%CPI=1",
                             "&W",
                             "!GSTATUS?",
                             "@BRIC?"}) {
        CAPTURE(std::string{line});
        CHECK(!sends_or_calls(line));
    }
}
