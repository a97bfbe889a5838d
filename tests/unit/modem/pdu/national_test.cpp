// The tables of TS 23.038 annex A, checked against what annex A says of them in words and against the Unicode blocks.
#include <doctest/doctest.h>

#include <set>

#include "modem/pdu/gsm7.hpp"
#include "modem/pdu/unicode.hpp"

using namespace conductor;
using namespace conductor::pdu;

namespace {

constexpr std::uint8_t turkish = 1, spanish = 2, portuguese = 3, bengali = 4, gujarati = 5, hindi = 6, kannada = 7, malayalam = 8,
                       oriya = 9, punjabi = 10, tamil = 11, telugu = 12, urdu = 13;

/// Septets that a text costs, -1 when a character lacks; checks that it reads back.
int cost_of(std::string_view text, National national) {
    const Gsm7 gsm7{national};
    const auto points = from_utf8(text);
    REQUIRE(points.has_value());
    Septets septets;
    for (const char32_t c : *points) {
        if (!gsm7.append(c, septets)) return -1;
    }
    CHECK(gsm7.decode(septets) == text);
    return static_cast<int>(septets.size());
}

}  // namespace

TEST_CASE("every language has its tables") {
    for (std::uint8_t language = 0; language <= last_language; ++language) {
        CAPTURE(int{language});
        CHECK((locking_table(language) == nullptr) == (language == spanish));
        CHECK(single_shift_table(language) != nullptr);
    }
    for (int language = last_language + 1; language < 256; ++language) {
        CHECK(locking_table(static_cast<std::uint8_t>(language)) == nullptr);
        CHECK(single_shift_table(static_cast<std::uint8_t>(language)) == nullptr);
    }
}

TEST_CASE("every character of every pair of tables reads back") {
    for (std::uint8_t locking = 0; locking <= last_language; ++locking) {
        for (std::uint8_t single = 0; single <= last_language; ++single) {
            const Gsm7 gsm7{{.single = single, .locking = locking}};
            for (const Table* table : {locking_table(locking), single_shift_table(single)}) {
                if (!table) continue;
                for (const char16_t c : *table) {
                    if (c == 0) continue;
                    Septets septets;
                    REQUIRE(gsm7.append(c, septets));
                    REQUIRE(from_utf8(gsm7.decode(septets)) == std::u32string(1, c));
                }
            }
        }
    }
}

TEST_CASE("what all tables share") {
    for (std::uint8_t language = 1; language <= last_language; ++language) {
        CAPTURE(int{language});
        if (const Table* t = locking_table(language)) {
            CHECK((*t)[escape_septet] == 0);
            CHECK((*t)[0x0A] == u'\n');
            CHECK((*t)[0x0D] == u'\r');
            CHECK((*t)[0x20] == u' ');
            for (std::uint8_t i = 0; i < 10; ++i) CHECK((*t)[0x30 + i] == u'0' + i);
            for (std::uint8_t i = 0; i < 26; ++i) CHECK((*t)[0x61 + i] == u'a' + i);
            std::set<char16_t> seen;
            for (const char16_t c : *t) CHECK((c == 0 || seen.insert(c).second));
        }
        const Table& s = *single_shift_table(language);
        CHECK(s[escape_septet] == 0);
        CHECK(s[0x0D] == 0);
        for (std::size_t i = 0; i < 128; ++i) {  // the default extension is part of each
            CAPTURE(i);
            if (const char16_t c = (*single_shift_table(0))[i]) CHECK(s[i] == c);
        }
    }
}

TEST_CASE("the locking tables of India follow their Unicode blocks") {
    struct Row {
        std::uint8_t language;
        char16_t block;
        int characters;  // of the script in the locking table
    };
    // The order of the script's characters is that of its block, from offset 01; 40-4D of the block stand behind one another.
    constexpr int order[] = {0x01, 0x02, 0x03, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A, 0x0B, -1,   0x0C, 0x0D, -1,   0x0E, 0x0F,
                             0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1A, -1,   0x1B, 0x1C, 0x1D, 0x1E,
                             -1,   -1,   0x1F, 0x20, 0x21, 0x22, 0x23, 0x24, -1,   -1,   0x25, 0x26, -1,   0x27, -1,   0x28,
                             -1,   -1,   -1,   -1,   -1,   -1,   -1,   -1,   -1,   -1,   -1,   -1,   0x29, 0x2A, 0x2B, -1,
                             0x2C, 0x2D, 0x2E, 0x2F, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3C, 0x3D,
                             0x3E, 0x3F, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4A, 0x4B, 0x4C, 0x4D};
    static_assert(std::size(order) == 0x60);
    const Row rows[] = {{bengali, 0x0980, 67}, {gujarati, 0x0A80, 73}, {hindi, 0x0900, 80}, {kannada, 0x0C80, 73}, {malayalam, 0x0D00, 73},
                        {oriya, 0x0B00, 69},   {punjabi, 0x0A00, 63},  {tamil, 0x0B80, 55}, {telugu, 0x0C00, 73}};
    for (const Row& row : rows) {
        CAPTURE(int{row.language});
        const Table& t = *locking_table(row.language);
        int characters = 0;
        for (std::size_t i = 0; i < 128; ++i) {
            CAPTURE(i);
            const bool of_script = t[i] >= row.block && t[i] < row.block + 0x80;
            characters += of_script;
            if (i >= 0x60) continue;
            if (order[i] < 0) {
                CHECK_FALSE(of_script);
            } else {
                CHECK((t[i] == 0 || t[i] == row.block + order[i]));
            }
        }
        CHECK(characters == row.characters);
        const char16_t comma[] = {t[0x28], t[0x29], t[0x2C], t[0x2E], t[0x3A], t[0x3B], t[0x3F]};
        CHECK(std::u16string(comma, 7) == u")(,.:;?");
    }
}

