#include "modem/at/ussd.hpp"

#include <algorithm>

#include "modem/at/fields.hpp"
#include "modem/pdu/gsm7.hpp"
#include "modem/pdu/pdu.hpp"
#include "modem/pdu/unicode.hpp"

namespace conductor::at {

namespace {

std::string from_ucs2(const pdu::Octets& octets) {
    std::vector<std::uint16_t> units;
    for (std::size_t i = 0; i + 1 < octets.size(); i += 2) units.push_back(static_cast<std::uint16_t>(octets[i] << 8 | octets[i + 1]));
    return pdu::utf16_to_utf8(units);
}

std::string from_packed(const pdu::Octets& octets) {
    auto septets = pdu::unpack(octets, octets.size() * 8 / 7);
    if (!septets.empty() && septets.size() % 8 == 0 && (septets.back() == '\r' || septets.back() == 0)) septets.pop_back();
    return pdu::Gsm7{}.decode(septets);
}

/// UCS-2 of Latin text: every other octet is 0.
bool looks_like_ucs2(const pdu::Octets& octets) {
    if (octets.size() < 4 || octets.size() % 2 != 0) return false;
    std::size_t zeros = 0;
    for (std::size_t i = 0; i < octets.size(); i += 2) zeros += octets[i] < 0x07 ? 1U : 0U;
    return zeros * 2 >= octets.size() / 2;
}

/// DCS 17: two septets of an ISO 639 language stand before the text (TS 23.038 §5), where the modem has not taken them off.
pdu::Octets without_language(const pdu::Octets& octets) {
    if (octets.size() < 2) return octets;
    const auto language = pdu::unpack(std::span{octets}.first(2), 2);
    const auto letter = [](std::uint8_t s) { return s >= 'a' && s <= 'z'; };
    if (language.size() < 2 || !letter(language[0]) || !letter(language[1]) || octets[0] < 0x80) return octets;
    return {octets.begin() + 2, octets.end()};
}

/// DCS 01xx 01xx: 8 bit data (TS 23.038 §5).
bool is_data(int dcs) {
    return (dcs & 0xcc) == 0x44;
}

std::string as_utf8(std::string text) {
    std::erase_if(text, [](char c) { return (c >= 0 && c < ' ' && c != '\n') || c == '\x7f'; });
    if (pdu::from_utf8(text)) return text;
    std::u32string latin1;
    for (const char c : text) latin1 += static_cast<unsigned char>(c);
    return pdu::to_utf8(latin1);
}

/// Where an octet is no septet, the modem does not keep to its alphabet.
std::string from_septets(const std::string& text) {
    const pdu::Septets septets{text.begin(), text.end()};
    const bool all = std::ranges::all_of(septets, [](std::uint8_t s) { return s < 0x80; });
    return all ? pdu::Gsm7{}.decode(septets) : as_utf8(text);
}

}  // namespace

std::string ussd_text(const Ussd& answer, bool packed_expected, bool gsm_alphabet) {
    const auto octets = is_hex(answer.text) && answer.text.size() >= 4 ? pdu::from_hex(answer.text) : Result<pdu::Octets>{pdu::Octets{}};
    const int dcs = answer.dcs.value_or(15);
    if (!octets || octets->empty()) return gsm_alphabet && !is_data(dcs) ? from_septets(answer.text) : as_utf8(answer.text);
    if (dcs == 17) return from_ucs2(without_language(*octets));
    if ((dcs & 0xcc) == 0x48 || looks_like_ucs2(*octets)) return from_ucs2(*octets);
    // Digits alone ("12345678") are a text unless the family is known to pack.
    const bool only_digits = answer.text.find_first_not_of("0123456789") == std::string::npos;
    return packed_expected || !only_digits ? from_packed(*octets) : answer.text;
}

std::optional<std::string> pack_ussd(std::string_view code) {
    const auto characters = pdu::from_utf8(code);
    if (!characters) return std::nullopt;
    pdu::Septets septets;
    const pdu::Gsm7 alphabet;
    for (const char32_t c : *characters)
        if (!alphabet.append(c, septets)) return std::nullopt;
    if (septets.size() % 8 == 7) septets.push_back('\r');
    return pdu::to_hex(pdu::pack(septets));
}

namespace {
/// Where the quoted text of a +CUSD ends: a quote with nothing behind it but a comma and a dcs. npos: nowhere.
std::size_t closing_quote(std::string_view line, std::size_t open) {
    const std::size_t last = line.rfind('"');
    if (last == std::string_view::npos || last <= open) return std::string_view::npos;
    std::string_view behind = trim(line.substr(last + 1));
    if (behind.empty()) return last;
    if (behind.front() != ',') return std::string_view::npos;
    behind = trim(behind.substr(1));
    return behind.empty() || to_int(behind.substr(0, behind.find(','))) ? last : std::string_view::npos;
}
}  // namespace

bool ussd_continues(std::string_view line) {
    const std::size_t open = line.find('"');
    return open != std::string_view::npos && closing_quote(line, open) == std::string_view::npos;
}

Ussd parse_ussd(std::string_view line) {
    const Fields f{line};
    Ussd ussd{f.number(0).value_or(0), f.text(1), f.number(2)};
    const std::size_t open = line.find('"');
    if (open == std::string_view::npos) return ussd;
    const std::size_t close = closing_quote(line, open);
    if (close == std::string_view::npos) {
        if (std::ranges::count(line, '"') == 1) {  // cut: all that came
            ussd.text = line.substr(open + 1);
            ussd.dcs.reset();
        }
        return ussd;
    }
    ussd.text = line.substr(open + 1, close - open - 1);  // with quotes and commas inside
    std::string_view behind = trim(line.substr(close + 1));
    if (!behind.empty()) behind.remove_prefix(1);
    ussd.dcs = to_int(behind.substr(0, behind.find(',')));
    return ussd;
}

}  // namespace conductor::at
