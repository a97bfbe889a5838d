#include "modem/sms/transliterate.hpp"

#include <algorithm>

#include "modem/pdu/gsm7.hpp"
#include "modem/pdu/unicode.hpp"
#include "modem/sms/graphemes.hpp"

namespace conductor::sms {
namespace {

struct Near {
    char32_t from;
    std::u32string_view to;
};

// Sorted by code point. Letters that only lose their marks are not listed: base_character() finds them.
constexpr Near near_characters[] = {
    {0x00A0, U" "},  {0x00A9, U"(c)"}, {0x00AB, U"\""},  {0x00AD, U""},    {0x00AE, U"(R)"}, {0x00B4, U"'"},  {0x00B7, U"."},
    {0x00B8, U","},  {0x00BB, U"\""},  {0x00BC, U"1/4"}, {0x00BD, U"1/2"}, {0x00BE, U"3/4"}, {0x00D0, U"D"},  {0x00D7, U"x"},
    {0x00DE, U"Th"}, {0x00F0, U"d"},   {0x00F7, U"/"},   {0x00FE, U"th"},  {0x0110, U"D"},   {0x0111, U"d"},  {0x0126, U"H"},
    {0x0127, U"h"},  {0x0131, U"i"},   {0x0141, U"L"},   {0x0142, U"l"},   {0x0152, U"OE"},  {0x0153, U"oe"}, {0x0160, U"S"},
    {0x1E9E, U"SS"}, {0x2002, U" "},   {0x2003, U" "},   {0x2004, U" "},   {0x2005, U" "},   {0x2006, U" "},  {0x2007, U" "},
    {0x2008, U" "},  {0x2009, U" "},   {0x200A, U" "},   {0x200B, U""},    {0x200E, U""},    {0x200F, U""},   {0x2010, U"-"},
    {0x2011, U"-"},  {0x2012, U"-"},   {0x2013, U"-"},   {0x2014, U"-"},   {0x2015, U"-"},   {0x2018, U"'"},  {0x2019, U"'"},
    {0x201A, U"'"},  {0x201B, U"'"},   {0x201C, U"\""},  {0x201D, U"\""},  {0x201E, U"\""},  {0x201F, U"\""}, {0x2020, U"+"},
    {0x2022, U"*"},  {0x2024, U"."},   {0x2026, U"..."}, {0x2028, U"\n"},  {0x2029, U"\n"},  {0x202F, U" "},  {0x2032, U"'"},
    {0x2033, U"\""}, {0x2039, U"'"},   {0x203A, U"'"},   {0x2044, U"/"},   {0x2060, U""},    {0x2116, U"No"}, {0x2122, U"TM"},
    {0x2212, U"-"},  {0x2215, U"/"},   {0x2217, U"*"},   {0x2260, U"!="},  {0x2264, U"<="},  {0x2265, U">="}, {0x3000, U" "},
    {0xFB00, U"ff"}, {0xFB01, U"fi"},  {0xFB02, U"fl"},  {0xFEFF, U""},
};

std::u32string near_of(char32_t c, const pdu::Gsm7& gsm7) {
    const auto at = std::ranges::lower_bound(near_characters, c, {}, &Near::from);
    if (at != std::end(near_characters) && at->from == c) return std::u32string{at->to};
    const char32_t base = base_character(c);
    return std::u32string(1, base != c && gsm7.cost(base) ? base : c);
}

}  // namespace

Transliterated transliterate(std::u32string_view text) {
    const pdu::Gsm7 gsm7;
    Transliterated out;
    const auto starts = grapheme_starts(text);
    for (std::size_t i = 0; i < text.size();) {
        std::size_t end = i + 1;
        while (end < text.size() && !starts[end]) ++end;
        const std::u32string grapheme = compose(text.substr(i, end - i));
        std::u32string near;
        for (const char32_t c : grapheme) near += gsm7.cost(c) ? std::u32string(1, c) : near_of(c, gsm7);
        // A mark behind a letter of the alphabet is dropped as the marks of composed letters are.
        if (near.size() > 1 && gsm7.cost(near[0])) std::erase_if(near, is_mark);
        const std::u32string from{text.substr(i, end - i)};
        if (near != from) {
            const std::string was = pdu::to_utf8(from), is = pdu::to_utf8(near);
            const auto known = std::ranges::find(out.replaced, was, &Replacement::from);
            if (known == out.replaced.end()) {
                out.replaced.push_back({was, is, 1});
            } else {
                ++known->count;
            }
        }
        out.text += near;
        i = end;
    }
    return out;
}

}  // namespace conductor::sms
