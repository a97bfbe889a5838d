#include "modem/at/ussd.hpp"

#include <doctest/doctest.h>

#include "modem/at/dialogue.hpp"

using namespace conductor::at;

TEST_CASE("+CUSD: the text as the network meant it") {
    struct Row {
        const char* name;
        const char* line;
        bool packs;
        int status;
        const char* text;
    };
    const Row rows[] = {
        {"plain, dcs 15", "+CUSD: 0,\"Balance: 5.20 USD\",15", false, 0, "Balance: 5.20 USD"},
        {"UCS-2, dcs 72", "+CUSD: 0,\"00420061006C003A00200035\",72", false, 0, "Bal: 5"},
        {"UCS-2 hex with dcs 15 (T75)", "+CUSD: 2,\"004200610020\",15", false, 2, "Ba "},
        {"dcs 17 without language", "+CUSD: 0,\"00420061\",17", false, 0, "Ba"},
        {"dcs 17 with language", "+CUSD: 0,\"E53700420061\",17", false, 0, "Ba"},
        {"UCS-2 beyond Latin, dcs 72", "+CUSD: 1,\"041104300442\",72", false, 1, "\u0411\u0430\u0442"},
        {"odd octets, dcs 72", "+CUSD: 1,\"0042006100\",72", false, 1, "Ba"},
        {"packed (T43)", "+CUSD: 0,\"AA180C3602\",15", true, 0, "*100#"},
        {"packed, unquoted", "+CUSD: 0, AA180C3602", false, 0, "*100#"},
        {"digits are text", "+CUSD: 0,\"12345678\",15", false, 0, "12345678"},
        {"quotes and commas inside", "+CUSD: 1,\"Say \"hi\", then 1\",15", false, 1, "Say \"hi\", then 1"},
        {"no dcs", "+CUSD: 1,\"1 Balance\"", false, 1, "1 Balance"},
        {"cut", "+CUSD: 1,\"1 Balance, 2", false, 1, "1 Balance, 2"},
        {"Latin-1", "+CUSD: 0,\"caf\xE9\",15", false, 0, "caf\u00E9"},
        {"ended", "+CUSD: 2", false, 2, ""},
        {"other client", "+CUSD: 3", false, 3, ""},
        {"not supported", "+CUSD: 4", false, 4, ""},
        {"timeout", "+CUSD: 5", false, 5, ""},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const Ussd ussd = parse_ussd(row.line);
        CHECK(ussd.status == row.status);
        CHECK(ussd_text(ussd, row.packs) == row.text);
    }
}

