#include <doctest/doctest.h>

#include <algorithm>

#include "rig.hpp"

using namespace conductor;
using namespace conductor::modemsim;
using namespace std::chrono_literals;

namespace {

std::string submitted(Rig& rig, Duration wait = 600ms, std::size_t i = 0) {
    rig.send_hello(i);
    rig.run(wait);
    return rig.take(i);
}
// "\r\n+CMGS: <mr>\r\n\r\nOK\r\n"
bool is_taken(const std::string& answer) {
    return answer.starts_with("\r\n+CMGS: ") && answer.ends_with("\r\n\r\nOK\r\n");
}

}  // namespace

TEST_CASE("modemsim submit: prompt, answer at the latency, log, report") {
    Rig rig;
    rig.set_up();
    CHECK(rig.at("AT+CMGS=19") == "\r\n> ");
    CHECK(rig.type(std::string{Rig::hello} + "\x1a") == "");
    rig.run(499ms);
    CHECK(rig.take() == "");
    rig.run(1ms);
    REQUIRE(rig.logged.size() == 1);
    const Submission& s = rig.logged[0];
    CHECK(rig.take() == "\r\n+CMGS: " + std::to_string(s.tp_mr) + "\r\n\r\nOK\r\n");
    CHECK(s.to == "+15550100123");
    CHECK(s.text == "hello");
    CHECK(s.srr);
    CHECK(s.answered);
    CHECK(to_hex(s.tpdu) == "31000B915155100021F30000A705E8329BFD06");
    rig.run(2s);
    const std::string report = rig.take();
    CHECK(report.starts_with("\r\n+CDS: 25\r\n07915155109999F906"));
    CHECK(report.substr(30, 2) == to_hex({static_cast<std::uint8_t>(s.tp_mr)}));
    CHECK(report.ends_with("00\r\n"));
}

TEST_CASE("modemsim submit: refused at once") {
    struct Row {
        const char* name;
        const char* typed;
        const char* answer;
    };
    const Row rows[] = {
        {"length one too small", "AT+CMGS=18\r0031000B915155100021F30000A705E8329BFD06\x1a", "\r\n> \r\n+CMS ERROR: 304\r\n"},
        {"no hex", "AT+CMGS=19\rhello\x1a", "\r\n> \r\n+CMS ERROR: 304\r\n"},
        {"a DELIVER", "AT+CMGS=23\r00040B915155100021F300006211128130422B05E8329BFD06\x1a", "\r\n> \r\n+CMS ERROR: 304\r\n"},
        {"escape", "AT+CMGS=19\r0031\x1b", "\r\n> \r\nOK\r\n"},
        {"no length", "AT+CMGS=\r", "\r\n+CMS ERROR: 304\r\n"},
        {"alive after all that", "AT\r", "\r\nOK\r\n"},
    };
    Rig rig;
    rig.set_up();
    for (const Row& row : rows) {
        CAPTURE(row.name);
        CHECK(rig.type(row.typed) == row.answer);
    }
    rig.run(5s);
    CHECK(rig.logged.empty());
}

