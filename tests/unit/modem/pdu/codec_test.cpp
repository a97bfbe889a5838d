#include <doctest/doctest.h>

#include "modem/pdu/pdu.hpp"

using namespace conductor;
using namespace conductor::pdu;

namespace {

Pdu must_decode(const std::string& hex, Way way) {
    const Result<Pdu> got = decode_hex(hex, way);
    REQUIRE_MESSAGE(got.has_value(), (got ? std::string{} : got.error().text()));
    return *got;
}

template <class T>
T must_be(const std::string& hex, Way way) {
    const Pdu pdu = must_decode(hex, way);
    REQUIRE(std::holds_alternative<T>(pdu.tpdu));
    return std::get<T>(pdu.tpdu);
}

}  // namespace

TEST_CASE("decode: SMS-SUBMIT with relative validity") {
    const Pdu pdu = must_decode("0011000B915155100021F30000AA0AE8329BFD4697D9EC37", Way::mobile_originated);
    CHECK_FALSE(pdu.smsc.has_value());
    const auto& s = std::get<Submit>(pdu.tpdu);
    CHECK(s.to == Address{"+15550100123", Ton::international, 1});
    CHECK(s.validity == Validity{RelativeValidity{0xAA}});
    CHECK(std::get<RelativeValidity>(s.validity).duration() == std::chrono::days{4});
    CHECK(s.data.text == "hellohello");
    CHECK(to_hex(s.data.octets) == "E8329BFD4697D9EC37");
    CHECK_FALSE(s.report_request);
    const auto again = encode(pdu);
    REQUIRE(again.has_value());
    CHECK(again->hex() == "0011000B915155100021F30000AA0AE8329BFD4697D9EC37");
    CHECK(again->tpdu_length == 23);
}

TEST_CASE("decode: SMS-DELIVER") {
    const std::string hex = "07915155100000F0040BC85155100021F30000993092516195800AE8329BFD4697D9EC37";
    const Pdu pdu = must_decode(hex, Way::mobile_terminated);
    REQUIRE(pdu.smsc.has_value());
    CHECK(pdu.smsc->digits == "+15550100000");
    const auto& d = std::get<Deliver>(pdu.tpdu);
    CHECK(d.from == Address{"15550100123", Ton::subscriber, 8});
    CHECK_FALSE(d.more_to_send);
    CHECK(d.time == Timestamp{2099, 3, 29, 15, 16, 59, 8});
    CHECK(d.time.iso() == "2099-03-29T15:16:59+02:00");
    CHECK(d.data.text == "hellohello");
    CHECK(encode(pdu)->hex() == hex);
}

TEST_CASE("decode: SMS-STATUS-REPORT with and without optional fields") {
    const std::string bare = "0006D60B915155100021F3111011719551401110117195714000";
    const auto r = must_be<StatusReport>(bare, Way::mobile_terminated);
    CHECK(r.mr == 0xD6);
    CHECK(r.recipient.digits == "+15550100123");
    CHECK(r.time.iso() == "2011-01-11T17:59:15+01:00");
    CHECK(r.discharge.iso() == "2011-01-11T17:59:17+01:00");
    CHECK(r.status == 0);
    CHECK_FALSE(r.pid.has_value());
    CHECK(encode(must_decode(bare, Way::mobile_terminated))->hex() == bare);

    // Filling behind the report is no TP-PI: a caller may cut it.
    for (const std::string padding : {"FF", "FFFFFFFF"}) {
        const auto padded = decode_hex(bare + padding, Way::mobile_terminated);
        REQUIRE_FALSE(padded.has_value());
        CHECK(padded.error().is(PduErrc::trailing));
        CHECK(octet_of(padded.error()) == bare.size() / 2);
    }

    // TP-PI says PID, DCS and user data follow.
    const std::string full = bare + "07" + "00" + "04" + "02" + "CAFE";
    const auto f = must_be<StatusReport>(full, Way::mobile_terminated);
    CHECK(f.pid == std::uint8_t{0});
    REQUIRE(f.data.has_value());
    CHECK(to_hex(f.data->octets) == "CAFE");
    CHECK(encode(must_decode(full, Way::mobile_terminated))->hex() == full);
}

TEST_CASE("decode: SMS-DELIVER-REPORT for RP-ACK and RP-ERROR") {
    const auto ack = must_be<DeliverReport>("00000700000361F118", Way::mobile_originated);
    CHECK_FALSE(ack.failure.has_value());
    CHECK(ack.pid == std::uint8_t{0});
    REQUIRE(ack.data.has_value());
    CHECK(ack.data->text == "abc");
    const auto error = must_be<DeliverReport>("0000D300", Way::mobile_originated);
    CHECK(error.failure == std::uint8_t{0xD3});
    CHECK_FALSE(error.data.has_value());
    for (const char* hex : {"00000700000361F118", "0000D300", "000000", "0000D30700000361F118"}) {
        CAPTURE(hex);
        CHECK(encode(must_decode(hex, Way::mobile_originated))->hex() == hex);
    }
    const auto refused = encode({.smsc = {}, .tpdu = DeliverReport{.failure = std::uint8_t{0x7F}}});
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().is(PduErrc::bad_field));
    CHECK(refused.error().where == "TP-FCS");
}

