#include "tools/conductorctl/pdu.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

using namespace conductor::ctl;
using nlohmann::json;

namespace {

struct Ran {
    int exit;
    std::string out, err;
};

Ran run_encode(const PduEncodeOptions& options, bool as_json = true) {
    std::ostringstream out, err;
    const int code = pdu_encode(options, as_json, out, err);
    return {code, out.str(), err.str()};
}

Ran run_decode(const std::string& hex, std::optional<std::string> direction = {}, bool as_json = true, const std::string& input = {}) {
    std::ostringstream out, err;
    std::istringstream in{input};
    const int code = pdu_decode(hex, std::move(direction), as_json, in, out, err);
    return {code, out.str(), err.str()};
}

/// Every field of `want` is in `got`, objects compared by what they name.
bool agrees(const json& want, const json& got) {
    if (!want.is_object() || !got.is_object()) return want == got;
    return std::ranges::all_of(want.items(),
                               [&](const auto& field) { return got.contains(field.key()) && agrees(field.value(), got[field.key()]); });
}

}  // namespace

TEST_CASE("pdu decode: every PDU of the oracle corpus, none of which our encoder made") {
    std::ifstream corpus{SOURCE_DIR "/tests/oracle/corpus.ndjson"};
    int count = 0;
    for (std::string line; std::getline(corpus, line); ++count) {
        const json row = json::parse(line);
        CAPTURE(row["id"].get<std::string>());
        const Ran ran = run_decode(row["hex"], row["way"]);
        CHECK(ran.exit == 0);
        const json got = json::parse(ran.out);
        CHECK_MESSAGE(agrees(row["want"], got), got.dump());
        CHECK(json::parse(run_decode(row["hex"]).out)["type"] == row["want"]["type"]);  // without a direction, too
    }
    CHECK(count >= 400);
}

TEST_CASE("pdu encode --json") {
    const Ran one = run_encode({.to = "+15550100123", .text = "hellohello", .validity = "4d"});
    CHECK(one.exit == 0);
    CHECK(one.err.empty());
    CHECK(
        json::parse(one.out) ==
        json::parse(
            R"({"encoding": "gsm7", "segments": 1, "pdus": [{"length": 23, "hex": "0011000B915155100021F30000AA0AE8329BFD4697D9EC37"}]})"));

    const Ran two = run_encode({.to = "+15550100123", .text = std::string(161, 'a'), .report = true, .smsc = "+15550100000", .ref = 7});
    const json j = json::parse(two.out);
    CHECK(j["segments"] == 2);
    CHECK(j["pdus"][0]["length"] == 153);
    CHECK(j["pdus"][0]["hex"].get<std::string>().starts_with("07915155100000F061000B915155100021F30000A0050003070201"));
    // The length counts the TPDU, without the service centre's 8 octets.
    for (const json& pdu : j["pdus"]) CHECK(pdu["hex"].get<std::string>().size() == 2 * (8 + pdu["length"].get<std::size_t>()));
}

TEST_CASE("pdu encode: options end in the PDU") {
    const auto decoded = [](const PduEncodeOptions& options) {
        const Ran encoded = run_encode(options);
        REQUIRE(encoded.exit == 0);
        const Ran back = run_decode(json::parse(encoded.out)["pdus"][0]["hex"].get<std::string>());
        REQUIRE(back.exit == 0);
        return json::parse(back.out);
    };
    CHECK(decoded({.to = "15555", .text = "x"})["address_type"] == "unknown");
    CHECK(decoded({.to = "+1 (555) 010-0123", .text = "x"})["address"] == "+15550100123");
    CHECK(decoded({.to = "15555", .text = "x", .report = true})["report_requested"] == true);
    CHECK(decoded({.to = "15555", .text = "x", .flash = true})["class"] == 0);
    CHECK(decoded({.to = "15555", .text = "ж", .flash = true})["dcs"] == 0x18);
    CHECK(decoded({.to = "15555", .text = "x", .validity = "24h"})["validity"] == "24h");
    CHECK(decoded({.to = "15555", .text = "x", .validity = "31s"})["validity"] == "5m");
    CHECK(decoded({.to = "15555", .text = "x"})["validity"].is_null());
    CHECK(decoded({.to = "15555", .text = "x", .smsc = "+15550100000"})["smsc"] == "+15550100000");
    CHECK(decoded({.to = "15555", .text = "x", .encoding = "ucs2"})["encoding"] == "ucs2");
    const json wide = decoded({.to = "15555", .text = std::string(200, 'a'), .ref = 4660});
    CHECK(wide["udh"]["concat"] == json({{"ref", 4660}, {"total", 2}, {"seq", 1}, {"bits", 16}}));
}