TEST_CASE("modemsim submit: faults") {
    struct Row {
        const char* name;
        const char* request;
        const char* answer;    ///< nullptr: taken
        std::size_t accepted;  ///< in the log
        bool answered = true;
    };
    const Row rows[] = {
        {"none", R"({"do":"clear"})", nullptr, 1},
        {"CMS", R"({"do":"cms","modem":0,"code":38})", "\r\n+CMS ERROR: 38\r\n", 0},
        {"CMS, taken nevertheless", R"({"do":"cms","modem":0,"code":332,"accepted":true})", "\r\n+CMS ERROR: 332\r\n", 1},
        {"bare ERROR", R"({"do":"cms","modem":0,"code":-1})", "\r\nERROR\r\n", 0},
        {"lost answer", R"({"do":"lost-answer","modem":0})", "", 1, false},
        {"dropped", R"({"do":"drop","modem":0})", "", 0},
        {"mute, but at work", R"({"do":"mute","modem":0,"deaf":false})", "", 1, false},
        {"mute and deaf", R"({"do":"mute","modem":0})", "", 0},
        {"not registered", R"({"do":"registration","modem":0,"stat":2})", "\r\n+CMS ERROR: 331\r\n", 0},
        {"rule: CMS for this number", R"({"do":"rule","number":"+15550100123","cms":38})", "\r\n+CMS ERROR: 38\r\n", 0},
        {"rule: for another number", R"({"do":"rule","number":"+15550100124","cms":38})", nullptr, 1},
        {"rule: by prefix", R"({"do":"rule","number":"+155501001*","cms":1})", "\r\n+CMS ERROR: 1\r\n", 0},
        {"rule: lost answer", R"({"do":"rule","number":"+15550100123","lost_answer":true})", "", 1, false},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Rig rig;
        rig.set_up();
        REQUIRE(rig.ask(row.request)["ok"] == true);
        const std::string answer = submitted(rig);
        if (row.answer) CHECK(answer == row.answer);
        if (!row.answer) CHECK(is_taken(answer));
        REQUIRE(rig.logged.size() == row.accepted);
        if (row.accepted) CHECK(rig.logged[0].answered == row.answered);
        rig.ask(R"({"do":"mute","modem":0,"on":false})");
        rig.ask(R"({"do":"registration","modem":0,"stat":1})");
        rig.run(1s);
        CHECK(rig.at("AT") == "\r\nOK\r\n");  // free again
    }
}

TEST_CASE("modemsim submit: a count ends, a rate is met") {
    Rig rig;
    rig.set_up();
    rig.ask(R"({"do":"cms","modem":0,"code":42,"count":2})");
    CHECK(submitted(rig) == "\r\n+CMS ERROR: 42\r\n");
    CHECK(submitted(rig) == "\r\n+CMS ERROR: 42\r\n");
    CHECK(is_taken(submitted(rig)));
    rig.ask(R"({"do":"lost-answer","modem":0,"rate":0.25})");
    for (int i = 0; i < 400; ++i) submitted(rig);
    const auto lost = std::ranges::count_if(rig.logged, [](const Submission& s) { return !s.answered; });
    CHECK(rig.logged.size() == 401);
    CHECK(lost > 60);
    CHECK(lost < 140);
}

TEST_CASE("modemsim submit: power fails on either side of the network's acceptance") {
    for (const int after_ms : {449, 451}) {
        CAPTURE(after_ms);
        Rig rig;
        rig.set_up();
        rig.send_hello();
        rig.run(Duration{after_ms});
        rig.ask(R"({"do":"unplug","modem":0})");
        rig.run(10s);
        CHECK(rig.logged.size() == (after_ms > 450 ? 1U : 0U));
        if (!rig.logged.empty()) CHECK_FALSE(rig.logged[0].answered);
        CHECK(rig.take() == "");
        rig.ask(R"({"do":"plug","modem":0,"quick":true})");
        CHECK(rig.at("AT") == "AT\r\r\nOK\r\n");
    }
}

TEST_CASE("modemsim submit: URCs and junk in the way") {
    Rig rig;
    rig.set_up();
    rig.ask(R"({"do":"urc-prompt","modem":0,"line":"^RSSI:7"})");
    CHECK(rig.at("AT+CMGS=19") == "\r\n^RSSI:7\r\n\r\n> ");
    rig.modem().urc("+TEST: 1");  // waits for the end of the prompt
    CHECK(rig.type("\x1b") == "\r\nOK\r\n\r\n+TEST: 1\r\n");
    rig.ask(R"({"do":"urc-inside","modem":0,"line":"^RSSI:8"})");
    CHECK(rig.at("AT+CSQ") == "\r\n+CSQ: 19,99\r\n\r\n^RSSI:8\r\n\r\nOK\r\n");
    rig.ask(R"({"do":"garbage","modem":0,"octets":5,"count":1})");
    CHECK(rig.at("AT").size() == 11);
    rig.ask(R"({"do":"slow","modem":0,"octets_per_second":50})");
    CHECK(rig.at("AT") == "\r");
    rig.run(60ms);
    CHECK(rig.take() == "\nOK");
    rig.ask(R"({"do":"slow","modem":0,"octets_per_second":0})");
    rig.run(1s);
    CHECK(rig.take() == "\r\n");
}