TEST_CASE("the digits of each script are in its single shift table") {
    struct Row {
        std::uint8_t language;
        char16_t zero;
        std::size_t position;
    };
    const Row rows[] = {{bengali, 0x09E6, 0x19},   {gujarati, 0x0AE6, 0x1C}, {hindi, 0x0966, 0x1C},   {kannada, 0x0CE6, 0x1C},
                        {malayalam, 0x0D66, 0x1C}, {oriya, 0x0B66, 0x1C},    {punjabi, 0x0A66, 0x1C}, {tamil, 0x0BE6, 0x1C},
                        {telugu, 0x0C66, 0x1C},    {urdu, 0x06F0, 0x1C}};
    for (const Row& row : rows) {
        CAPTURE(int{row.language});
        const Table& t = *single_shift_table(row.language);
        std::size_t at = row.position;
        for (int digit = 0; digit < 10; ++digit, ++at) {
            if (at == escape_septet) ++at;
            CHECK(t[at] == row.zero + digit);
        }
        for (std::size_t i = 0; i < 26; ++i) CHECK(t[0x41 + i] == u'A' + i);
    }
}

TEST_CASE("texts in each language cost what annex A lets them") {
    struct Row {
        const char* name;
        const char* text;
        National national;
        int septets;
    };
    const Row rows[] = {{"Turkish, single", "İğne Şişli çağrı ığ", {turkish, 0}, 28},
                        {"Turkish, locking", "İğne Şişli çağrı ığ", {0, turkish}, 19},
                        {"Spanish", "Tú y él: Ángel, Íñigo, Óscar, Úrsula, ç", {spanish, 0}, 45},
                        {"Portuguese, single", "ação às três, ê ô", {portuguese, 0}, 22},
                        {"Portuguese, locking", "ação às três, ê ô ∞ ª º \\ ^ € |", {0, portuguese}, 31},
                        {"Portuguese, Greek from the single shift", "ΦΓΩΠΨΣΘ", {portuguese, portuguese}, 14},
                        {"Bengali", "আমার সোনার বাংলা", {bengali, bengali}, 16},
                        {"Gujarati", "ગુજરાતી", {gujarati, gujarati}, 7},
                        {"Hindi", "नमस्ते दुनिया १२", {hindi, hindi}, 18},
                        {"Kannada", "ಕನ್ನಡ", {kannada, kannada}, 5},
                        {"Malayalam", "മലയാളം", {malayalam, malayalam}, 6},
                        {"Oriya", "ଓଡ଼ିଆ", {oriya, oriya}, 5},
                        {"Punjabi", "ਪੰਜਾਬੀ", {punjabi, punjabi}, 6},
                        {"Tamil", "தமிழ்", {tamil, tamil}, 5},
                        {"Telugu", "తెలుగు €", {telugu, telugu}, 9},
                        {"Urdu", "اردو زبان۔", {urdu, urdu}, 11},
                        {"lower case is in every locking table", "abc xyz", {0, urdu}, 7},
                        {"capitals cost an escape", "ABC", {hindi, hindi}, 6},
                        {"no capitals without the single shift", "ABC", {0, hindi}, -1}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        CHECK(cost_of(row.text, row.national) == row.septets);
    }
}

TEST_CASE("undefined positions and unknown languages") {
    CHECK(Gsm7{{0, malayalam}}.decode(Septets{0x00}) == "\uFFFD");
    CHECK(Gsm7{{hindi, hindi}}.decode(Septets{0x1B, 0x3B}) == ";");    // falls back to the locking table
    CHECK(Gsm7{{0, telugu}}.decode(Septets{0x1B, 0x00}) == "\u0C01");  // default extension: nothing at 00
    CHECK(Gsm7{{14, 200}}.decode(Septets{0x00, 0x1B, 0x65}) == "@€");  // reserved: default tables
    CHECK(Gsm7{{0, spanish}}.decode(Septets{0x40}) == "¡");            // Spanish locks nothing
    CHECK(Gsm7{{turkish, 0}}.decode(Septets{0x1B, 0x53, 0x53}) == "ŞS");
}

TEST_CASE("national tables in TPDUs") {
    for (std::uint8_t language = 1; language <= last_language; ++language) {
        CAPTURE(int{language});
        std::string text;
        for (const Table* table : {locking_table(language), single_shift_table(language)}) {
            if (!table) continue;
            for (std::size_t i = 0; i < 0x30; ++i) {
                if ((*table)[i]) append_utf8(text, (*table)[i]);
            }
        }
        Submit s{.to = address_of("+15550100123")};
        s.data.udh = {{0x24, {language}}, {0x25, {language}}};
        s.data.text = text;
        const auto encoded = encode({.smsc = {}, .tpdu = s});
        REQUIRE(encoded.has_value());
        const auto back = decode(encoded->octets, Way::mobile_originated);
        REQUIRE(back.has_value());
        CHECK(std::get<Submit>(back->tpdu).data.text == text);
        CHECK(find_national(std::get<Submit>(back->tpdu).data.udh) == National{language, language});
    }
}
