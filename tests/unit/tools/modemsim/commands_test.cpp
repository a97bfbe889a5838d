#include <doctest/doctest.h>

#include <set>

#include "rig.hpp"

using namespace conductor;
using namespace conductor::modemsim;
using namespace std::chrono_literals;

TEST_CASE("modemsim: command lines") {
    struct Row {
        const char* name;
        const char* typed;
        const char* answer;
    };
    const Row rows[] = {
        {"several in one line", "ATE0V1&D2S0=0+CMGF=0;+CMEE=1\r", "ATE0V1&D2S0=0+CMGF=0;+CMEE=1\r\r\nOK\r\n"},
        {"no echo now", "AT\r", "\r\nOK\r\n"},
        {"line feed after CR", "AT\r\n", "\r\nOK\r\n"},
        {"lower case, blanks", "at +cmgf = 0 ; +csq\r", "\r\n+CSQ: 19,99\r\n\r\nOK\r\n"},
        {"junk in front", "\x1b\x03xyAT\r", "\r\nOK\r\n"},
        {"no AT", "hello\r", ""},
        {"stops at the first error", "AT+CMGF=7;+CSQ\r", "\r\nERROR\r\n"},
        {"unknown", "AT+NONE=1\r", "\r\nERROR\r\n"},
        {"semicolon in quotes", "AT+CSCS=\"A;B\"\r", "\r\n+CME ERROR: 50\r\n"},
        {"IMEI", "AT+CGSN\r", "\r\n350000000100004\r\n\r\nOK\r\n"},
        {"dial data", "ATD+15550100123\r", "\r\nNO CARRIER\r\n"},
        {"wrong argument", "AT+CFUN=3\r", "\r\n+CME ERROR: 50\r\n"},
        {"in words", "AT+CMEE=2;+CFUN=3\r", "\r\n+CME ERROR: incorrect parameters\r\n"},
        {"no codes", "AT+CMEE=0;+CFUN=3\r", "\r\nERROR\r\n"},
        {"memories", "AT+CPMS=\"ME\",\"SM\",\"MT\"\r", "\r\n+CPMS: 0,50,0,20,0,70\r\n\r\nOK\r\n"},
        {"memory it has not", "AT+CPMS=\"XX\"\r", "\r\n+CMS ERROR: 302\r\n"},
        {"reports are not written", "AT+CPMS=\"SR\",\"SR\"\r", "\r\n+CMS ERROR: 302\r\n"},
        {"CNMI out of range", "AT+CNMI=2,1,3\r", "\r\n+CMS ERROR: 303\r\n"},
        {"CNMI kept", "AT+CNMI?\r", "\r\n+CNMI: 0,0,0,0,0\r\n\r\nOK\r\n"},
        {"numbers for words", "ATV0\r", "0\r"},
        {"an info answer then", "AT+CSQ\r", "+CSQ: 19,99\r\n0\r"},
        {"an error then", "AT+NONE\r", "4\r"},
        {"quiet", "ATV1Q1\r", ""},
        {"back", "ATQ0\r", "\r\nOK\r\n"},
        {"factory settings bring the echo back", "AT&F\r", "\r\nOK\r\n"},
        {"echo", "AT\r", "AT\r\r\nOK\r\n"},
    };
    Rig rig;
    for (const Row& row : rows) {
        CAPTURE(row.name);
        CHECK(rig.type(row.typed) == row.answer);
    }
}

TEST_CASE("modemsim: settings survive a reset only when stored") {
    Rig rig;
    rig.at("ATE0+CMEE=1;&W");
    rig.at("AT+CMEE=2;+CMGF=1");
    rig.at("ATZ");
    CHECK(rig.at("AT+CMEE?;+CMGF?") == "\r\n+CMEE: 1\r\n+CMGF: 0\r\n\r\nOK\r\n");
    rig.ask(R"({"do":"reboot","down":"2s"})");
    CHECK(rig.at("AT") == "");  // off
    rig.run(3s);
    CHECK(rig.at("AT+CMEE?") == "\r\n+CMEE: 1\r\n\r\nOK\r\n");
}

