#include <charconv>

#include "modem/pdu/pdu.hpp"

namespace conductor::pdu {
namespace {

constexpr int nibble(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

const char* errc_library(PduErrc) {
    return "pdu";
}

std::string_view describe(PduErrc e) {
    switch (e) {
        case PduErrc::bad_hex: return "no hex digits, or half an octet";
        case PduErrc::truncated: return "ends inside a field";
        case PduErrc::trailing: return "octets after the last field";
        case PduErrc::bad_address: return "impossible address length or digits";
        case PduErrc::bad_length: return "user data length does not fit";
        case PduErrc::bad_udh: return "user data header overruns the user data";
        case PduErrc::bad_type: return "message type not possible in this direction";
        case PduErrc::bad_field: return "value that the field cannot hold";
        case PduErrc::not_encodable: return "a character that the encoding lacks";
    }
    return "unknown error";
}

std::string to_hex(View octets) {
    constexpr char digits[] = "0123456789ABCDEF";
    std::string out;
    out.reserve(octets.size() * 2);
    for (const std::uint8_t octet : octets) {
        out.push_back(digits[octet >> 4]);
        out.push_back(digits[octet & 0x0F]);
    }
    return out;
}

Result<Octets> from_hex(std::string_view hex) {
    Octets out;
    out.reserve(hex.size() / 2);
    for (std::size_t i = 0; i < hex.size(); i += 2) {
        const int high = nibble(hex[i]);
        const int low = i + 1 < hex.size() ? nibble(hex[i + 1]) : -1;
        if (high < 0 || low < 0) return fail(PduErrc::bad_hex, "hex", i / 2);
        out.push_back(static_cast<std::uint8_t>(high << 4 | low));
    }
    return out;
}

Result<Pdu> decode_hex(std::string_view hex, Way way) {
    const Result<Octets> octets = from_hex(hex);
    if (!octets) return octets.error();
    return decode(*octets, way);
}

std::string Encoded::hex() const {
    return to_hex(octets);
}

std::optional<std::size_t> octet_of(const Error& error) {
    const std::size_t mark = error.where.rfind('@');
    if (mark == std::string::npos) return std::nullopt;
    std::size_t octet = 0;
    const char* end = error.where.data() + error.where.size();
    const auto [stop, failed] = std::from_chars(error.where.data() + mark + 1, end, octet);
    if (failed != std::errc{} || stop != end) return std::nullopt;
    return octet;
}

}  // namespace conductor::pdu
