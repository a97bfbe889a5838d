#include <doctest/doctest.h>

#include <cstdlib>

#include "modem/pdu/fields.hpp"
#include "modem/pdu/gsm7.hpp"
#include "modem/pdu/unicode.hpp"

using namespace conductor;
using namespace conductor::pdu;

TEST_CASE("TP-DCS: every group of TS 23.038 §4") {
    struct Row {
        const char* name;
        std::uint8_t raw;
        Dcs want;
    };
    const Row rows[] = {
        {"default", 0x00, {0x00, Alphabet::gsm7}},
        {"class bits without a class", 0x03, {0x03, Alphabet::gsm7}},
        {"8-bit", 0x04, {0x04, Alphabet::data8}},
        {"UCS-2", 0x08, {0x08, Alphabet::ucs2}},
        {"reserved alphabet", 0x0C, {0x0C, Alphabet::gsm7}},
        {"flash", 0x10, {0x10, Alphabet::gsm7, 0}},
        {"class 3 UCS-2", 0x1B, {0x1B, Alphabet::ucs2, 3}},
        {"compressed", 0x20, {0x20, Alphabet::gsm7, std::nullopt, true}},
        {"auto delete, class 1", 0x51, {0x51, Alphabet::gsm7, 1, false, true}},
        {"auto delete, compressed UCS-2", 0x68, {0x68, Alphabet::ucs2, std::nullopt, true, true}},
        {"reserved group", 0x84, {0x84, Alphabet::gsm7}},
        {"reserved group", 0xBF, {0xBF, Alphabet::gsm7}},
        {"voice mail waiting, discard", 0xC8, {0xC8, Alphabet::gsm7, std::nullopt, false, false, Dcs::Waiting{true, 0, false}}},
        {"fax, none waiting, store", 0xD1, {0xD1, Alphabet::gsm7, std::nullopt, false, false, Dcs::Waiting{false, 1, true}}},
        {"e-mail waiting, UCS-2", 0xEA, {0xEA, Alphabet::ucs2, std::nullopt, false, false, Dcs::Waiting{true, 2, true}}},
        {"class 0", 0xF0, {0xF0, Alphabet::gsm7, 0}},
        {"8-bit class 2", 0xF6, {0xF6, Alphabet::data8, 2}}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        CHECK(parse_dcs(row.raw) == row.want);
    }
    CHECK(make_dcs(Alphabet::ucs2) == 0x08);
    CHECK(make_dcs(Alphabet::gsm7, 0) == 0x10);
    CHECK(make_dcs(Alphabet::data8, 3) == 0x17);
    // Made by hand, with no raw octet.
    CHECK(*dcs_octet({.alphabet = Alphabet::ucs2, .message_class = 0}) == 0x18);
    CHECK_FALSE(dcs_octet({.raw = 0x08, .alphabet = Alphabet::gsm7}).has_value());
    CHECK_FALSE(dcs_octet({.message_class = 4}).has_value());
    for (int raw = 0; raw < 256; ++raw) CHECK(*dcs_octet(parse_dcs(static_cast<std::uint8_t>(raw))) == raw);
}

TEST_CASE("addresses") {
    struct Row {
        const char* name;
        const char* hex;  // length octet, type, value
        Address want;
    };
    const Row rows[] = {
        {"international", "0B915155100021F3", {"+15550100123", Ton::international, 1}},
        {"national", "0AA15555101032", {"5555010123", Ton::national, 1}},
        {"short code", "05815155F5", {"15555", Ton::unknown, 1}},
        {"star, hash, letters", "0681BADCEE", {"*#abcc"}},
        {"no digits", "0091", {"", Ton::international, 1}},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Octets octets = *from_hex(row.hex);
        Reader in{octets};
        CHECK(read_address(in, "TP-DA") == row.want);
        CHECK(in.ok());
        CHECK(in.left() == 0);
        Octets out;
        REQUIRE(write_address(out, row.want, "TP-DA").has_value());
        CHECK(to_hex(out) == row.hex);
    }
}

