// Address fields, TS 23.040 §9.1.2.5 and TS 24.011 §8.2.5.
#include <algorithm>

#include "modem/pdu/fields.hpp"
#include "modem/pdu/gsm7.hpp"
#include "modem/pdu/unicode.hpp"

namespace conductor::pdu {
namespace {

constexpr std::string_view semi_octets = "0123456789*#abc";  // 15 is the fill
constexpr std::size_t most_semi_octets = 20;                 // of TP-OA and its like: 12 octets with length and type
constexpr std::size_t most_centre_octets = 11;               // of a service centre address with its type octet

/// Digits of an address value. Filling may stand behind the last digit, and nowhere else.
void read_digits(Reader& in, View value, std::size_t count, std::string_view field, std::size_t begin, std::string& out) {
    bool filled = false;
    for (std::size_t i = 0; i < count; ++i) {
        const unsigned digit = i % 2 ? value[i / 2] >> 4 : value[i / 2] & 0x0Fu;
        if (digit == 0x0F) {
            filled = true;
        } else if (filled) {
            return in.stop(PduErrc::bad_address, field, begin + i / 2);
        } else {
            out.push_back(semi_octets[digit]);
        }
    }
}

/// A length in octets does not tell whether the last of eight septets is an "@" or fill: it is taken for fill (as TS 23.038 §6.1.2.3.1 has
/// it of text in a USSD string).
bool ends_in_fill(const Septets& septets) {
    return !septets.empty() && septets.size() % 8 == 0 && septets.back() == 0;
}

/// `in_octets`: the length was told in octets, as that of a service centre is.
Address read_value(Reader& in, std::size_t count, std::string_view field, bool in_octets = false) {
    const std::uint8_t type = in.octet(field);
    const std::size_t begin = in.at();
    const View value = in.take((count + 1) / 2, field);
    Address address{.digits = {}, .ton = static_cast<Ton>(type >> 4 & 7), .npi = static_cast<std::uint8_t>(type & 0x0F)};
    if (!in.ok()) return address;
    if (address.ton == Ton::alphanumeric) {
        Septets septets = unpack(value, count * 4 / 7);
        if (in_octets && ends_in_fill(septets)) septets.pop_back();
        address.digits = Gsm7{}.decode(septets);
        return address;
    }
    read_digits(in, value, count, field, begin, address.digits);
    if (address.ton == Ton::international && !address.digits.empty()) address.digits.insert(0, 1, '+');
    return address;
}

/// Type octet and value; `count` gets the number of useful semi-octets.
Result<Octets> value_of(const Address& address, std::string_view field, std::size_t& count, bool in_octets = false) {
    if (address.npi > 0x0F || static_cast<unsigned>(address.ton) > 7) return fail(PduErrc::bad_address, std::string{field});
    Octets out{static_cast<std::uint8_t>(0x80 | static_cast<unsigned>(address.ton) << 4 | address.npi)};
    if (address.ton == Ton::alphanumeric) {
        const auto text = from_utf8(address.digits);
        if (!text) return fail(PduErrc::not_encodable, std::string{field});
        Septets septets;
        for (const char32_t c : *text) {
            if (!Gsm7{}.append(c, septets)) return fail(PduErrc::not_encodable, std::string{field});
        }
        if (in_octets && ends_in_fill(septets)) return fail(PduErrc::not_encodable, std::string{field});
        count = (septets.size() * 7 + 3) / 4;
        const Octets packed = pack(septets);
        out.insert(out.end(), packed.begin(), packed.end());
        return out;
    }
    std::string_view digits = address.digits;
    if (address.ton == Ton::international && digits.starts_with('+')) digits.remove_prefix(1);
    count = digits.size();
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t value = semi_octets.find(digits[i]);
        if (value == std::string_view::npos) return fail(PduErrc::bad_address, std::string{field});
        if (i % 2 == 0) {
            out.push_back(static_cast<std::uint8_t>(0xF0 | value));
        } else {
            out.back() = static_cast<std::uint8_t>((out.back() & 0x0Fu) | value << 4);
        }
    }
    return out;
}

}  // namespace

std::string_view to_string(Ton ton) {
    switch (ton) {
        case Ton::unknown: return "unknown";
        case Ton::international: return "international";
        case Ton::national: return "national";
        case Ton::network: return "network";
        case Ton::subscriber: return "subscriber";
        case Ton::alphanumeric: return "alphanumeric";
        case Ton::abbreviated: return "abbreviated";
        case Ton::reserved: return "reserved";
    }
    return "reserved";
}

Address address_of(std::string_view number) {
    return {.digits = std::string{number}, .ton = number.starts_with('+') ? Ton::international : Ton::unknown, .npi = 1};
}

Address read_address(Reader& in, std::string_view field) {
    const std::size_t begin = in.at();
    const std::size_t count = in.octet(field);
    if (count > most_semi_octets) in.stop(PduErrc::bad_address, field, begin);
    return read_value(in, count, field);
}

std::optional<Address> read_service_centre(Reader& in) {
    const std::size_t begin = in.at();
    const std::size_t octets = in.octet("SCA");
    if (octets > most_centre_octets) in.stop(PduErrc::bad_address, "SCA", begin);
    if (octets == 0 || !in.ok()) return std::nullopt;
    return read_value(in, (octets - 1) * 2, "SCA", true);
}

Result<void> write_address(Octets& out, const Address& address, std::string_view field) {
    std::size_t count = 0;
    const Result<Octets> value = value_of(address, field, count);
    if (!value) return value.error();
    if (count > most_semi_octets) return fail(PduErrc::bad_address, std::string{field});
    out.push_back(static_cast<std::uint8_t>(count));
    out.insert(out.end(), value->begin(), value->end());
    return {};
}

Result<void> write_service_centre(Octets& out, const std::optional<Address>& address) {
    if (!address) {
        out.push_back(0);
        return {};
    }
    std::size_t count = 0;
    const Result<Octets> value = value_of(*address, "SCA", count, true);
    if (!value) return value.error();
    if (value->size() > most_centre_octets) return fail(PduErrc::bad_address, "SCA");
    out.push_back(static_cast<std::uint8_t>(value->size()));
    out.insert(out.end(), value->begin(), value->end());
    return {};
}

}  // namespace conductor::pdu