TEST_CASE("+CUSD over several lines, however it is cut, and a quote that never closes swallows nothing") {
    struct Row {
        const char* name;
        const char* octets;
        const char* want;  ///< "ussd <text>", "ok", "urc" a line
    };
    const Row rows[] = {
        {"before OK", "\r\n+CUSD: 1,\"1 Balance\r\n2 Data\n\n0 End\",15\r\n\r\nOK\r\n", "ussd 1 Balance/2 Data/0 End\nok\n"},
        {"after OK", "\r\nOK\r\n\r\n+CUSD: 1,\"1 A\r\n2 B\",15\r\n", "ok\nussd 1 A/2 B\n"},
        {"an inner quote", "\r\n+CUSD: 0,\"5\" screen\r\nend\",15\r\n\r\nOK\r\n", "ussd 5\" screen/end\nok\n"},
        {"never closed: OK", "\r\n+CUSD: 1,\"1 A\r\n2 B\r\n\r\nOK\r\n", "ussd 1 A/2 B\nok\n"},
        {"never closed: a URC", "\r\n+CUSD: 1,\"1 A\r\n\r\n+CMTI: \"ME\",3\r\n\r\nOK\r\n", "ussd 1 A\nurc\nok\n"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const std::string octets = row.octets;
        for (const std::size_t piece : {octets.size(), std::size_t{1}, std::size_t{3}}) {
            CAPTURE(piece);
            Dialogue dialogue;
            dialogue.start(command("+CUSD=1,\"*100#\",15"));
            std::string got;
            const auto sink = [&](const Event& event) {
                if (std::holds_alternative<Finished>(event)) got += "ok\n";
                const auto* urc = std::get_if<Urc>(&event);
                if (!urc) return;
                const auto* ussd = std::get_if<Ussd>(urc);
                std::string text = ussd ? ussd->text : "";
                for (char& c : text)
                    if (c == '\n') c = '/';
                got += ussd ? "ussd " + text + "\n" : "urc\n";
            };
            for (std::size_t i = 0; i < octets.size(); i += piece) {
                const std::size_t n = std::min(piece, octets.size() - i);
                dialogue.feed({reinterpret_cast<const std::uint8_t*>(octets.data()) + i, n}, sink);
            }
            CHECK(got == row.want);
        }
    }
}

TEST_CASE("+CUSD that never closes leaves the next command's answer alone") {
    Dialogue dialogue;
    std::vector<std::string> lines;
    const auto sink = [&](const Event& event) {
        if (const auto* f = std::get_if<Finished>(&event)) lines = f->reply.lines;
    };
    const auto feed = [&](std::string_view s) { dialogue.feed({reinterpret_cast<const std::uint8_t*>(s.data()), s.size()}, sink); };
    feed("\r\n+CUSD: 1,\"1 A\r\n");
    dialogue.start(command("+CGMM"));
    feed("\r\nEX100\r\n\r\nOK\r\n");
    CHECK(lines == std::vector<std::string>{"EX100"});
}

TEST_CASE("+CUSD under AT+CSCS=\"GSM\": each octet is a septet of the GSM alphabet (T77)") {
    using namespace std::string_literals;
    struct Row {
        const char* name;
        std::string octets;  ///< of the quoted text
        int dcs;
        const char* gsm;
        const char* other;  ///< with another AT+CSCS
    };
    const Row rows[] = {
        {"escape, at sign, umlauts", "\x1b\x65 {|\x1b(\x1b)\x00}"s, 15, "\u20ac \u00e4\u00f6{}@\u00f1", "e {|()}"},
        {"letters below the blank", "\x01 5 \x05t\x05, \x09\x11\x7f"s, 15, "\u00a3 5 \u00e9t\u00e9, \u00c7_\u00e0", " 5 t, "},
        {"a second line that begins with one", "A\r\n\x04\x00"s, 15, "A\n\u00e8@", "A\n"},
        {"Latin-1, whatever the modem says its alphabet is", "caf\xe9 @"s, 15, "caf\u00e9 @", "caf\u00e9 @"},
        {"8 bit data", "A@"s, 68, "A@", "A@"},
        {"UCS-2", "00410040"s, 72, "A@", "A@"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const std::string octets = "\r\n+CUSD: 0,\"" + row.octets + "\"," + std::to_string(row.dcs) + "\r\n\r\nOK\r\n\x1b\r\nOK\r\n";
        for (const std::size_t piece : {octets.size(), std::size_t{1}}) {
            Dialogue dialogue;
            dialogue.start(command("+CUSD=1,\"*100#\",15"));
            std::vector<Ussd> got;
            int finals = 0;
            const auto sink = [&](const Event& event) {
                const auto* urc = std::get_if<Urc>(&event);
                if (urc) got.push_back(std::get<Ussd>(*urc));
                if (std::holds_alternative<Finished>(event) || std::holds_alternative<Stray>(event)) ++finals;
            };
            for (std::size_t i = 0; i < octets.size(); i += piece)
                dialogue.feed({reinterpret_cast<const std::uint8_t*>(octets.data()) + i, std::min(piece, octets.size() - i)}, sink);
            CHECK(finals == 2);
            REQUIRE(got.size() == 1);
            CHECK(got[0].dcs == row.dcs);
            CHECK(ussd_text(got[0], false, true) == row.gsm);
            CHECK(ussd_text(got[0], false, false) == row.other);
        }
    }
}
