#pragma once
// Grapheme clusters (UAX #29) through libutf8proc.
#include <string>
#include <string_view>
#include <vector>

namespace conductor::sms {

/// For each code point, whether a grapheme cluster begins there. The first is always true.
std::vector<bool> grapheme_starts(std::u32string_view text);

/// The character without its marks when it decomposes (é: e), else the character itself. Canonical decomposition alone.
char32_t base_character(char32_t c);

/// Canonical composition (NFC).
std::u32string compose(std::u32string_view text);

/// Is it a combining mark (general category M)?
bool is_mark(char32_t c);

}  // namespace conductor::sms
