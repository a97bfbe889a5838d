#include "tools/modemsim/core/tpdu.hpp"

#include <doctest/doctest.h>

using namespace conductor;
using namespace conductor::modemsim;

namespace {

Octets hex(std::string_view text) {
    return from_hex(text).value();
}

}  // namespace

// The PDUs come from public descriptions of the format and from other encoders, not from this one.
TEST_CASE("modemsim tpdu: read_submit") {
    struct Row {
        const char* name;
        const char* tpdu;
        const char* to = "";
        const char* text = "";
        std::optional<Concat> concat = std::nullopt;
        bool srr = false, rd = false;
    };
    const Row rows[] = {
        {"hellohello, relative validity", "11000B916407281553F80000AA0AE8329BFD4697D9EC37", "+46708251358", "hellohello"},
        {"8-bit data", "11000B916407281553F80004AA0401020304", "+46708251358", "01020304"},
        {"report asked for, no validity", "21000B915155100021F3000005E8329BFD06", "+15550100123", "hello", {}, true},
        {"reject duplicates, short code", "050005812143F5000005E8329BFD06", "12345", "hello", {}, false, true},
        {"concatenated, 8 bit", "41000B915155100021F300000C0500032A0302906536FB0D", "+15550100123", "Hello", Concat{42, 3, 2, 8}},
        {"UCS-2 with a pair", "01000B915155100021F3000804D83DDE00", "+15550100123", "\xF0\x9F\x98\x80"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const auto got = read_submit(hex(row.tpdu));
        REQUIRE(got.has_value());
        CHECK(got->to.text() == row.to);
        CHECK(got->data.text() == row.text);
        CHECK(got->data.concat() == row.concat);
        CHECK(got->srr == row.srr);
        CHECK(got->rd == row.rd);
        CHECK(write_submit(*got) == hex(row.tpdu));
    }
    for (const char* bad : {"040B915155100021F300006211128130422B05E8329BFD06", "11000B916407281553F80000AA0AE8329BFD4697D9EC",
                            "11000B916407281553F80000AA0AE8329BFD4697D9EC3700", "01000B915155100021F30000A1", ""}) {
        CAPTURE(bad);
        CHECK_FALSE(read_submit(hex(bad)).has_value());
    }
}

TEST_CASE("modemsim tpdu: write_deliver, write_report") {
    Deliver d;
    d.from = make_address("+15550100123");
    d.time = parse_rfc3339("2026-11-21T18:03:24Z").value();
    d.zone = -32;
    d.data = split_text(U"Hello €", {})->front();
    CHECK(to_hex(write_deliver(d)) == "040B915155100021F300006211120130422B08C8329BFD066DCA");
    d.zone = 22;  // India
    CHECK(to_hex(write_deliver(d)).substr(22, 14) == "62111232334222");
    d.from = make_address("Example");
    CHECK(to_hex(write_deliver(d)).substr(0, 20) == "040DD0457CB80D679701");

    Report r;
    r.mr = 18;
    r.to = make_address("+15550100123");
    r.submitted = r.discharged = d.time;
    r.zone = -32;
    r.status = 0x46;
    CHECK(to_hex(write_report(r)) == "06120B915155100021F36211120130422B6211120130422B46");
}

TEST_CASE("modemsim tpdu: split_text") {
    struct Row {
        const char* name;
        std::u32string text;
        std::vector<unsigned> lengths;  ///< TP-UDL of the parts
        std::uint8_t dcs;
        bool split_surrogates = false;
    };
    const std::u32string emoji = U"\U0001F600";
    const Row rows[] = {
        {"160 septets", std::u32string(160, U'a'), {160}, 0},
        {"161 septets", std::u32string(161, U'a'), {160, 15}, 0},
        {"escape pair at the cut", std::u32string(152, U'a') + U"€" + std::u32string(10, U'a'), {159, 19}, 0},
        {"70 units", std::u32string(70, U'я'), {140}, 8},
        {"71 units", std::u32string(71, U'я'), {140, 14}, 8},
        {"surrogate pair at the cut", std::u32string(66, U'я') + emoji + U"яяя", {138, 16}, 8},
        {"surrogate pair cut on purpose", std::u32string(66, U'я') + emoji + U"яяя", {140, 14}, 8, true},
        {"empty", U"", {0}, 0},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        SplitOptions o;
        o.reference = 9;
        o.split_surrogates = row.split_surrogates;
        const auto parts = split_text(row.text, o);
        REQUIRE(parts.has_value());
        std::vector<unsigned> lengths;
        std::string joined;
        for (std::size_t i = 0; i < parts->size(); ++i) {
            lengths.push_back((*parts)[i].length);
            joined += (*parts)[i].text();
            CHECK((*parts)[i].dcs == row.dcs);
            if (parts->size() > 1)
                CHECK((*parts)[i].concat() == Concat{9, static_cast<unsigned>(parts->size()), static_cast<unsigned>(i + 1), 8});
        }
        CHECK(lengths == row.lengths);
        if (!row.split_surrogates) CHECK(joined == to_utf8(row.text));
    }
    SplitOptions forced;
    forced.alphabet = Alphabet::gsm7;
    CHECK_FALSE(split_text(U"я", forced).has_value());
}

TEST_CASE("modemsim text: round trips and what is malformed") {
    Octets all;
    for (unsigned i = 0; i < 128; ++i) {
        if (i != 0x1b) all.push_back(static_cast<std::uint8_t>(i));
    }
    CHECK(to_gsm7(from_gsm7(all)).value() == all);
    for (unsigned fill = 0; fill < 7; ++fill) CHECK(unpack(pack(all, fill), all.size(), fill) == all);
    CHECK(to_hex(pack(to_gsm7(U"hellohello").value())) == "E8329BFD4697D9EC37");
    CHECK(from_utf8("a\xff\xe2\x82") == U"a\ufffd\ufffd\ufffd");
    CHECK(from_utf8("€😀") == U"€😀");
    CHECK(to_utf8(U"é€😀") == "é€😀");
    CHECK(from_ucs2(to_ucs2(U"a😀")) == U"a😀");
    CHECK_FALSE(from_hex("ABC").has_value());
    CHECK_FALSE(from_hex("AG").has_value());
}
