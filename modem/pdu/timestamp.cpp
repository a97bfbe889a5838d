// Time stamps on the wire: seven octets of swapped digits, TS 23.040 §9.2.3.11.
#include "modem/pdu/fields.hpp"

namespace conductor::pdu {

Timestamp read_timestamp(Reader& in, std::string_view field) {
    const View octets = in.take(7, field);
    if (octets.empty()) return {};
    const auto digits = [&](std::size_t i) { return (octets[i] & 0x0F) * 10 + (octets[i] >> 4); };
    Timestamp t{
        .year = 2000 + digits(0), .month = digits(1), .day = digits(2), .hour = digits(3), .minute = digits(4), .second = digits(5)};
    // Bit 3 of the first digit is the sign. A second digit that is none makes the whole zone one that does not exist.
    const int last = octets[6] >> 4;
    const int quarters = last > 9 ? 70 + last : (octets[6] & 0x07) * 10 + last;
    t.zone_quarters = octets[6] & 0x08 ? -quarters : quarters;
    return t;
}

Result<void> write_timestamp(Octets& out, const Timestamp& t, std::string_view field) {
    const int quarters = t.zone_quarters < 0 ? -t.zone_quarters : t.zone_quarters;
    if (t.year < 2000 || t.year > 2099 || quarters > 79) return fail(PduErrc::bad_field, std::string{field});
    const int fields[] = {t.year - 2000, t.month, t.day, t.hour, t.minute, t.second, quarters};
    for (const int value : fields) {
        if (value < 0 || value > 99) return fail(PduErrc::bad_field, std::string{field});
        out.push_back(static_cast<std::uint8_t>(value / 10 | value % 10 << 4));
    }
    if (t.zone_quarters < 0) out.back() = static_cast<std::uint8_t>(out.back() | 0x08);
    return {};
}

}  // namespace conductor::pdu