TEST_CASE("modemsim: PIN, PUK, tries") {
    Rig rig;
    rig.at("ATE0+CMEE=1");
    rig.ask(R"({"do":"pin","modem":0,"pin":"1234"})");
    CHECK(rig.at("AT+CPIN?") == "\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n");
    CHECK(rig.at("AT+CMGS=19") == "\r\n+CMS ERROR: 311\r\n");
    CHECK(rig.at("AT+CREG?") == "\r\n+CREG: 0,0\r\n\r\nOK\r\n");
    CHECK(rig.at("AT+CPIN=\"0000\"") == "\r\n+CME ERROR: 16\r\n");
    CHECK(rig.at("AT+CPINR") == "\r\n+CPINR: SIM PIN,2,3\r\n+CPINR: SIM PUK,10,10\r\n\r\nOK\r\n");
    CHECK(rig.at("AT+CPIN=\"1234\"") == "\r\nOK\r\n");
    CHECK(rig.modem().sim().pin_tries == 3);
    rig.run(1s);
    CHECK(rig.at("AT+CREG?") == "\r\n+CREG: 0,1\r\n\r\nOK\r\n");
    rig.ask(R"({"do":"pin","modem":0,"lock":true})");
    for (int i = 0; i < 3; ++i) rig.at("AT+CPIN=\"0000\"");
    CHECK(rig.at("AT+CPIN?") == "\r\n+CPIN: SIM PUK\r\n\r\nOK\r\n");
    CHECK(rig.at("AT+CPIN=\"1234\"") == "\r\n+CME ERROR: 12\r\n");
    CHECK(rig.at("AT+CPIN=\"12345678\",\"4321\"") == "\r\nOK\r\n");
    CHECK(rig.modem().sim().pin == "4321");
    rig.ask(R"({"do":"reboot","down":"1s"})");
    rig.run(5s);
    rig.at("ATE0");
    CHECK(rig.at("AT+CPIN?") == "\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n");
}

TEST_CASE("modemsim: registration, its URCs and the radio") {
    Rig rig;
    rig.at("ATE0+CREG=1;+CEREG=2");
    rig.ask(R"({"do":"registration","modem":0,"stat":[3,0,6]})");
    CHECK(rig.take() == "\r\n+CREG: 3\r\n\r\n+CEREG: 6,\"1A2B\",\"0100C3D4\",7\r\n");
    CHECK(rig.modem().reachable());  // SMS only
    rig.ask(R"({"do":"registration","modem":0,"stat":2})");
    CHECK_FALSE(rig.modem().reachable());
    rig.take();
    rig.ask(R"({"do":"registration","modem":0,"stat":1})");
    rig.at("AT+CFUN=4");
    rig.take();
    rig.run(1s);
    CHECK(rig.take() == "\r\n+CREG: 0\r\n\r\n+CEREG: 0\r\n");
    CHECK(rig.at("AT+COPS?") == "\r\n+COPS: 0\r\n\r\nOK\r\n");
    rig.at("AT+CFUN=1");
    rig.run(1s);
    CHECK(rig.at("AT+COPS=3,2;+COPS?") == "\r\n+COPS: 0,2,\"00101\",7\r\n\r\nOK\r\n");
}

