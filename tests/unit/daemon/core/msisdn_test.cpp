#include "daemon/core/msisdn.hpp"

#include <doctest/doctest.h>

#include "daemon/core/calling_codes.hpp"
#include "daemon/core/nanp.hpp"

using namespace conductor;

TEST_CASE("parse_msisdn") {
    struct Row {
        std::string name;
        const char* written;
        const char* region;
        const char* want;
        bool short_code = false;
    };
    const Row rows[] = {
        {"E.164", "+15550100123", "US", "+15550100123"},
        {"E.164 of elsewhere", "+447700900123", "US", "+447700900123"},
        {"national", "5550100123", "US", "+15550100123"},
        {"national with separators", "(555) 010-0123", "US", "+15550100123"},
        {"dots and slash", "555.010/0123", "US", "+15550100123"},
        {"with trunk 1", "1 555 010 0123", "US", "+15550100123"},
        {"00", "0015550100123", "DE", "+15550100123"},
        {"011", "011 44 7700 900123", "US", "+447700900123"},
        {"011 is a place in Italy", "0111234567", "IT", "+390111234567"},
        {"trunk 0", "07700 900123", "GB", "+447700900123"},
        {"(0) after the calling code", "+44 (0)7700 900123", "GB", "+447700900123"},
        {"trunk 0 after the calling code", "+4407700900123", "GB", "+447700900123"},
        {"the 0 of Italy stays", "+39 06 1234 5678", "IT", "+390612345678"},
        {"trunk 8 of Russia", "8 912 345 67 89", "RU", "+79123456789"},
        {"a Russian number that begins with 8 stays", "+7 800 555 01 00", "RU", "+78005550100"},
        {"trunk 06 of Hungary", "06 20 123 4567", "HU", "+36201234567"},
        {"no trunk: 8 digits of Denmark", "20 12 34 56", "DK", "+4520123456"},
        {"calling code without +", "447700900123", "GB", "+447700900123"},
        {"no-break space and en dash",
         "+1\xC2\xA0"
         "555\xE2\x80\x93"
         "010\xE2\x80\x93"
         "0123",
         "US", "+15550100123"},
        {"full width",
         "\xEF\xBC\x8B\xEF\xBC\x91"
         "5550100123",
         "US", "+15550100123"},
        {"left-to-right marks of a contact card", "\xE2\x80\xAA+1 555 010 0123\xE2\x80\xAC", "US", "+15550100123"},
        {"short code", "12345", "US", "12345", true},
        {"shortest", "311", "US", "311", true},
        {"short code in Denmark", "1234", "DK", "1234", true},
        {"longest", "12345678", "US", "12345678", true},
        {"short code without a region", "12345", "", "12345", true},
        {"Ivory Coast keeps its 0", "+225 01 23 45 67 89", "CI", "+2250123456789"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const auto got = parse_msisdn(row.written, row.region);
        CAPTURE((got ? "" : got.error().text()));
        REQUIRE(got.has_value());
        CHECK(got->text == row.want);
        CHECK(got->short_code == row.short_code);
        if (!row.short_code) CHECK(parse_msisdn(got->text, "FR")->text == row.want);  // normalised stays
    }
}

TEST_CASE("parse_msisdn: refusals") {
    struct Row {
        std::string name;
        const char* written;
        const char* region;
        NumberErrc want;
    };
    const Row rows[] = {
        {"empty", "", "US", NumberErrc::empty},
        {"blanks", "  ", "US", NumberErrc::empty},
        {"plus alone", "+", "US", NumberErrc::too_short},
        {"letters", "+1 555 CALL ME", "US", NumberErrc::letters},
        {"placeholder", "XXXXXXXXXX", "US", NumberErrc::letters},
        {"star", "*100#", "US", NumberErrc::bad_character},
        {"hash", "100#", "US", NumberErrc::bad_character},
        {"second plus", "++15550100123", "US", NumberErrc::bad_character},
        {"plus inside", "1+5550100123", "US", NumberErrc::bad_character},
        {"emoji",
         "\xF0\x9F\x93\x9E"
         "5550100123",
         "US", NumberErrc::bad_character},
        {"cut UTF-8", "555010012\xE2", "US", NumberErrc::bad_character},
        {"comma", "5550100123,2", "US", NumberErrc::bad_character},
        {"two digits", "12", "US", NumberErrc::too_short},
        {"nine digits", "555010012", "US", NumberErrc::too_short},
        {"eleven without trunk", "25550100123", "US", NumberErrc::too_long},
        {"+1 with nine", "+1555010012", "US", NumberErrc::too_short},
        {"+1 with eleven", "+155501001234", "US", NumberErrc::too_long},
        {"a very long one", "+123456789012345678901234567890", "US", NumberErrc::too_long},
        {"no such calling code", "+2101234567", "US", NumberErrc::unknown_country},
        {"+0", "+0555010012", "US", NumberErrc::unknown_country},
        {"national without a region", "5550100123", "", NumberErrc::unknown_country},
        {"900", "+1 900 555 0100", "US", NumberErrc::premium},
        {"976", "+1 212 976 0100", "US", NumberErrc::premium},
        {"09 of Britain", "0909 8790000", "GB", NumberErrc::premium},
        {"0900 of Germany", "+49 900 1234567", "US", NumberErrc::premium},
        {"international premium", "+979 1 2345 6789", "US", NumberErrc::premium},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const auto got = parse_msisdn(row.written, row.region);
        REQUIRE_FALSE(got.has_value());
        CAPTURE(got.error().text());
        CHECK(got.error().is(row.want));
    }
}

TEST_CASE("region_of") {
    struct Row {
        std::string number;
        const char* want;
    };
    const Row rows[] = {{"+15550100123", "US"},
                        {"+12125550100", "US"},
                        {"+14165550100", "CA"},
                        {"+18765550100", "JM"},
                        {"+17875550100", "PR"},
                        {"+18005550100", "US"},
                        {"+447700900123", "GB"},
                        {"+77012345678", "KZ"},
                        {"+79123456789", "RU"},
                        {"+8801712345678", "BD"},
                        {"+870123456789", ""},
                        {"12345", ""},
                        {"", ""},
                        {"+2101234567", ""}};
    for (const Row& row : rows) {
        CAPTURE(row.number);
        CHECK(region_of(row.number).value_or("") == row.want);
    }
    CHECK(known_region("US"));
    CHECK(known_region("VG"));
    for (const std::string bad : {"", "us", "USA", "XX", "U", " G"}) CHECK_FALSE(known_region(bad));
}

TEST_CASE("calling codes: none begins another, and each is found by its own digits") {
    int before = 0;
    for (const CallingCode& a : calling_codes()) {
        CHECK(before < a.code);  // the search needs them rising
        before = a.code;
        const std::string digits = std::to_string(a.code);
        CAPTURE(digits);
        CHECK(find_calling_code(digits) == &a);
        CHECK(a.least <= a.most);
        CHECK(digits.size() + static_cast<std::size_t>(a.least) <= 15);
    }
}

TEST_CASE("states: area codes and ZIP codes") {
    CHECK(find_area_code(305)->state == "FL");
    CHECK(find_area_code(907)->state == "AK");
    CHECK(find_area_code(800)->state.empty());
    for (const int none : {-1, 0, 555, 911, 999, 1000}) CHECK(find_area_code(none) == nullptr);
    struct Row {
        std::string zip;
        const char* state;
    };
    const Row rows[] = {{"90001", "CA"},      {"33101", "FL"}, {"10001", "NY"}, {"02108", "MA"}, {"00501", "NY"},
                        {"00901", "PR"},      {"20001", "DC"}, {"20101", "VA"}, {"73301", "TX"}, {"73401", "OK"},
                        {"88501", "TX"},      {"99501", "AK"}, {"96701", "HI"}, {"09001", ""},   {"34001", ""},
                        {"90001-1234", "CA"}, {"9000", ""},    {"9000A", ""},   {"", ""},        {"06390", "NY"}};
    for (const Row& row : rows) {
        CAPTURE(row.zip);
        CHECK(state_of_zip(row.zip) == row.state);
    }
    for (const char* s : {"FL", "PR", "ON", "PE"}) CHECK(is_state(s));
    for (const char* s : {"", "ZZ", "F", "fl", "T ", " N"}) CHECK_FALSE(is_state(s));
}
