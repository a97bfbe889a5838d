#pragma once
// The simulator's own character sets: UTF-8, UCS-2 and the GSM 7-bit default alphabet (TS 23.038 §6.2.1). Written apart from
// modem/pdu on purpose: a table that is wrong in one of the two shows up as a difference.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace conductor::modemsim {

using Octets = std::vector<std::uint8_t>;

/// Code points of UTF-8; a malformed octet becomes U+FFFD.
std::u32string from_utf8(std::string_view utf8);
std::string to_utf8(std::u32string_view text);

/// Septets of the default alphabet with its extension table (an extension character is 1B and a second septet);
/// empty when a character is in neither.
std::optional<Octets> to_gsm7(std::u32string_view text);
/// Unknown extension characters become a space, as TS 23.038 §6.2.1.1 asks.
std::u32string from_gsm7(const Octets& septets);

/// Septets to octets, the first one beginning at bit `fill` (0-6) of the first octet (TS 23.038 §6.1.2.1).
Octets pack(const Octets& septets, unsigned fill = 0);
/// `count` septets out of octets; stops early when the octets end.
Octets unpack(const Octets& octets, std::size_t count, unsigned fill = 0);

/// UTF-16 code units, big endian; from_ucs2 puts surrogate pairs together and ignores a last odd octet.
Octets to_ucs2(std::u32string_view text);
std::u32string from_ucs2(const Octets& octets);

std::string to_hex(const Octets& octets);
/// Either case; empty when a digit is wrong or their number is odd.
std::optional<Octets> from_hex(std::string_view hex);

/// Text as a terminal with this +CSCS character set ("GSM", "IRA", "UCS2", "HEX", "UTF-8") sees and types it.
std::string to_charset(std::u32string_view text, std::string_view charset);
std::optional<std::u32string> from_charset(std::string_view typed, std::string_view charset);

}  // namespace conductor::modemsim
