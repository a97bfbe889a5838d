// The rules of CONTRIBUTING.md that a compiler does not check: who may include whom, which words stay out, and how long a file may be.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace fs = std::filesystem;

/// One row of the table in CONTRIBUTING.md. `may` lists the folders of ours it may include beside itself and daemon/core.
struct Folder {
    std::string_view path;
    bool pure;
    std::vector<std::string_view> may;
};

const std::vector<Folder>& folders() {
    static const std::vector<Folder> rows = {
        {"daemon/core", true, {}},
        {"daemon/aio", false, {}},
        {"daemon/config", true, {}},
        {"daemon/store", false, {"daemon/aio"}},
        {"daemon/dispatch", true, {"daemon/config", "modem/at"}},
        {"daemon/analytics", true, {"daemon/config"}},
        {"daemon/metrics", true, {}},
        {"daemon/service",
         false,
         {"daemon/aio", "daemon/config", "daemon/store", "daemon/dispatch", "daemon/analytics", "daemon/metrics", "daemon/api", "modem",
          "sync"}},
        {"daemon/api", false, {"daemon/aio", "daemon/config"}},
        {"daemon/app", false, {"daemon", "modem", "sync"}},
        {"modem/pdu", true, {}},
        {"modem/sms", true, {"modem/pdu"}},
        {"modem/at", true, {"modem/pdu"}},
        {"modem/profile", true, {"modem/at", "modem/pdu"}},
        {"modem/port", false, {"daemon/aio"}},
        {"modem/driver", false, {"daemon/aio", "modem"}},
        {"sync/plan", true, {}},
        {"sync/client", false, {"daemon/aio", "sync/plan"}},
        {"sync/crm", true, {"sync/plan"}},
        {"sync/sources", false, {"daemon/aio", "sync"}},
        {"tools", false, {"daemon", "modem", "sync"}},
        {"tests", false, {"daemon", "modem", "sync", "tools"}},
    };
    return rows;
}

