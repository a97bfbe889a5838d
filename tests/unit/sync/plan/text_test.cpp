#include "sync/plan/text.hpp"

#include <doctest/doctest.h>

using namespace conductor::sync;
using namespace std::string_view_literals;

TEST_CASE("clean_json: what PostgreSQL cannot store goes, everything else stays octet by octet") {
    struct Row {
        const char* name;
        std::string_view json, want;
    };
    const Row rows[] = {
        {"plain", R"({"a":"b"})", R"({"a":"b"})"},
        {"other escapes stay", R"("\n\"\\\/\u00e9")", R"("\n\"\\\/\u00e9")"},
        {"NUL escape goes", R"("a\u0000b")", R"("ab")"},
        {"an escaped backslash before u0000 is text", R"("a\\u0000b")", R"("a\\u0000b")"},
        {"a pair stays", R"("\ud83d\ude00")", R"("\ud83d\ude00")"},
        {"a pair stays, upper case", R"("\uD83D\uDE00")", R"("\uD83D\uDE00")"},
        {"high alone", R"("\ud83dx")", R"("\ufffdx")"},
        {"high before another escape", R"("\ud83d\u0041")", R"("\ufffd\u0041")"},
        {"high, high, low", R"("\ud83d\ud83d\ude00")", R"("\ufffd\ud83d\ude00")"},
        {"low alone", R"("\ude00")", R"("\ufffd")"},
        {"high before NUL", R"("\ud83d\u0000")", R"("\ufffd")"},
        {"high at the end", R"(\ud83d)", R"(\ufffd)"},
        {"cut escape", R"("\ud8)", R"("\ud8)"},
        {"backslash at the end", "\"\\", "\"\\"},
        {"raw NUL", "\"a\0b\""sv, "\"ab\""},
        {"raw UTF-8 stays", "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"", "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\""},
        {"a surrogate as UTF-8", "\"\xED\xA0\xBD\"", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {"Latin-1", "\"caf\xE9\"", "\"caf\xEF\xBF\xBD\""},
        {"overlong", "\"\xC0\x80\"", "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {"above U+10FFFF", "\"\xF4\x90\x80\x80\"", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {"cut at the end", "\xE2\x82", "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"escape of a bad octet", "\"\\\xE9\"", "\"\\\xEF\xBF\xBD\""},
        {"empty", "", ""},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        CHECK(clean_json(row.json) == row.want);
        CHECK(clean_json(clean_json(row.json)) == row.want);
    }
}

TEST_CASE("clean_text: backslashes are text") {
    CHECK(clean_text("a\0b"sv) == "ab");
    CHECK(clean_text(R"(\u0000\ud800)") == R"(\u0000\ud800)");
    CHECK(clean_text("\xFF!") == "\xEF\xBF\xBD!");
}
