// Input: a transcript. What parses is written again as text that parses to the same.
#include <cstdint>
#include <string_view>

#include "modem/port/transcript.hpp"
#include "tests/fuzz/require.hpp"

using namespace conductor;
using namespace conductor::port;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    const auto first = parse_transcript(text);
    if (!first) {
        FUZZ_REQUIRE(first.error().where.starts_with("line@"));
        return 0;
    }
    const std::string written = format_transcript(*first);
    const auto second = parse_transcript(written);
    FUZZ_REQUIRE(second.has_value());
    FUZZ_REQUIRE(second->steps == first->steps);
    FUZZ_REQUIRE(second->comments == first->comments);
    FUZZ_REQUIRE(format_transcript(*second) == written);
    return 0;
}
