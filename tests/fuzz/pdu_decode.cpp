// Input: one octet whose low bit is the direction, then a PDU. Any octets give a value or an error with its place; a value encodes again
// (unless it holds what no PDU can be made of) to octets that mean the same.
#include <cstdint>

#include "modem/pdu/pdu.hpp"
#include "tests/fuzz/require.hpp"

using namespace conductor;
using namespace conductor::pdu;

namespace {

/// Octets as on the wire differ in fill bits, in an empty header and in an odd last octet, which no value has.
void forget_wire(UserData& data, const Dcs& dcs) {
    if (dcs.alphabet != Alphabet::data8 && !dcs.compressed) data.octets.clear();
}

Pdu meaning(Pdu pdu) {
    std::visit(overloaded{[](Submit& s) { forget_wire(s.data, s.dcs); }, [](Deliver& d) { forget_wire(d.data, d.dcs); },
                          [](auto& report) {
                              if (report.data) forget_wire(*report.data, report.dcs.value_or(Dcs{}));
                          }},
               pdu.tpdu);
    return pdu;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const Way way = data[0] & 1 ? Way::mobile_originated : Way::mobile_terminated;
    const View octets{data + 1, size - 1};
    const Result<Pdu> first = decode(octets, way);
    if (!first) {
        const auto at = octet_of(first.error());
        FUZZ_REQUIRE(at && *at <= octets.size());
        if (first.error().is(PduErrc::trailing)) FUZZ_REQUIRE(decode(octets.first(*at), way).has_value());
        return 0;
    }
    const Result<Encoded> encoded = encode(*first);
    if (!encoded) {
        const Error& e = encoded.error();
        FUZZ_REQUIRE(e.is(PduErrc::not_encodable) || e.is(PduErrc::bad_field) || e.is(PduErrc::bad_length));
        return 0;
    }
    FUZZ_REQUIRE(encoded->octets.size() <= octets.size());
    const Result<Pdu> second = decode(encoded->octets, way);
    FUZZ_REQUIRE(second.has_value());
    FUZZ_REQUIRE(meaning(*second) == meaning(*first));
    const Result<Encoded> again = encode(*second);
    FUZZ_REQUIRE(again && again->octets == encoded->octets && again->tpdu_length == encoded->tpdu_length);
    return 0;
}