TEST_CASE("alphanumeric addresses of every length") {
    for (const std::string text :
         {"A", "AB", "ABC", "ABCD", "ABCDE", "ABCDEF", "ABCDEFG", "ABCDEFGH", "@Home äöü", "€xample.co", "ABCDEFGHIJK"}) {
        CAPTURE(text);
        Octets out;
        REQUIRE(write_address(out, {text, Ton::alphanumeric, 0}, "TP-OA").has_value());
        Reader in{out};
        CHECK(read_address(in, "TP-OA") == Address{text, Ton::alphanumeric, 0});
        CHECK((in.ok() && in.left() == 0));
    }
    Octets out;
    CHECK_FALSE(write_address(out, {"ABCDEFGHIJKL", Ton::alphanumeric, 0}, "TP-OA").has_value());
    CHECK_FALSE(write_address(out, {"Привет", Ton::alphanumeric, 0}, "TP-OA").has_value());
    CHECK_FALSE(write_address(out, {"+1", Ton::unknown, 1}, "TP-OA").has_value());
    CHECK_FALSE(write_address(out, {"555 01", Ton::unknown, 1}, "TP-OA").has_value());
    CHECK_FALSE(write_address(out, {"123456789012345678901", Ton::unknown, 1}, "TP-OA").has_value());
    CHECK(out.empty());
}

TEST_CASE("time stamps: zones in quarter hours, impossible dates") {
    struct Row {
        const char* name;
        const char* hex;
        Timestamp want;
        const char* iso;
        const char* utc;
    };
    const Row rows[] = {
        {"Los Angeles", "6211120100002B", {2026, 11, 21, 10, 0, 0, -32}, "2026-11-21T10:00:00-08:00", "2026-11-21T18:00:00.000Z"},
        {"Nepal, 5:45", "62111201000032", {2026, 11, 21, 10, 0, 0, 23}, "2026-11-21T10:00:00+05:45", "2026-11-21T04:15:00.000Z"},
        {"quarter past, west", "62111201000059", {2026, 11, 21, 10, 0, 0, -15}, "2026-11-21T10:00:00-03:45", "2026-11-21T13:45:00.000Z"},
        {"zeros", "00000000000000", {2000, 0, 0, 0, 0, 0, 0}, "2000-00-00T00:00:00+00:00", ""},
        {"30 February", "62200301000000", {2026, 2, 30, 10, 0, 0, 0}, "2026-02-30T10:00:00+00:00", ""},
        {"the farthest zone", "62111201000036", {2026, 11, 21, 10, 0, 0, 63}, "2026-11-21T10:00:00+15:45", "2026-11-20T18:15:00.000Z"},
        {"no such zone", "62111201000046", {2026, 11, 21, 10, 0, 0, 64}, "2026-11-21T10:00:00+16:00", ""},
        {"a zone of no digits", "621112010000F1", {2026, 11, 21, 10, 0, 0, 85}, "2026-11-21T10:00:00+21:15", ""},
        {"broken digits", "FFFFFFFFFFFFFF", {2165, 165, 165, 165, 165, 165, -85}, "2165-165-165T165:165:165-21:15", ""}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const Octets octets = *from_hex(row.hex);
        Reader in{octets};
        const Timestamp t = read_timestamp(in, "TP-SCTS");
        CHECK(t == row.want);
        CHECK(t.iso() == row.iso);
        const auto utc = t.utc();
        CHECK((utc ? to_rfc3339(*utc) : "") == row.utc);
        Octets out;
        const bool possible = write_timestamp(out, t, "TP-SCTS").has_value();
        CHECK(possible == (t.year <= 2099 && std::abs(t.zone_quarters) <= 79));
        if (possible) CHECK(to_hex(out) == row.hex);
    }
}

TEST_CASE("TP-VP, relative") {
    using namespace std::chrono_literals;
    struct Row {
        std::uint8_t octet;
        std::chrono::minutes want;
    };
    const Row rows[] = {{0, 5min},  {143, 12h},      {144, 12h + 30min}, {167, 24h},
                        {168, 48h}, {196, 30 * 24h}, {197, 5 * 7 * 24h}, {255, 63 * 7 * 24h}};
    for (const Row& row : rows) {
        CAPTURE(int{row.octet});
        CHECK(RelativeValidity{row.octet}.duration() == row.want);
        CHECK(relative_validity(row.want).octet == row.octet);
        if (row.octet < 255) CHECK(relative_validity(row.want + 1min).octet == row.octet + 1);
    }
    CHECK(relative_validity(0min).octet == 0);
    CHECK(relative_validity(-5min).octet == 0);
    CHECK(relative_validity(100000h).octet == 255);
}