TEST_CASE("modemsim submit: the modem's own storage, CMGW and CMSS") {
    Rig rig;
    rig.set_up();
    CHECK(rig.at("AT+CMGW=19") == "\r\n> ");
    CHECK(rig.type(std::string{Rig::hello} + "\x1a") == "\r\n+CMGW: 1\r\n\r\nOK\r\n");
    CHECK(rig.at("AT+CMGL=2") == std::string{"\r\n+CMGL: 1,2,,19\r\n"} + Rig::hello + "\r\n\r\nOK\r\n");
    rig.at("AT+CMSS=1");
    rig.run(1s);
    CHECK(rig.take().starts_with("\r\n+CMSS: "));
    CHECK(rig.logged.size() == 1);
    CHECK(rig.at("AT+CMGL=2") == "\r\nOK\r\n");
    CHECK(rig.at("AT+CMGL=3") == std::string{"\r\n+CMGL: 1,3,,19\r\n"} + Rig::hello + "\r\n\r\nOK\r\n");
    CHECK(rig.at("AT+CMSS=2") == "\r\n+CMS ERROR: 321\r\n");
    rig.ask(R"({"do":"lost-answer","modem":0})");
    rig.type(std::string{"AT+CMGW=19\r"} + Rig::hello + "\x1a");
    rig.at("AT+CMSS=2");
    rig.run(1s);
    CHECK(rig.take().find("+CMSS") == std::string::npos);
    CHECK(rig.logged.size() == 2);
    CHECK(rig.at("AT+CMGL=2") == "\r\nOK\r\n");  // the memory tells that it went out
}

TEST_CASE("modemsim submit: text mode") {
    Rig rig;
    rig.at("ATE0+CMGF=1;+CSMP=49,167,0,0;+CNMI=2,1,0,1,0");
    CHECK(rig.at("AT+CMGS=\"+15550100123\"") == "\r\n> ");
    CHECK(rig.type("two\rlines\x1a") == "\r\n> ");
    rig.run(600ms);
    CHECK(is_taken(rig.take()));
    REQUIRE(rig.logged.size() == 1);
    CHECK(rig.logged[0].text == "two\nlines");
    CHECK(rig.logged[0].srr);
    rig.run(2s);
    CHECK(rig.take().starts_with("\r\n+CDS: 6," + std::to_string(rig.logged[0].tp_mr) + ",\"+15550100123\",145,\""));
    rig.at("AT+CSCS=\"UCS2\";+CSMP=17,167,0,8");
    rig.type("AT+CMGS=\"002B00310035003500350030003100300030003100320033\"\r041F\x1a");
    rig.run(600ms);
    REQUIRE(rig.logged.size() == 2);
    CHECK(rig.logged[1].text == "П");
    CHECK(rig.logged[1].to == "+15550100123");
}

TEST_CASE("modemsim inbound: routing by CNMI") {
    struct Row {
        const char* name;
        const char* set_up;
        const char* request;
        const char* shown;  ///< how what is written begins
        int sm = 0, me = 0;
    };
    const char* plain = R"({"do":"inject","modem":0,"from":"+15550100123","text":"hello"})";
    const char* flash = R"({"do":"inject","modem":0,"from":"+15550100123","text":"hello","class":0})";
    const char* class2 = R"({"do":"inject","modem":0,"from":"+15550100123","text":"hello","class":2})";
    const char* class3 = R"({"do":"inject","modem":0,"from":"+15550100123","text":"hello","class":3})";
    const Row rows[] = {
        {"stored, nothing said", "AT+CNMI=2,0,0,0,0", plain, "", 1},
        {"stored and said", "AT+CNMI=2,1,0,0,0", plain, "\r\n+CMTI: \"SM\",1\r\n", 1},
        {"memory of CPMS", "AT+CPMS=\"ME\",\"ME\",\"ME\";+CNMI=2,1,0,0,0", plain, "\r\n+CMTI: \"ME\",1\r\n", 0, 1},
        {"direct", "AT+CNMI=2,2,0,0,0", plain, "\r\n+CMT: ,24\r\n07915155109999F9040B915155100021F30000", 0},
        {"direct, flash", "AT+CNMI=2,2,0,0,0", flash, "\r\n+CMT: ,24\r\n07915155109999F9040B915155100021F30010", 0},
        {"direct, but class 2 is stored on the SIM", "AT+CPMS=\"ME\",\"ME\",\"ME\";+CNMI=2,2,0,0,0", class2, "\r\n+CMTI: \"SM\",1\r\n", 1},
        {"mode 3, class 3", "AT+CNMI=2,3,0,0,0", class3, "\r\n+CMT: ,24\r\n", 0},
        {"mode 3, no class", "AT+CNMI=2,3,0,0,0", plain, "\r\n+CMTI: \"SM\",1\r\n", 1},
        {"mode 0 keeps indications", "AT+CNMI=0,1,0,0,0", plain, "", 1},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Rig rig;
        rig.at("ATE0");
        CHECK(rig.at(row.set_up).ends_with("OK\r\n"));
        rig.run(100ms);
        REQUIRE(rig.ask(row.request)["ok"] == true);
        const std::string shown = rig.take();
        CHECK(shown.starts_with(row.shown));
        if (!*row.shown) CHECK(shown == "");
        CHECK(rig.modem().storage().used("SM") == row.sm);
        CHECK(rig.modem().storage().used("ME") == row.me);
    }
}

