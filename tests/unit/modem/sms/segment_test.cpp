#include <doctest/doctest.h>

#include "modem/pdu/unicode.hpp"
#include "modem/sms/sms.hpp"

using namespace conductor;
using namespace conductor::sms;
using pdu::Alphabet;

namespace {

std::string times(std::string_view what, int n) {
    std::string out;
    for (int i = 0; i < n; ++i) out += what;
    return out;
}

/// Encodes each segment as SMS-SUBMIT, decodes it again, joins: what a recipient reads.
std::string through_pdus(const Segmented& s) {
    std::vector<std::optional<pdu::UserData>> parts;
    for (const Segment& segment : s.segments) {
        const pdu::Submit submit{
            .to = pdu::address_of("+15550100123"), .dcs = pdu::parse_dcs(pdu::make_dcs(s.alphabet)), .data = segment.data};
        const auto encoded = pdu::encode({.smsc = {}, .tpdu = submit});
        REQUIRE(encoded.has_value());
        const auto back = pdu::decode(encoded->octets, pdu::Way::mobile_originated);
        REQUIRE(back.has_value());
        parts.push_back(std::get<pdu::Submit>(back->tpdu).data);
    }
    return join(parts, s.alphabet);
}

}  // namespace

TEST_CASE("segment: encoding, counts and capacity") {
    struct Row {
        const char* name;
        std::string text;
        Alphabet alphabet;
        std::size_t segments;
        int units, per_segment;
        SegmentOptions options{};
    };
    const Row rows[] = {
        {"one character", "a", Alphabet::gsm7, 1, 1, 160},
        {"160 septets", times("a", 160), Alphabet::gsm7, 1, 160, 160},
        {"161 septets", times("a", 161), Alphabet::gsm7, 2, 161, 153},
        {"306 septets", times("a", 306), Alphabet::gsm7, 2, 306, 153},
        {"307 septets", times("a", 307), Alphabet::gsm7, 3, 307, 153},
        {"16-bit reference", times("a", 305), Alphabet::gsm7, 3, 305, 152, {.wide_ref = true}},
        {"80 escapes", times("€", 80), Alphabet::gsm7, 1, 160, 160},
        {"escape at the border", times("a", 152) + "€" + times("b", 152), Alphabet::gsm7, 3, 306, 153},
        {"70 units", times("ж", 70), Alphabet::ucs2, 1, 70, 70},
        {"71 units", times("ж", 71), Alphabet::ucs2, 2, 71, 67},
        {"16-bit reference, UCS-2", times("ж", 133), Alphabet::ucs2, 3, 133, 66, {.wide_ref = true}},
        {"35 emoji", times("😀", 35), Alphabet::ucs2, 1, 70, 70},
        {"36 emoji: 33 a segment", times("😀", 36), Alphabet::ucs2, 2, 72, 67},
        {"UCS-2 demanded", "plain", Alphabet::ucs2, 1, 5, 70, {.encoding = Want::ucs2}},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const auto got = segment(row.text, row.options);
        REQUIRE(got.has_value());
        CHECK((got->alphabet == row.alphabet));
        CHECK(got->segments.size() == row.segments);
        CHECK(got->units == row.units);
        CHECK(got->units_per_segment == row.per_segment);
        CHECK(got->text == row.text);
        CHECK(got->replaced.empty());
        CHECK(through_pdus(*got) == row.text);
        std::string all;
        for (std::size_t i = 0; i < got->segments.size(); ++i) {
            all += got->segments[i].text;
            const auto concat = pdu::find_concat(got->segments[i].data.udh);
            CHECK(concat.has_value() == (row.segments > 1));
            if (!concat) continue;
            CHECK(concat->seq == i + 1);
            CHECK(concat->total == row.segments);
            CHECK(concat->wide == row.options.wide_ref);
        }
        CHECK(all == row.text);
    }
}