TEST_CASE("GSM-7: packing round-trips at every length and fill") {
    for (std::size_t n = 0; n <= 160; ++n) {
        Septets septets;
        for (std::size_t i = 0; i < n; ++i) septets.push_back(static_cast<std::uint8_t>((i * 37 + n) & 0x7F));
        for (std::size_t skip = 0; skip < 7; ++skip) {
            const Octets packed = pack(septets, skip);
            CHECK(packed.size() == (skip + n * 7 + 7) / 8);
            CHECK(unpack(packed, n, skip) == septets);
        }
    }
    CHECK(unpack(Octets{0xFF}, 5).size() == 1);
}

TEST_CASE("GSM-7: escapes and undefined positions") {
    struct Row {
        const char* name;
        Septets septets;
        const char* want;
    };
    const Row rows[] = {{"euro and brackets", {0x1B, 0x65, 0x1B, 0x3C, 0x1B, 0x3E}, "€[]"},
                        {"@ is zero", {0x00, 0x00}, "@@"},
                        {"form feed", {0x1B, 0x0A}, "\f"},
                        {"escape to nothing shows the main table", {0x1B, 0x41}, "A"},
                        {"escape escape is a space", {0x1B, 0x1B, 0x41}, " A"},
                        {"lone escape at the end", {0x41, 0x1B}, "A "}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        CHECK(Gsm7{}.decode(row.septets) == row.want);
    }
    const Gsm7 gsm7;
    for (std::uint8_t s = 0; s < 128; ++s) {
        if (s == escape_septet) continue;
        CAPTURE(int{s});
        const auto c = from_utf8(gsm7.decode(Septets{s}));
        REQUIRE(c);
        REQUIRE(c->size() == 1);
        Septets back;
        REQUIRE(gsm7.append(c->front(), back));
        CHECK(back == Septets{s});
    }
    CHECK(gsm7.cost(U'€') == 2);
    CHECK(gsm7.cost(U'ç') == 0);
    CHECK(gsm7.cost(U'Ç') == 1);
    CHECK(gsm7.cost(0x1F600) == 0);
}

TEST_CASE("UTF-8 and UTF-16") {
    struct Row {
        const char* name;
        const char* text;
        bool good;
    };
    const Row rows[] = {{"plain", "abc", true},
                        {"4 octets", "\xF0\x9F\x98\x80", true},
                        {"overlong", "\xC0\x80", false},
                        {"overlong 3", "\xE0\x80\x80", false},
                        {"surrogate", "\xED\xA0\x80", false},
                        {"above 10FFFF", "\xF4\x90\x80\x80", false},
                        {"cut", "\xE2\x82", false},
                        {"stray continuation", "\x80", false},
                        {"bad continuation", "\xE2\x41\x80", false}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const auto points = from_utf8(row.text);
        CHECK(points.has_value() == row.good);
        if (points) CHECK(to_utf8(*points) == row.text);
    }
    CHECK(to_utf16(U"a\U0001F600") == std::vector<std::uint16_t>{0x61, 0xD83D, 0xDE00});
    CHECK(utf16_to_utf8(std::vector<std::uint16_t>{0xDE00, 0x61, 0xD83D}) == "\uFFFDa\uFFFD");
}

TEST_CASE("TP-ST") {
    struct Row {
        int first, last;
        Outcome want;
    };
    const Row rows[] = {{0x00, 0x00, Outcome::delivered},   {0x01, 0x01, Outcome::unconfirmed}, {0x02, 0x02, Outcome::replaced},
                        {0x03, 0x1F, Outcome::unconfirmed}, {0x20, 0x3F, Outcome::pending},     {0x40, 0x45, Outcome::failed},
                        {0x46, 0x46, Outcome::expired},     {0x47, 0x5F, Outcome::failed},      {0x60, 0x7F, Outcome::gave_up},
                        {0x80, 0xFF, Outcome::reserved}};
    for (const Row& row : rows) {
        for (int st = row.first; st <= row.last; ++st) {
            CAPTURE(st);
            CHECK(status_of(static_cast<std::uint8_t>(st)) == row.want);
            CHECK_FALSE(status_text(static_cast<std::uint8_t>(st)).empty());
        }
    }
    CHECK(status_text(0x46) == "validity period expired");
    CHECK(status_text(0x21) == "recipient busy; still trying");
}
