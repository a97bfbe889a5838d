#include <doctest/doctest.h>

#include <fstream>
#include <random>
#include <sstream>

#include "daemon/config/config.hpp"

using namespace conductor::config;

TEST_CASE("config: a damaged file is refused or understood, and never more than that") {
    std::ifstream in{SOURCE_DIR "/tests/unit/daemon/config/contract.toml"};
    std::stringstream whole;
    whole << in.rdbuf();
    const std::string original = whole.str();
    REQUIRE(original.size() > 1000);
    const int lines = static_cast<int>(std::count(original.begin(), original.end(), '\n')) + 2;
    std::mt19937_64 rng{20261122};
    const auto below = [&](std::size_t n) { return static_cast<std::size_t>(rng() % n); };
    constexpr std::string_view pieces[] = {"0",   "-1", "\"", "[",    "]",     "=",    "\n",         "{}", "99999999999999999999",
                                           "nan", "'",  "#",  "\xFF", "1e400", "true", "[[modem]]\n"};
    int refused = 0;
    for (int round = 0; round < 1500; ++round) {
        CAPTURE(round);
        std::string text = original;
        for (std::size_t n = 1 + below(3); n > 0; --n) {
            const std::size_t at = below(text.size());
            switch (below(3)) {
                case 0: text.erase(at, 1 + below(20)); break;
                case 1: text.insert(at, pieces[below(std::size(pieces))]); break;
                case 2: text[at] = static_cast<char>(32 + below(95)); break;
            }
        }
        const Loaded loaded = parse(text, "c.toml");
        if (!loaded.problems.empty()) ++refused;
        for (const Problem& p : loaded.problems) {
            CHECK(p.line >= 1);
            CHECK(p.line <= lines + 6);
            CHECK_FALSE(p.message.empty());
        }
        if (loaded.problems.empty()) CHECK_FALSE(show(loaded.config).empty());
    }
    CHECK(refused > 500);
}