TEST_CASE("segment: graphemes stay whole") {
    struct Row {
        const char* name;
        std::string before, grapheme;
    };
    const Row rows[] = {{"surrogate pair", times("ж", 66), "😀"},
                        {"family with joiners", times("ж", 60), "👩\u200D👩\u200D👧\u200D👦"},
                        {"flag", times("ж", 64), "🇺🇸"},
                        {"flags in a row", times("🇫🇷", 16), "🇺🇸"},
                        {"combining mark", times("ж", 66), "и\u0306"},
                        {"skin tone", times("ж", 65), "👍🏽"},
                        {"keycap", times("ж", 65), "1\uFE0F\u20E3"},
                        {"Devanagari cluster", times("ж", 66), "नि"},
                        {"CR LF", times("ж", 66), "\r\n"}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const auto got = segment(row.before + row.grapheme + times("ж", 20), {});
        REQUIRE(got.has_value());
        REQUIRE(got->segments.size() == 2);
        CHECK(got->segments[0].text == row.before);
        CHECK(got->segments[1].text.starts_with(row.grapheme));
    }
    // A grapheme longer than a segment is split, between code points and never within a pair.
    const std::string tower = "e" + times("\u0301", 200);
    const auto got = segment(tower, {});
    REQUIRE(got.has_value());
    CHECK(got->segments.size() == 3);
    CHECK(through_pdus(*got) == tower);
}

TEST_CASE("segment: whole graphemes give way to max_segments") {
    // 2 x 67 units fit exactly, but only if the family in the middle is split.
    const std::string text = times("ж", 65) + "👩\u200D👩" + times("ж", 64);
    const auto free = segment(text, {});
    REQUIRE(free.has_value());
    CHECK(free->segments.size() == 3);
    const auto tight = segment(text, {.max_segments = 2});
    REQUIRE(tight.has_value());
    CHECK(tight->segments.size() == 2);
    CHECK(through_pdus(*tight) == text);
}

TEST_CASE("segment: errors") {
    struct Row {
        const char* name;
        std::string text;
        SegmentOptions options;
        SmsErrc code;
        const char* where;
    };
    const Row rows[] = {{"empty", "", {}, SmsErrc::empty, ""},
                        {"not UTF-8", "abc\xFF", {}, SmsErrc::bad_utf8, ""},
                        {"too long", times("a", 161), {.max_segments = 1}, SmsErrc::too_long, "2 > 1"},
                        {"256 segments", times("a", 153 * 255 + 1), {.max_segments = 1000}, SmsErrc::too_long, "256 > 255"},
                        {"GSM-7 demanded", "äж", {.encoding = Want::gsm7}, SmsErrc::not_encodable, "text@2"}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const auto got = segment(row.text, row.options);
        REQUIRE_FALSE(got.has_value());
        CHECK(got.error().is(row.code));
        CHECK(got.error().where == row.where);
    }
    CHECK(segment(times("a", 153 * 255), {.max_segments = 1000})->segments.size() == 255);
}

TEST_CASE("segment: transliteration, where it saves segments") {
    struct Row {
        const char* name;
        std::string text, want;
        std::vector<Replacement> replaced;
    };
    const std::string filler = times("x", 80);
    const Row rows[] = {{"quotes and dash", filler + "“a” – b", filler + "\"a\" - b", {{"“", "\"", 1}, {"”", "\"", 1}, {"–", "-", 1}}},
                        {"marks", filler + "čšž é Ş", filler + "csz é S", {{"č", "c", 1}, {"š", "s", 1}, {"ž", "z", 1}, {"Ş", "S", 1}}},
                        {"a combining mark that composes", filler + "e\u0301", filler + "é", {{"e\u0301", "é", 1}}},
                        {"counted", filler + "…x…", filler + "...x...", {{"…", "...", 2}}},
                        {"nothing saved: one segment either way", "“short”", "“short”", {}},
                        {"nothing saved: Cyrillic remains", filler + "“ж”", filler + "“ж”", {}},
                        {"GSM-7 as it is", filler + "äöü€", filler + "äöü€", {}}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const auto got = segment(row.text, {.transliterate = true});
        REQUIRE(got.has_value());
        CHECK(got->text == row.want);
        CHECK((got->replaced == row.replaced));
        CHECK(through_pdus(*got) == row.want);
        CHECK(segment(row.text, {})->text == row.text);
    }
    CHECK(segment("“short”", {.encoding = Want::gsm7, .transliterate = true})->text == "\"short\"");
}

