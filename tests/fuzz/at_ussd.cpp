// Input: one octet whose low bit says that the family packs, then a +CUSD line. Its text is always UTF-8; a code that packs reads back.
#include <cstdint>
#include <string>

#include "modem/at/ussd.hpp"
#include "modem/pdu/unicode.hpp"
#include "tests/fuzz/require.hpp"

using namespace conductor;
using namespace conductor::at;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const bool packs = data[0] & 1;
    const std::string line{reinterpret_cast<const char*>(data + 1), size - 1};
    const Ussd ussd = parse_ussd(line);
    FUZZ_REQUIRE(ussd.text.size() <= line.size());
    if (ussd_continues(line)) FUZZ_REQUIRE(line.find('"') != std::string::npos);
    const std::string text = ussd_text(ussd, packs);
    FUZZ_REQUIRE(pdu::from_utf8(text).has_value());
    if (const auto packed = pack_ussd(line)) {
        const std::string back = ussd_text({1, *packed, 15}, true);
        // a text whose 8th septet is CR or '@' at the end is ambiguous on the air; short ones are no hex of two octets
        if (packed->size() >= 4 && !line.ends_with('\r') && line.find('@') == std::string::npos && back != line)
            FUZZ_REQUIRE(back.size() < packed->size());  // it looks like UCS-2
    }
    return 0;
}