TEST_CASE("modemsim inbound: read, list, delete") {
    Rig rig;
    rig.set_up();
    for (int i = 0; i < 3; ++i) rig.ask(R"({"do":"inject","modem":0,"from":"+15550100123","text":"hello"})");
    CHECK(rig.at("AT+CMGR=2").starts_with("\r\n+CMGR: 0,,24\r\n07915155109999F9040B915155100021F30000"));
    CHECK(rig.at("AT+CMGR=2").starts_with("\r\n+CMGR: 1,,24\r\n"));
    CHECK(rig.at("AT+CMGR=4") == "\r\n+CMS ERROR: 321\r\n");
    CHECK(rig.at("AT+CMGD=1,1") == "\r\nOK\r\n");  // the read one
    CHECK(rig.at("AT+CMGD=?") == "\r\n+CMGD: (1,3),(0-4)\r\n\r\nOK\r\n");
    const std::string list = rig.at("AT+CMGL=0");
    CHECK(list.find("+CMGL: 1,0,,24") != std::string::npos);
    CHECK(list.find("+CMGL: 3,0,,24") != std::string::npos);
    CHECK(rig.at("AT+CMGL=0") == "\r\nOK\r\n");  // all read now
    rig.at("AT+CMGF=1");
    CHECK(rig.at("AT+CMGR=1").starts_with("\r\n+CMGR: \"REC READ\",\"+15550100123\",,\""));
    CHECK(rig.at("AT+CMGR=1").ends_with("\r\nhello\r\n\r\nOK\r\n"));
    CHECK(rig.at("AT+CMGD=0,4") == "\r\nOK\r\n");
    CHECK(rig.at("AT+CPMS?") == "\r\n+CPMS: \"SM\",0,20,\"SM\",0,20,\"SM\",0,20\r\n\r\nOK\r\n");
}

TEST_CASE("modemsim inbound: a full memory keeps messages at the SMSC") {
    Rig rig;
    rig.set_up();
    rig.ask(R"({"do":"storage","modem":0,"memory":"SM","size":2})");
    for (int i = 0; i < 3; ++i) rig.ask(R"({"do":"inject","modem":0,"from":"+15550100123","text":"hello"})");
    CHECK(rig.take() == "\r\n+CMTI: \"SM\",1\r\n\r\n+CMTI: \"SM\",2\r\n");
    CHECK(rig.ask(R"({"do":"state","modem":0})")["modems"][0]["waiting"] == 1);
    rig.at("AT+CMGD=1");
    rig.run(1s);
    CHECK(rig.take() == "\r\n+CMTI: \"SM\",1\r\n");
    CHECK(rig.ask(R"({"do":"state","modem":0})")["modems"][0]["waiting"] == 0);
}