TEST_CASE("decode: every error names its field and octet") {
    constexpr auto mo = Way::mobile_originated, mt = Way::mobile_terminated;
    struct Row {
        const char* name;
        const char* hex;
        Way way;
        PduErrc code;
        const char* where;
    };
    const Row rows[] = {{"nothing", "", mt, PduErrc::truncated, "SCA@0"},
                        {"no hex", "00G1", mo, PduErrc::bad_hex, "hex@1"},
                        {"odd hex", "000", mo, PduErrc::bad_hex, "hex@1"},
                        {"all FF, a dummy record", "FFFFFFFFFFFF", mt, PduErrc::bad_address, "SCA@0"},
                        {"SMSC cut", "079172", mt, PduErrc::truncated, "SCA@2"},
                        {"no type", "00", mt, PduErrc::truncated, "TP-MTI@1"},
                        {"SMS-COMMAND", "0002", mo, PduErrc::bad_type, "TP-MTI@1"},
                        {"SMS-SUBMIT-REPORT", "0001", mt, PduErrc::bad_type, "TP-MTI@1"},
                        {"address too long", "0001001591", mo, PduErrc::bad_address, "TP-DA@3"},
                        {"fill before a digit", "0001000491F1F2", mo, PduErrc::bad_address, "TP-DA@6"},
                        {"address cut", "0001000B9164", mo, PduErrc::truncated, "TP-DA@5"},
                        {"no PID", "000100029121", mo, PduErrc::truncated, "TP-PID@6"},
                        {"no DCS", "00010002912100", mo, PduErrc::truncated, "TP-DCS@7"},
                        {"no VP", "0011000291210000", mo, PduErrc::truncated, "TP-VP@8"},
                        {"161 septets", "0001000291210000A1", mo, PduErrc::bad_length, "TP-UDL@8"},
                        {"141 octets", "00010002912100048D", mo, PduErrc::bad_length, "TP-UDL@8"},
                        {"user data cut", "00010002912100000361F1", mo, PduErrc::truncated, "TP-UD@9"},
                        {"user data too long", "00010002912100000361F11800", mo, PduErrc::trailing, "TPDU@12"},
                        {"header without octets", "004100029121000400", mo, PduErrc::bad_udh, "UDH@9"},
                        {"header overruns", "0041000291210004020200", mo, PduErrc::bad_udh, "UDH@9"},
                        {"header ends behind the last septet", "0041000291210000070600010203040506", mo, PduErrc::bad_udh, "UDH@9"},
                        {"SCTS cut", "00040291210000111111", mt, PduErrc::truncated, "TP-SCTS@7"},
                        {"status cut", "0006D60B915155100021F31110117195514011101171957140", mt, PduErrc::truncated, "TP-ST@25"}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const auto got = decode_hex(row.hex, row.way);
        REQUIRE_FALSE(got.has_value());
        CHECK(got.error().is(row.code));
        CHECK(got.error().where == row.where);
    }
    CHECK(octet_of(fail(PduErrc::trailing, "TPDU", 13)) == std::size_t{13});
    CHECK_FALSE(octet_of(fail(PduErrc::bad_field, "TP-FCS")).has_value());
}

TEST_CASE("every prefix of a PDU is truncated, and no octet behind it is lost") {
    const std::string hex = "07915155100000F0440BC85155100021F300009930925161958017050003CC0201986F79B90D4AC3E7F53688FC66BF01";
    const auto octets = from_hex(hex);
    REQUIRE(octets.has_value());
    REQUIRE(decode(*octets, Way::mobile_terminated).has_value());
    for (std::size_t n = 0; n < octets->size(); ++n) {
        CAPTURE(n);
        const auto got = decode(View{*octets}.first(n), Way::mobile_terminated);
        REQUIRE_FALSE(got.has_value());
        CHECK(got.error().is(PduErrc::truncated));
    }
    for (const char* padding : {"FF", "00", "FFFFFFFF"}) {
        const auto got = decode_hex(hex + padding, Way::mobile_terminated);
        REQUIRE_FALSE(got.has_value());
        CHECK(got.error().is(PduErrc::trailing));
        CHECK(octet_of(got.error()) == octets->size());
    }
}

TEST_CASE("concatenation, ports and unknown elements") {
    const auto d = must_be<Deliver>("07915155100000F0440BC85155100021F300009930925161958017050003CC0201986F79B90D4AC3E7F53688FC66BF01",
                                    Way::mobile_terminated);
    CHECK(d.data.text == "Lorem ipsum dolo");
    CHECK(find_concat(d.data.udh) == Concat{0xCC, 2, 1, false});
    struct Row {
        const char* name;
        Udh udh;
        std::optional<Concat> want;
    };
    const Row rows[] = {{"8-bit", {{0x00, {7, 3, 1}}}, Concat{7, 3, 1, false}},
                        {"16-bit behind ports", {{0x05, {0x0B, 0x84, 0x23, 0xF0}}, {0x08, {1, 2, 3, 3}}}, Concat{0x0102, 3, 3, true}},
                        {"sequence 0", {{0x00, {7, 2, 0}}}, std::nullopt},
                        {"sequence above total", {{0x00, {7, 2, 3}}}, std::nullopt},
                        {"wrong length", {{0x00, {7, 2}}}, std::nullopt},
                        {"the last of two", {{0x00, {7, 2, 1}}, {0x00, {8, 2, 2}}}, Concat{8, 2, 2, false}},
                        {"a bad one does not unset", {{0x00, {7, 2, 1}}, {0x00, {8, 2, 0}}}, Concat{7, 2, 1, false}}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        CHECK(find_concat(row.udh) == row.want);
    }
    CHECK(find_ports({{0x05, {0x0B, 0x84, 0x23, 0xF0}}}) == Ports{2948, 9200, true});
    CHECK(find_ports({{0x04, {226, 227}}}) == Ports{226, 227, false});
    CHECK_FALSE(find_ports({{0x05, {1, 2}}}).has_value());
    CHECK(find_national({{0x24, {1}}, {0x25, {3}}}) == National{1, 3});
}
