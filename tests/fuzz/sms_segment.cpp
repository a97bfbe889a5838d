// Input: three octets of options, then a text. Segments hold the whole text, fit their TPDUs and read back.
#include <cstdint>
#include <string>

#include "modem/pdu/unicode.hpp"
#include "modem/sms/sms.hpp"
#include "tests/fuzz/require.hpp"

using namespace conductor;
using namespace conductor::sms;

namespace {

SegmentOptions options_of(const std::uint8_t* octets) {
    SegmentOptions o;
    o.encoding = static_cast<Want>(octets[0] % 3);
    o.wide_ref = octets[0] & 0x10;
    o.transliterate = octets[0] & 0x20;
    o.max_segments = octets[0] & 0x40 ? octets[1] % 4 : 255;
    o.ref = static_cast<std::uint16_t>(octets[1] << 8 | octets[2]);
    if (octets[2] & 0x80) o.national_tables = {static_cast<std::uint8_t>(octets[2] % 15), static_cast<std::uint8_t>(octets[1] % 15)};
    return o;
}

void check(const Segmented& s, const SegmentOptions& options, std::string_view text) {
    FUZZ_REQUIRE(!s.segments.empty() && s.segments.size() <= 255);
    FUZZ_REQUIRE(options.transliterate || s.text == text);
    FUZZ_REQUIRE(!s.replaced.empty() || s.text == text);
    std::string all;
    std::vector<std::optional<pdu::UserData>> parts;
    for (std::size_t i = 0; i < s.segments.size(); ++i) {
        all += s.segments[i].text;
        const auto concat = pdu::find_concat(s.segments[i].data.udh);
        FUZZ_REQUIRE(concat.has_value() == (s.segments.size() > 1));
        FUZZ_REQUIRE(!concat || (concat->seq == i + 1 && concat->total == s.segments.size()));
        const pdu::Submit submit{
            .to = pdu::address_of("15555"), .dcs = pdu::parse_dcs(pdu::make_dcs(s.alphabet)), .data = s.segments[i].data};
        const auto encoded = pdu::encode({.smsc = {}, .tpdu = submit});
        FUZZ_REQUIRE(encoded.has_value());
        const auto back = pdu::decode(encoded->octets, pdu::Way::mobile_originated);
        FUZZ_REQUIRE(back.has_value());
        parts.push_back(std::get<pdu::Submit>(back->tpdu).data);
    }
    FUZZ_REQUIRE(all == s.text);
    FUZZ_REQUIRE(join(parts, s.alphabet) == s.text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 3) return 0;
    const SegmentOptions options = options_of(data);
    const std::string_view text{reinterpret_cast<const char*>(data + 3), size - 3};
    const auto got = segment(text, options);
    const bool good = pdu::from_utf8(text).has_value();
    if (got) {
        FUZZ_REQUIRE(good);
        check(*got, options, text);
    } else {
        FUZZ_REQUIRE(good != got.error().is(SmsErrc::bad_utf8) || text.empty());
    }
    return 0;
}