TEST_CASE("modemsim inbound: CNMA, and what happens without it") {
    Rig rig;
    rig.at("ATE0+CSMS=1;+CNMI=2,2,0,1,0");
    rig.run(100ms);
    for (int i = 0; i < 2; ++i) rig.ask(R"({"do":"inject","modem":0,"from":"+15550100123","text":"hello"})");
    std::string shown = rig.take();
    CHECK(std::ranges::count(shown, 'T') == 1);  // the second waits for the acknowledgement
    CHECK(rig.at("AT+CNMA") == "\r\nOK\r\n");
    rig.run(100ms);
    CHECK(rig.take().starts_with("\r\n+CMT: ,24\r\n"));
    rig.run(30s);  // not acknowledged
    CHECK(rig.at("AT+CNMI?") == "\r\n+CNMI: 2,0,0,0,0\r\n\r\nOK\r\n");
    CHECK(rig.modem().storage().used("SM") == 1);  // delivered again, stored
    CHECK(rig.at("AT+CNMA") == "\r\n+CMS ERROR: 340\r\n");
}

TEST_CASE("modemsim inbound: a report that nobody acknowledges comes again, to the next client too") {
    Rig rig;
    rig.at("ATE0+CSMS=1;+CNMI=2,1,0,1,0");
    rig.send_hello();
    rig.send_hello();
    rig.run(2s);
    const std::string first = rig.take();
    CHECK(first.find("+CDS: ") != std::string::npos);
    rig.run(60s);  // its client is gone
    CHECK(rig.take().empty());
    CHECK(rig.at("AT+CNMI?") == "\r\n+CNMI: 2,0,0,0,0\r\n\r\nOK\r\n");
    CHECK(rig.ask(R"({"do":"state","modem":0})")["modems"][0]["waiting"] == 2);
    rig.at("AT+CSMS=1;+CNMI=2,1,0,1,0");
    rig.run(1s);
    CHECK(first.find(rig.take()) != std::string::npos);
    CHECK(rig.at("AT+CNMA=1") == "\r\nOK\r\n");
    rig.run(1s);
    CHECK(rig.take().starts_with("\r\n+CDS: "));
    CHECK(rig.at("AT+CNMA=0") == "\r\nOK\r\n");
    CHECK(rig.ask(R"({"do":"state","modem":0})")["modems"][0]["waiting"] == 0);
}

TEST_CASE("modemsim inbound: forms of CNMA, and none") {
    Rig rig;
    rig.at("ATE0+CSMS=1;+CNMI=2,2,0,1,0");
    rig.run(100ms);
    rig.ask(R"({"do":"set","modem":0,"cnma":"1"})");
    rig.ask(R"({"do":"inject","modem":0,"from":"+15550100123","text":"hello"})");
    CHECK(rig.at("AT+CNMA") == "\r\nERROR\r\n");
    CHECK(rig.at("AT+CNMA=0") == "\r\nERROR\r\n");
    CHECK(rig.at("AT+CNMA=1") == "\r\nOK\r\n");
    rig.ask(R"({"do":"set","modem":0,"cnma":"","csms":0})");
    CHECK(rig.at("AT+CNMA=1") == "\r\nERROR\r\n");
    CHECK(rig.at("AT+CSMS=1") == "\r\nERROR\r\n");
}

TEST_CASE("modemsim: messages between two modems, replies, reports by number") {
    FleetOptions options;
    options.modems = 2;
    Rig rig{options};
    rig.set_up(0), rig.set_up(1);
    rig.at("AT+CMGF=1;+CSMP=49,167,0,0", 0);
    rig.type("AT+CMGS=\"" + rig.modem(1).sim().number + "\"\rloop\x1a", 0);
    rig.run(3s);
    CHECK(rig.take(1) == "\r\n+CMTI: \"SM\",1\r\n");
    rig.at("AT+CMGF=1", 1);
    CHECK(rig.at("AT+CMGR=1", 1).ends_with("\r\nloop\r\n\r\nOK\r\n"));
    CHECK(rig.take(0).find("+CDS: 6,") != std::string::npos);

    rig.at("AT+CMGF=0", 0);
    rig.ask(R"({"do":"rule","number":"+15550100123","reply":"STOP","report":[48,70]})");
    submitted(rig, 5s);
    CHECK(rig.modem(0).storage().used("SM") == 1);
    rig.at("AT+CMGF=1", 0);
    CHECK(rig.at("AT+CMGR=1", 0).ends_with("\r\nSTOP\r\n\r\nOK\r\n"));
    rig.ask(R"({"do":"rule","number":"+15550100123","report":false})");
    rig.at("AT+CMGF=0", 0);
    CHECK(submitted(rig, 10s).find("+CDS") == std::string::npos);
}