bool within(std::string_view path, std::string_view folder) {
    return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

const Folder* folder_of(std::string_view path) {
    for (const Folder& row : folders())
        if (within(path, row.path)) return &row;
    return nullptr;
}

struct Source {
    std::string path;  ///< from the top of the tree
    std::vector<std::string> lines;
};

Source from_text(std::string path, std::string_view text) {
    Source source{std::move(path), {}};
    std::istringstream in{std::string{text}};
    for (std::string line; std::getline(in, line);) source.lines.push_back(line);
    return source;
}

/// Every C++ file of ours.
std::vector<Source> read_tree() {
    std::vector<Source> sources;
    const fs::path top = SOURCE_DIR;
    for (const char* root : {"daemon", "modem", "sync", "tools", "tests"}) {
        if (!fs::exists(top / root)) continue;
        for (const fs::directory_entry& entry : fs::recursive_directory_iterator{top / root}) {
            const std::string extension = entry.path().extension().string();
            if (!entry.is_regular_file() || (extension != ".cpp" && extension != ".hpp")) continue;
            std::ifstream in{entry.path()};
            std::stringstream text;
            text << in.rdbuf();
            sources.push_back(from_text(fs::relative(entry.path(), top).generic_string(), text.str()));
        }
    }
    return sources;
}

/// The line without its comment and with its literals emptied, so that words in them do not count.
std::string code_of(std::string_view line) {
    std::string out;
    for (std::size_t at = 0; at < line.size(); ++at) {
        if (line.substr(at, 2) == "//") break;
        out += line[at];
        const bool literal = line[at] == '"' || (line[at] == '\'' && (at == 0 || !std::isalnum(static_cast<unsigned char>(line[at - 1]))));
        if (!literal) continue;
        const char quote = line[at];
        for (++at; at < line.size() && line[at] != quote; ++at)
            if (line[at] == '\\') ++at;
        out += quote;
    }
    return out;
}

/// `word` as a whole word: no letter, digit or underscore at either end.
bool has_word(std::string_view text, std::string_view word) {
    const auto joins = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
    for (std::size_t at = text.find(word); at != text.npos; at = text.find(word, at + 1)) {
        const bool before = at > 0 && joins(text[at - 1]) && joins(word.front());
        const std::size_t end = at + word.size();
        const bool after = end < text.size() && joins(text[end]) && joins(word.back());
        if (!before && !after) return true;
    }
    return false;
}

struct Include {
    std::string name;
    bool ours = false;  ///< in quotes
};

std::optional<Include> include_of(std::string_view line) {
    const auto hash = line.find_first_not_of(' ');
    if (hash == line.npos || !line.substr(hash).starts_with("#include")) return std::nullopt;
    const auto open = line.find_first_of("<\"", hash);
    if (open == line.npos) return std::nullopt;
    const auto close = line.find_first_of(">\"", open + 1);
    if (close == line.npos) return std::nullopt;
    return Include{std::string{line.substr(open + 1, close - open - 1)}, line[open] == '"'};
}

using Findings = std::vector<std::string>;

void found(Findings& out, const Source& source, std::size_t line, const std::string& what) {
    out.push_back(source.path + ":" + std::to_string(line + 1) + ": " + what);
}

/// Headers of the outside that only some folders may include, by how the name begins.
struct Outside {
    std::string_view prefix;
    std::vector<std::string_view> only;  ///< empty: every folder that is not pure
};
const std::vector<Outside>& outside() {
    static const std::vector<Outside> rows = {
        {"sqlite3", {"daemon/store", "tests", "tools"}},
        {"curl/", {"sync/client", "sync/sources", "tools"}},
        {"libserialport", {"modem/port", "tools"}},
        {"systemd/", {"daemon/app", "daemon/store", "modem/port"}},
        {"boost/asio", {}},
        {"boost/beast", {"daemon/aio", "daemon/api", "sync/client", "tests", "tools"}},
        {"toml++", {"daemon/config", "tools"}},
        {"regex", {"nowhere"}},
    };
    return rows;
}

Findings include_findings(const std::vector<Source>& sources) {
    Findings out;
    for (const Source& source : sources) {
        const Folder* folder = folder_of(source.path);
        if (!folder) {
            out.push_back(source.path + ": no row of the table in CONTRIBUTING.md holds it");
            continue;
        }
        for (std::size_t n = 0; n < source.lines.size(); ++n) {
            const auto include = include_of(source.lines[n]);
            if (!include) continue;
            if (include->ours) {
                const std::string& name = include->name;
                const bool allowed = within(name, folder->path) || within(name, "daemon/core") ||
                                     std::ranges::any_of(folder->may, [&](std::string_view other) { return within(name, other); });
                if (within(source.path, "tests") && name.find('/') == name.npos) continue;  // beside it
                if (!folder_of(name))
                    found(out, source, n, "includes " + name + " without its folder");
                else if (!allowed)
                    found(out, source, n, std::string{folder->path} + " may not include " + name);
                continue;
            }
            for (const Outside& header : outside()) {
                if (!include->name.starts_with(header.prefix)) continue;
                const bool listed = std::ranges::any_of(header.only, [&](std::string_view path) { return within(source.path, path); });
                const bool allowed = listed || (header.only.empty() && !folder->pure);
                if (!allowed) found(out, source, n, std::string{folder->path} + " may not include <" + include->name + ">");
            }
        }
    }
    return out;
}

/// A word that stays out of the code of all folders but `except`.
struct Banned {
    std::string_view word;
    std::vector<std::string_view> except;
    std::string_view because;
};
const std::vector<Banned>& banned() {
    static const std::vector<std::string_view> io = {"daemon/aio",  "daemon/app", "daemon/core/clock", "modem/port", "modem/driver",
                                                     "sync/client", "daemon/api", "daemon/service",    "tools",      "tests"};
    static const std::vector<Banned> rows = {
        {"steady_clock::now", {"tools/harness", "tools/bench_main", "tests"}, "ask the Clock"},
        {"system_clock::now", {"daemon/aio", "daemon/app", "daemon/core/clock", "tools", "tests"}, "ask the Clock"},
        {"high_resolution_clock", {}, "ask the Clock"},
        {"BootClock::now", io, "pure code is given the time; I/O code takes it for deadlines alone"},
        {"clock_gettime", {"daemon/core/clock", "daemon/aio", "daemon/app", "tests"}, "ask the Clock"},
        {"gettimeofday", {"tools", "tests/support"}, "ask the Clock"},
        {"std::regex", {}, "write a reader: std::regex recurses by length"},
        {"setlocale", {"tools"}, "the locale stays C"},
        {"std::locale", {}, "the locale stays C"},
        {"strtod", {}, "std::from_chars, which knows no locale"},
        {"atof", {}, "std::from_chars"},
        {"atoi", {}, "std::from_chars"},
        {"std::stod", {}, "std::from_chars"},
        {"std::stoi", {"tests"}, "std::from_chars"},
        {"toupper", {}, "ASCII alone, written out"},
        {"tolower", {}, "ASCII alone, written out"},
        {"strftime", {}, "to_rfc3339"},
        {"std::this_thread::sleep_for", {"tools/harness", "tests"}, "await a timer"},
        {"usleep", {}, "await a timer"},
    };
    return rows;
}

Findings word_findings(const std::vector<Source>& sources) {
    Findings out;
    for (const Source& source : sources)
        for (std::size_t n = 0; n < source.lines.size(); ++n) {
            const std::string code = code_of(source.lines[n]);
            for (const Banned& ban : banned()) {
                const bool excepted = std::ranges::any_of(ban.except, [&](std::string_view path) { return source.path.starts_with(path); });
                if (!excepted && has_word(code, ban.word)) found(out, source, n, std::string{ban.word} + ": " + std::string{ban.because});
            }
        }
    return out;
}

/// g++ 12 destroys a temporary twice that is made by braces, or is a lambda with captures, inside a co_await expression. The statement's
/// first line shows most of them; CONTRIBUTING.md has the cure.
Findings await_findings(const std::vector<Source>& sources) {
    Findings out;
    for (const Source& source : sources)
        for (std::size_t n = 0; n < source.lines.size(); ++n) {
            const std::string code = code_of(source.lines[n]);
            const auto at = code.find("co_await ");
            if (at == code.npos) continue;
            const std::string_view rest = std::string_view{code}.substr(at, code.find(';', at) - at);
            for (const std::string_view opening : {"([", ", ["})
                if (const auto lambda = rest.find(opening); lambda != rest.npos && rest.substr(lambda + opening.size(), 1) != "]")
                    found(out, source, n, "a lambda with captures inside co_await: give it a name first");
            if (rest.find("{.") != rest.npos || rest.find("({") != rest.npos || rest.find(", {") != rest.npos)
                found(out, source, n, "a braced temporary inside co_await: give it a name first");
            for (std::size_t brace = rest.find('{'); brace != rest.npos; brace = rest.find('{', brace + 1)) {
                const std::size_t name = rest.find_last_of(" (,:", brace);
                const bool type = name != rest.npos && name + 1 < brace && rest[name + 1] >= 'A' && rest[name + 1] <= 'Z';
                if (type && rest.substr(brace, 2) != "{." && rest.substr(brace, 2) != "{}")
                    found(out, source, n, "a braced temporary inside co_await: give it a name first");
            }
        }
    return out;
}

/// Marks of unfinished work, put together here so that this file does not hold them.
Findings mark_findings(const std::vector<Source>& sources) {
    const std::array<std::string, 4> marks = {std::string{"FIX"} + "ME", std::string{"TO"} + "DO", std::string{"XX"} + "X",
                                              std::string{"HA"} + "CK"};
    Findings out;
    for (const Source& source : sources)
        for (std::size_t n = 0; n < source.lines.size(); ++n)
            for (const std::string& mark : marks)
                if (has_word(source.lines[n], mark)) found(out, source, n, "left-over " + mark);
    return out;
}

/// Vendors are known in modem/profile alone (and in what imitates or records devices).
Findings vendor_findings(const std::vector<Source>& sources) {
    constexpr std::array<std::string_view, 8> vendors = {"huawei", "quectel", "simcom", "sierra", "telit", "u-blox", "ublox", "zte"};
    Findings out;
    for (const Source& source : sources) {
        if (within(source.path, "modem/profile") || within(source.path, "tests") || within(source.path, "tools")) continue;
        for (std::size_t n = 0; n < source.lines.size(); ++n) {
            std::string code = source.lines[n].substr(0, source.lines[n].find("//"));
            std::ranges::transform(code, code.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
            for (const std::string_view vendor : vendors)
                if (has_word(code, vendor)) found(out, source, n, "knows the vendor " + std::string{vendor});
        }
    }
    return out;
}

Findings shape_findings(const std::vector<Source>& sources) {
    Findings out;
    for (const Source& source : sources) {
        if (source.lines.size() > 700) out.push_back(source.path + ": " + std::to_string(source.lines.size()) + " lines; at most 700");
        if (!source.path.ends_with(".hpp")) continue;
        if (source.lines.empty() || source.lines.front() != "#pragma once")
            out.push_back(source.path + ": a header begins with #pragma once");
    }
    return out;
}

std::string join(const Findings& findings) {
    std::string out;
    for (const std::string& line : findings) out += "\n  " + line;
    return out;
}

}  // namespace

TEST_CASE("tidy: the checks see what they are for") {
    struct Row {
        const char* name;
        const char* path;
        const char* text;
        Findings (*check)(const std::vector<Source>&);
        std::size_t want;
    };
    const Row rows[] = {
        {"a pure folder with Asio", "modem/pdu/a.cpp", "#include <boost/asio/io_context.hpp>", include_findings, 1},
        {"an I/O folder with Asio", "modem/port/a.cpp", "#include <boost/asio/io_context.hpp>", include_findings, 0},
        {"sqlite outside the store", "daemon/service/a.cpp", "#include <sqlite3.h>", include_findings, 1},
        {"sqlite in the store", "daemon/store/a.cpp", "#include <sqlite3.h>", include_findings, 0},
        {"modem knows sync", "modem/driver/a.cpp", "#include \"sync/plan/types.hpp\"", include_findings, 1},
        {"core is for all", "modem/pdu/a.cpp", "#include \"daemon/core/result.hpp\"", include_findings, 0},
        {"core knows nobody", "daemon/core/a.cpp", "#include \"daemon/config/config.hpp\"", include_findings, 1},
        {"a name without its folder", "modem/pdu/a.cpp", "#include \"pdu.hpp\"", include_findings, 1},
        {"a folder without a row", "daemon/other/a.cpp", "", include_findings, 1},
        {"now in a pure folder", "daemon/dispatch/a.cpp", "const auto t = BootClock::now();", word_findings, 1},
        {"now in a comment", "daemon/dispatch/a.cpp", "int t;  // not BootClock::now()", word_findings, 0},
        {"now in a string", "daemon/dispatch/a.cpp", "f(\"BootClock::now\");", word_findings, 0},
        {"digit separators are no quotes", "daemon/dispatch/a.cpp", "int n = 1'000; use(BootClock::now()); int m = 2'000;", word_findings,
         1},
        {"part of a word", "daemon/dispatch/a.cpp", "my_atoi(x);", word_findings, 0},
        {"a regex", "daemon/api/a.cpp", "std::regex r;", word_findings, 1},
        {"a lambda that captures, awaited", "daemon/api/a.cpp", "auto r = co_await store.run([x](Tx& tx) {", await_findings, 1},
        {"a lambda that captures nothing, awaited", "daemon/api/a.cpp", "auto r = co_await store.run([](Tx& tx) {", await_findings, 0},
        {"an element, awaited", "daemon/api/a.cpp", "co_await all[n].run(table[x]);", await_findings, 0},
        {"bare braces, awaited", "daemon/api/a.cpp", "co_await read_slot({memory, index});", await_findings, 1},
        {"braces, awaited", "daemon/api/a.cpp", "co_await f(Command{.line = x});", await_findings, 1},
        {"a named type's braces, awaited", "daemon/api/a.cpp", "co_return co_await refuse(c, Refusal{408, \"timeout\"});", await_findings,
         1},
        {"a lambda in the next statement", "daemon/api/a.cpp", "co_await f(); g([x] { h(x); });", await_findings, 0},
        {"a vendor in the driver", "modem/driver/a.cpp", "if (name == \"Huawei\") return;", vendor_findings, 1},
        {"a vendor in its profile", "modem/profile/a.cpp", "if (name == \"Huawei\") return;", vendor_findings, 0},
        {"a mark", "modem/pdu/a.cpp",
         "// FIX"
         "ME later",
         mark_findings, 1},
        {"a header without its guard", "modem/pdu/a.hpp", "int a;", shape_findings, 1},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const Findings got = row.check({from_text(row.path, row.text)});
        CAPTURE(join(got));
        CHECK(got.size() == row.want);
    }
    const Source longest = from_text("modem/pdu/a.cpp", std::string(701, '\n'));
    CHECK(shape_findings({longest}).size() == 1);
}

TEST_CASE("tidy: the tree keeps its rules") {
    const std::vector<Source> sources = read_tree();
    REQUIRE(sources.size() > 20);
    for (const auto check : {include_findings, word_findings, await_findings, mark_findings, vendor_findings, shape_findings}) {
        const Findings got = check(sources);
        CHECK_MESSAGE(got.empty(), join(got));
    }
}

TEST_CASE("tidy: CONTRIBUTING.md has a row for every folder") {
    std::ifstream in{fs::path{SOURCE_DIR} / "CONTRIBUTING.md"};
    REQUIRE(in);
    std::stringstream text;
    text << in.rdbuf();
    for (const Folder& row : folders()) {
        if (!fs::exists(fs::path{SOURCE_DIR} / row.path)) continue;
        CAPTURE(row.path);
        CHECK(text.str().find("`" + std::string{row.path} + "/`") != std::string::npos);
    }
}
