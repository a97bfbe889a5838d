#include <doctest/doctest.h>

#include "tools/quickstart_main/table.hpp"

using namespace conductor::quickstart;

TEST_CASE("quickstart: text is cut to columns, not octets") {
    struct Row {
        const char* name;
        const char* text;
        int width;
        const char* want;
        int columns;
    };
    const Row rows[] = {
        {"fits", "hello", 5, "hello", 5},
        {"too long", "hello world", 8, "hello...", 8},
        {"line break", "a\nb", 5, "a b", 3},
        {"umlauts are one column", "\xC3\xA4\xC3\xB6\xC3\xBC", 3, "\xC3\xA4\xC3\xB6\xC3\xBC", 3},
        {"an emoji is two", "a\xF0\x9F\x8E\x89", 3, "a\xF0\x9F\x8E\x89", 3},
        {"cut before an emoji that does not fit", "abcd\xF0\x9F\x8E\x89xyz", 8, "abcd...", 7},
        {"a joined accent is none", "e\xCC\x81", 1, "e\xCC\x81", 1},
        {"empty", "", 4, "", 0},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const std::string got = cut(row.text, row.width);
        CHECK(got == row.want);
        CHECK(width_of(got) == row.columns);
    }
}

TEST_CASE("quickstart: columns line up") {
    Table table{{"A", "LONGER", "C"}};
    table.add({"\xF0\x9F\x8E\x89", "x", "1"});
    table.add({"abc", "", ""});
    CHECK(table.text() == "A    LONGER  C\n\xF0\x9F\x8E\x89   x       1\nabc\n");
}