TEST_CASE("join: parts in any state") {
    const auto part = [](std::vector<std::uint16_t> units) {
        pdu::UserData d;
        d.text = pdu::utf16_to_utf8(units);
        d.units = std::move(units);
        return std::optional{d};
    };
    using Parts = std::vector<std::optional<pdu::UserData>>;
    CHECK(join(Parts{part({0x61, 0xD83D}), part({0xDE00, 0x62})}, Alphabet::ucs2) == "a😀b");
    CHECK(join(Parts{part({0x61, 0xD83D}), std::nullopt, part({0xDE00, 0x62})}, Alphabet::ucs2) == "a\uFFFD[…]\uFFFDb");
    CHECK(join(Parts{std::nullopt, part({0x62})}, Alphabet::ucs2) == "[…]b");
    pdu::UserData gsm;
    gsm.text = "plain";
    CHECK(join(Parts{gsm, part({0x436})}, Alphabet::gsm7) == "plainж");
    CHECK(join(Parts{}, Alphabet::gsm7).empty());
}

TEST_CASE("segment: national tables where they are allowed and cheaper") {
    struct Row {
        const char* name;
        std::string text;
        std::vector<std::uint8_t> allowed;
        Alphabet alphabet;
        pdu::National national;
        std::size_t segments;
        int per_segment;
    };
    const std::string turkish = times("Şişli'de yağmur ", 9);  // 144 characters
    const std::string hindi = times("नमस्ते ", 20);              // 140 characters
    const Row rows[] = {{"not allowed", turkish, {}, Alphabet::ucs2, {}, 3, 67},
                        {"single shift is enough", times("Şişli yolu ", 12), {1}, Alphabet::gsm7, {0, 1}, 1, 155},
                        {"locking where there are many", turkish, {1}, Alphabet::gsm7, {0, 1}, 1, 155},
                        {"no need of them", times("plain ", 20), {1, 3, 6}, Alphabet::gsm7, {}, 1, 160},
                        {"Hindi", hindi, {1, 6}, Alphabet::gsm7, {0, 6}, 1, 155},
                        {"Hindi with digits of its own", hindi + "१२३", {6}, Alphabet::gsm7, {6, 6}, 1, 152},
                        {"another language does not help", hindi, {1, 2, 3}, Alphabet::ucs2, {}, 3, 67},
                        {"two languages at once", times("ağ ção ", 21), {1, 3}, Alphabet::gsm7, {3, 1}, 2, 146},
                        {"UCS-2 where it is cheaper: a short text", "Ş", {1}, Alphabet::ucs2, {}, 1, 70},
                        {"unknown languages are ignored", "Ş", {0, 14, 255}, Alphabet::ucs2, {}, 1, 70},
                        {"Spanish has no locking table", times("Tú y él, así. ", 8), {2}, Alphabet::gsm7, {2, 0}, 1, 155}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const auto got = segment(row.text, {.national_tables = row.allowed});
        REQUIRE(got.has_value());
        CHECK((got->alphabet == row.alphabet));
        CHECK(int{got->national.single} == int{row.national.single});
        CHECK(int{got->national.locking} == int{row.national.locking});
        CHECK(got->segments.size() == row.segments);
        CHECK(got->units_per_segment == row.per_segment);
        CHECK(through_pdus(*got) == row.text);
    }
}