TEST_CASE("modemsim: what makes of modem say differently") {
    FleetOptions options;
    options.profile = "huawei";
    Rig huawei{options};
    huawei.at("ATE0");
    CHECK(huawei.at("AT+NONE") == "\r\nCOMMAND NOT SUPPORT\r\n");
    CHECK(huawei.at("AT+CMGR=0") == "\r\nOK\r\n");
    CHECK(huawei.at("AT^ICCID?") == "\r\n^ICCID: 980001010001000000F0\r\n\r\nOK\r\n");
    huawei.run(10s);
    CHECK(huawei.take() == "\r\n^RSSI:19\r\n");
    huawei.at("AT^CURC=0");
    huawei.run(60s);
    CHECK(huawei.take() == "");
    CHECK(huawei.at("AT+CUSD=1,\"AA180C3602\",15") == "\r\nOK\r\n");  // *100# packed
    huawei.run(1s);
    CHECK(huawei.take() == "\r\n+CUSD: 0,\"C2303BEC1E974131980B060355A744\",15\r\n");

    options.profile = "quectel";
    Rig quectel{options};
    quectel.at("ATE0");
    CHECK(quectel.at("AT+CUSD=1,\"*100#\",15") == "");  // OK comes after the answer
    quectel.run(1s);
    CHECK(quectel.take() == "\r\n+CUSD: 0,\"Balance 10.00 USD\",15\r\n\r\nOK\r\n");

    options.profile = "sim800";
    Rig sim800{options};
    sim800.ask(R"({"do":"reboot","down":"1s"})");
    sim800.run(1500ms);
    CHECK(sim800.take().starts_with("\r\nRDY\r\n\r\n+CFUN: 1\r\n"));
    CHECK(sim800.at("AT+CMGF=0") == "AT+CMGF=0\r\r\nERROR\r\n");  // before SMS Ready
    sim800.run(2s);
    CHECK(sim800.at("ATE0") == "ATE0\rATE0\r\r\nOK\r\n");
    CHECK(sim800.at("AT+NONE") == "\r\n+CME ERROR: 100\r\n");
}

TEST_CASE("modemsim: USSD dialogue and calls") {
    Rig rig;
    rig.at("ATE0+CLIP=1");
    rig.ask(R"({"do":"ussd","code":"*123#","text":"1 balance\n2 data","steps":{"1":"12.50","*":{"text":"Нет","type":0}}})");
    rig.at("AT+CUSD=1,\"*123#\",15");
    rig.run(1s);
    CHECK(rig.take() == "\r\n+CUSD: 1,\"1 balance\n2 data\",15\r\n");
    rig.at("AT+CUSD=1,\"1\",15");
    rig.run(1s);
    CHECK(rig.take() == "\r\n+CUSD: 0,\"12.50\",15\r\n");
    rig.at("AT+CUSD=1,\"*123#\",15;");
    rig.run(1s);
    rig.at("AT+CUSD=1,\"9\",15");
    rig.run(1s);
    CHECK(rig.take() == "\r\n+CUSD: 0,\"041D04350442\",72\r\n");
    rig.at("AT+CUSD=1,\"*9#\",15");
    rig.run(1s);
    CHECK(rig.take() == "\r\n+CUSD: 4\r\n");

    rig.ask(R"({"do":"ring","modem":0,"from":"+15550100130","times":5})");
    CHECK(rig.take() == "\r\nRING\r\n\r\n+CLIP: \"+15550100130\",145,,,,0\r\n");
    rig.run(3s);
    CHECK(rig.take() == "\r\nRING\r\n\r\n+CLIP: \"+15550100130\",145,,,,0\r\n");
    CHECK(rig.at("ATH") == "\r\nOK\r\n");
    rig.run(10s);
    CHECK(rig.take() == "");
}

TEST_CASE("modemsim: identities are valid and follow from the seed") {
    FleetOptions options;
    options.modems = 64;
    options.seed = 4711;
    Rig one{options}, two{options};
    std::set<std::string> seen;
    for (std::size_t i = 0; i < 64; ++i) {
        SimModem& m = one.modem(i);
        CHECK(m.imei().size() == 15);
        CHECK(luhn(std::string_view{m.imei()}.substr(0, 14)) == m.imei().back());
        CHECK(m.sim().iccid.size() == 19);
        CHECK(luhn(std::string_view{m.sim().iccid}.substr(0, 18)) == m.sim().iccid.back());
        CHECK(m.sim().imsi.size() == 15);
        seen.insert({m.imei(), m.sim().iccid, m.sim().imsi, m.sim().number});
        CHECK(two.modem(i).imei() == m.imei());
        CHECK(two.modem(i).sim().iccid == m.sim().iccid);
    }
    CHECK(seen.size() == 64 * 4);
    CHECK(luhn("7992739871") == '3');
}