TEST_CASE("modemsim: reports of several kinds, stored reports") {
    Rig rig;
    rig.at("ATE0+CMGF=0;+CNMI=2,1,0,2,0");
    rig.ask(R"({"do":"rule","number":"+15550100123","report":[48,70]})");
    submitted(rig, 600ms);
    rig.run(5s);
    CHECK(rig.take() == "\r\n+CDSI: \"SR\",1\r\n\r\n+CDSI: \"SR\",2\r\n");
    rig.at("AT+CPMS=\"SR\"");
    const std::string second = rig.at("AT+CMGR=2");
    CHECK(second.ends_with("46\r\n\r\nOK\r\n"));
    CHECK(rig.ask(R"({"do":"inject-report","submission":1,"status":0})")["ok"] == true);
    CHECK(rig.take() == "\r\n+CDSI: \"SR\",3\r\n");
}

TEST_CASE("modemsim inbound: order, gaps and parts left out") {
    Rig rig;
    rig.set_up();
    const std::string text(400, 'x');
    const auto request = nlohmann::json{{"do", "inject"}, {"modem", 0},     {"from", "+15550100123"}, {"text", text},
                                        {"ref", 300},     {"ref_bits", 16}, {"order", {3, 1}},        {"gap", "2s"}};
    CHECK(rig.fleet.control(request)["parts"] == 3);
    CHECK(rig.take() == "\r\n+CMTI: \"SM\",1\r\n");
    CHECK(rig.at("AT+CMGR=1").find("060804012C0303") != std::string::npos);
    rig.run(2s);
    CHECK(rig.at("AT+CMGR=2").find("060804012C0301") != std::string::npos);
    rig.run(10s);
    CHECK(rig.modem().storage().used("SM") == 2);
}

TEST_CASE("modemsim: a modem that is away gets its messages later; a swapped SIM does not") {
    Rig rig;
    rig.set_up();
    rig.ask(R"({"do":"registration","modem":0,"stat":2})");
    rig.ask(R"({"do":"inject","modem":0,"from":"+15550100123","text":"hello"})");
    CHECK(rig.modem().storage().used("SM") == 0);
    rig.ask(R"({"do":"registration","modem":0,"stat":5})");
    CHECK(rig.modem().storage().used("SM") == 1);
    const std::string before = rig.modem().sim().iccid;
    const auto swapped = rig.ask(R"({"do":"sim","modem":0,"action":"swap"})");
    CHECK(swapped["iccid"] != before);
    CHECK(rig.modem().sim().iccid == swapped["iccid"]);
    CHECK(rig.modem().storage().used("SM") == 0);
    rig.ask(R"({"do":"sim","modem":0,"action":"remove"})");
    CHECK(rig.at("AT+CMEE=1;+CPIN?") == "\r\n+CME ERROR: 10\r\n");
}

TEST_CASE("modemsim control: bad requests are said to be bad") {
    Rig rig;
    for (const char* request :
         {R"({"do":"nothing"})", R"({})", R"([1])", R"("x")", R"({"do":7})", R"({"do":"inject","modem":5,"from":"1","text":"x"})",
          R"({"do":"inject","modem":0})", R"({"do":"set","latency":"fast"})", R"({"do":"inject","modem":0,"pdu":"0"})",
          R"({"do":"inject","modem":-1,"from":"1","text":"x"})", R"({"do":"storage","modem":0,"memory":"XX"})"}) {
        CAPTURE(request);
        const auto answer = rig.ask(request);
        CHECK(answer["ok"] == false);
        CHECK(answer["error"].get<std::string>() != "");
    }
    CHECK(rig.fleet.configure(nlohmann::json::parse(R"({"surprise":1})")) != "");
    CHECK(rig.fleet.configure(
              nlohmann::json::parse(R"({"rule":[{"number":"+15550100123","cms":38}],"modem":[{"index":0,"latency":"1-2s"}]})")) == "");
    CHECK(rig.modem().latency.least == 1s);
    CHECK(rig.modem().latency.most == 2s);
}