TEST_CASE("pdu encode: exit codes") {
    struct Row {
        const char* name;
        PduEncodeOptions options;
        int exit;
        const char* error = "";
    };
    const Row rows[] = {{"no number", {.to = "", .text = "x"}, 2},
                        {"letters", {.to = "CALLME", .text = "x"}, 2},
                        {"21 digits", {.to = "123456789012345678901", .text = "x"}, 2},
                        {"bad validity", {.to = "15555", .text = "x", .validity = "24"}, 2},
                        {"bad unit", {.to = "15555", .text = "x", .validity = "24y"}, 2},
                        {"bad reference", {.to = "15555", .text = "x", .ref = 65536}, 2},
                        {"bad encoding", {.to = "15555", .text = "x", .encoding = "latin1"}, 2},
                        {"bad centre", {.to = "15555", .text = "x", .smsc = "abc"}, 2},
                        {"empty text", {.to = "15555", .text = ""}, 1, "empty"},
                        {"bad UTF-8", {.to = "15555", .text = "\xff"}, 1, "bad_utf8"},
                        {"not in GSM-7", {.to = "15555", .text = "ж", .encoding = "gsm7"}, 1, "not_encodable"}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const Ran ran = run_encode(row.options);
        CHECK(ran.exit == row.exit);
        CHECK_FALSE(ran.err.empty());
        REQUIRE(ran.out.empty() == (row.exit == 2));
        if (row.exit == 1) CHECK(json::parse(ran.out)["error"]["code"] == row.error);
        CHECK(run_encode(row.options, false).out.empty());
    }
    CHECK(run_encode({.to = "15555", .text = "x"}, false).out ==
          "gsm7, 1 segment\nAT+CMGS=11\n000100058151"
          "55F500000178\n");
}

TEST_CASE("pdu decode --json has every field of the contract") {
    const Ran ran = run_decode("07915155100000F0440BC85155100021F300009930925161958017050003CC0201986F79B90D4AC3E7F53688FC66BF01");
    REQUIRE(ran.exit == 0);
    const json want = json::parse(R"({"type": "deliver", "smsc": "+15550100000", "address": "15550100123", "address_type": "subscriber",
        "text": "Lorem ipsum dolo", "encoding": "gsm7", "timestamp": "2099-03-29T15:16:59+02:00", "class": null, "pid": 0, "dcs": 0,
        "udh": {"concat": {"ref": 204, "total": 2, "seq": 1, "bits": 8}, "ports": null, "national": null,
                "elements": [{"iei": 0, "data": "CC0201"}]},
        "mr": null, "status": null, "status_text": null, "discharge": null, "report_requested": false, "validity": null,
        "data_hex": null, "more_to_send": false, "reply_path": false})");
    CHECK(json::parse(ran.out) == want);
    const char* hexes[] = {"0011000B915155100021F30000AA0AE8329BFD4697D9EC37", "0006D60B915155100021F3111011719551401110117195714000",
                           "00000700000361F118", "0000D300"};
    for (const char* hex : hexes) {
        CAPTURE(hex);
        const json got = json::parse(run_decode(hex).out);
        for (const auto& [key, value] : want.items()) {
            if (key != "more_to_send" && key != "reply_path") CHECK_MESSAGE(got.contains(key), key);
        }
    }
}

TEST_CASE("pdu decode guesses the direction") {
    struct Row {
        const char* hex;
        const char* type;
    };
    const Row rows[] = {{"0011000B915155100021F30000AA0AE8329BFD4697D9EC37", "submit"},
                        {"0006D60B915155100021F3111011719551401110117195714000", "status-report"},
                        {"00040291210000621112010000000361F118", "deliver"},
                        {"00000700000361F118", "deliver-report"},
                        {"0000D300", "deliver-report"}};
    for (const Row& row : rows) {
        CAPTURE(row.hex);
        const Ran ran = run_decode(row.hex);
        CHECK(ran.exit == 0);
        CHECK(json::parse(ran.out)["type"] == row.type);
    }
    const json report = json::parse(run_decode(rows[1].hex).out);
    CHECK(report["mr"] == 214);
    CHECK(report["status"] == 0);
    CHECK(report["status_text"] == "delivered");
    CHECK(report["discharge"] == "2011-01-11T17:59:17+01:00");
    CHECK(report["dcs"].is_null());
}

