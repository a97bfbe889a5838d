#pragma once
// UTF-8, UTF-16 and code points, strict and total.
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace conductor::pdu {

constexpr char32_t replacement_character = 0xFFFD;

/// Code points of well-formed UTF-8 (no overlong forms, no surrogates); empty optional when it is not.
std::optional<std::u32string> from_utf8(std::string_view text);
/// Appends one code point; surrogates and values above U+10FFFF become U+FFFD.
void append_utf8(std::string& out, char32_t c);
std::string to_utf8(std::u32string_view text);

/// 1 or 2 UTF-16 units per code point.
std::vector<std::uint16_t> to_utf16(std::u32string_view text);
/// Lone surrogates become U+FFFD.
std::string utf16_to_utf8(std::span<const std::uint16_t> units);

}  // namespace conductor::pdu
