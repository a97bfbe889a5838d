// TP-UDL and TP-UD with its header, TS 23.040 §9.2.3.16, §9.2.3.24.
#include <algorithm>

#include "modem/pdu/fields.hpp"
#include "modem/pdu/gsm7.hpp"
#include "modem/pdu/unicode.hpp"

namespace conductor::pdu {
namespace {

bool in_septets(const Dcs& dcs) {
    return dcs.alphabet == Alphabet::gsm7 && !dcs.compressed;
}

/// The elements of a header without its UDHL; empty when the last one does not end with the header.
std::optional<Udh> parse_udh(View header) {
    Udh udh;
    for (std::size_t at = 0; at < header.size();) {
        if (header.size() - at < 2 || header.size() - at - 2 < header[at + 1]) return std::nullopt;
        const View data = header.subspan(at + 2, header[at + 1]);
        udh.push_back({.iei = header[at], .data = Octets(data.begin(), data.end())});
        at += 2 + data.size();
    }
    return udh;
}

/// Header with its UDHL, empty when the user data has none.
Result<Octets> header_octets(const UserData& data) {
    Octets out;
    if (!has_header(data)) return out;
    out.push_back(0);
    if (data.udh.empty()) out.insert(out.end(), data.broken_header.begin(), data.broken_header.end());
    for (const Element& e : data.udh) {
        if (e.data.size() > 0xFF) return fail(PduErrc::bad_length, "UDH");
        out.push_back(e.iei);
        out.push_back(static_cast<std::uint8_t>(e.data.size()));
        out.insert(out.end(), e.data.begin(), e.data.end());
    }
    if (out.size() > most_report_data) return fail(PduErrc::bad_length, "UDH");
    out[0] = static_cast<std::uint8_t>(out.size() - 1);
    return out;
}

Result<Septets> septets_of(const UserData& data) {
    const auto text = from_utf8(data.text);
    if (!text) return fail(PduErrc::not_encodable, "TP-UD");
    const Gsm7 alphabet{find_national(data.udh)};
    Septets septets;
    septets.reserve(text->size());
    for (const char32_t c : *text) {
        if (!alphabet.append(c, septets)) return fail(PduErrc::not_encodable, "TP-UD");
    }
    return septets;
}

Result<Octets> payload_octets(const Dcs& dcs, const UserData& data) {
    if (dcs.compressed || dcs.alphabet == Alphabet::data8) return data.octets;
    std::vector<std::uint16_t> units = data.units;
    if (units.empty()) {
        const auto text = from_utf8(data.text);
        if (!text) return fail(PduErrc::not_encodable, "TP-UD");
        units = to_utf16(*text);
    }
    Octets out;
    out.reserve(units.size() * 2);
    for (const std::uint16_t unit : units) {
        out.push_back(static_cast<std::uint8_t>(unit >> 8));
        out.push_back(static_cast<std::uint8_t>(unit & 0xFF));
    }
    return out;
}

void read_text(UserData& data, const Dcs& dcs, std::size_t header_size, std::size_t length) {
    if (dcs.compressed || dcs.alphabet == Alphabet::data8) return;
    if (dcs.alphabet == Alphabet::gsm7) {
        const std::size_t header_septets = (header_size * 8 + 6) / 7;
        const std::size_t fill = header_septets * 7 - header_size * 8;
        data.text = Gsm7{find_national(data.udh)}.decode(unpack(data.octets, length - header_septets, fill));
        return;
    }
    for (std::size_t i = 0; i + 1 < data.octets.size(); i += 2) {
        data.units.push_back(static_cast<std::uint16_t>(data.octets[i] << 8 | data.octets[i + 1]));
    }
    data.text = utf16_to_utf8(data.units);
}

}  // namespace

UserData read_user_data(Reader& in, const Dcs& dcs, bool has_header, std::size_t most) {
    UserData data;
    const std::size_t length_at = in.at();
    const std::size_t length = in.octet("TP-UDL");
    const std::size_t size = in_septets(dcs) ? (length * 7 + 7) / 8 : length;
    if (size > most) in.stop(PduErrc::bad_length, "TP-UDL", length_at);
    const std::size_t begin = in.at();
    const View all = in.take(size, "TP-UD");
    if (!in.ok()) return data;
    std::size_t header_size = 0;
    if (has_header) {
        if (all.empty() || std::size_t{all[0]} + 1 > all.size()) return in.stop(PduErrc::bad_udh, "UDH", begin), data;
        header_size = std::size_t{all[0]} + 1;
        if (in_septets(dcs) && (header_size * 8 + 6) / 7 > length) return in.stop(PduErrc::bad_udh, "UDH", begin), data;
        const View header = all.subspan(1, header_size - 1);
        if (auto udh = parse_udh(header)) {
            data.udh = std::move(*udh);
        } else {
            data.broken_header.assign(header.begin(), header.end());
        }
    }
    data.octets.assign(all.begin() + static_cast<std::ptrdiff_t>(header_size), all.end());
    read_text(data, dcs, header_size, length);
    return data;
}

Result<std::uint8_t> dcs_octet(const Dcs& dcs) {
    Dcs wire = parse_dcs(dcs.raw);
    if (wire == dcs) return dcs.raw;
    if (dcs.raw != 0 || dcs.compressed || dcs.auto_delete || dcs.waiting) return fail(PduErrc::bad_field, "TP-DCS");
    if (dcs.message_class && (*dcs.message_class < 0 || *dcs.message_class > 3)) return fail(PduErrc::bad_field, "TP-DCS");
    return make_dcs(dcs.alphabet, dcs.message_class);
}

Result<void> write_user_data(Octets& out, const Dcs& dcs, const UserData& data, std::size_t most) {
    const Result<Octets> header = header_octets(data);
    if (!header) return header.error();
    std::size_t length = 0;
    Octets payload;
    if (in_septets(dcs)) {
        const Result<Septets> septets = septets_of(data);
        if (!septets) return septets.error();
        const std::size_t header_septets = (header->size() * 8 + 6) / 7;
        length = header_septets + septets->size();
        payload = pack(*septets, header_septets * 7 - header->size() * 8);
    } else {
        Result<Octets> octets = payload_octets(dcs, data);
        if (!octets) return octets.error();
        payload = std::move(*octets);
        length = header->size() + payload.size();
    }
    if (header->size() + payload.size() > most || length > 0xFF) return fail(PduErrc::bad_length, "TP-UD");
    out.push_back(static_cast<std::uint8_t>(length));
    out.insert(out.end(), header->begin(), header->end());
    out.insert(out.end(), payload.begin(), payload.end());
    return {};
}

}  // namespace conductor::pdu