TEST_CASE("pdu decode: no service centre, in both forms that devices write") {
    for (const char* hex : {"00040291210000621112010000000361F118", "0181040291210000621112010000000361F118"}) {
        CAPTURE(hex);
        const json got = json::parse(run_decode(hex).out);
        CHECK(got["smsc"].is_null());
        CHECK(got["text"] == "abc");
    }
}

TEST_CASE("pdu decode: 8-bit data and validity") {
    const json data = json::parse(run_decode("0051000291210004FF0B0605040B8423F0CAFE0000").out);
    CHECK(data["text"].is_null());
    CHECK(data["encoding"] == "data8");
    CHECK(data["data_hex"] == "CAFE0000");
    CHECK(data["udh"]["ports"] == json({{"destination", 2948}, {"source", 9200}, {"bits", 16}}));
    struct Row {
        const char* hex;
        const char* validity;
    };
    const Row rows[] = {{"001100029121000000"
                         "00",
                         "5m"},
                        {"0011000291210000A7"
                         "00",
                         "24h"},
                        {"0011000291210000FF"
                         "00",
                         "441d"},
                        {"0019000291210000"
                         "62111201000000"
                         "00",
                         "2026-11-21T10:00:00+00:00"},
                        {"0009000291210000"
                         "02140000000000"
                         "00",
                         "20s"},
                        {"0009000291210000"
                         "03214365000000"
                         "00",
                         "12:34:56"},
                        {"0009000291210000"
                         "01A70000000000"
                         "00",
                         "24h"},
                        {"0009000291210000"
                         "00000000000000"
                         "00",
                         "enhanced:00000000000000"}};
    for (const Row& row : rows) {
        CAPTURE(row.hex);
        const Ran ran = run_decode(row.hex);
        REQUIRE(ran.exit == 0);
        CHECK(json::parse(ran.out)["validity"] == row.validity);
    }
}

TEST_CASE("pdu decode: errors") {
    const Ran cut = run_decode("00010002912100000361F1");
    CHECK(cut.exit == 1);
    CHECK(cut.err == "pdu decode: TP-UD@9: ends inside a field\n");
    CHECK(json::parse(cut.out)["error"] == json({{"code", "truncated"}, {"message", "ends inside a field"}, {"field", "TP-UD@9"}}));
    CHECK(run_decode("00010002912100000361F1", {}, false).out.empty());
    CHECK(run_decode("00", "up").exit == 2);
    CHECK(run_decode("0001000291210000"
                     "0361F118",
                     "mt")
              .exit == 1);

    const Ran lines =
        run_decode("-", {}, false, "00040291210000621112010000000361F118\r\n\nzz\n0011000B915155100021F30000AA0AE8329BFD4697D9EC37");
    CHECK(lines.exit == 1);
    std::istringstream in{lines.out};
    std::vector<json> got;
    for (std::string line; std::getline(in, line);) got.push_back(json::parse(line));
    REQUIRE(got.size() == 4);  // one for each line: they pair
    CHECK(got[0]["text"] == "abc");
    CHECK(got[1]["error"]["code"] == "truncated");
    CHECK(got[2]["error"]["field"] == "hex@0");
    CHECK(got[3]["text"] == "hellohello");
}

TEST_CASE("pdu decode for people: a stranger's text does not steer the terminal") {
    // ESC ] 0 ; x BEL, U+202E, a line break, U+009B, A
    const std::string pdu = "00040B915155100021F300086211128130422B14001B005D0030003B00780007202E000A009B0041";
    const auto ran = run_decode(pdu, {}, false);
    CHECK(ran.exit == 0);
    CHECK(ran.out.find("text             ·]0;x··⏎·A\n") != std::string::npos);
    const auto as_json = run_decode(pdu);
    CHECK(json::parse(as_json.out)["text"] ==
          "\x1b]0;x\x07\u202e\n\u009b"
          "A");
}

TEST_CASE("pdu decode for people") {
    const Ran ran = run_decode("00040291210000621112010000000361F118", {}, false);
    CHECK(ran.exit == 0);
    CHECK(ran.out.find("text             abc\n") != std::string::npos);
    CHECK(ran.out.find("timestamp        2026-11-21T10:00:00+00:00\n") != std::string::npos);
    CHECK(ran.out.find("null") == std::string::npos);
}
