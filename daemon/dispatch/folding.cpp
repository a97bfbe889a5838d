#include "daemon/dispatch/folding.hpp"

#include <algorithm>
#include <cstdint>

namespace conductor::dispatch {
namespace {

struct CodePoint {
    std::uint32_t value = 0;
    std::size_t length = 1;
};
CodePoint code_point(std::string_view text, std::size_t at) {
    const auto octet = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
    const std::uint32_t first = octet(at);
    if (first < 0x80) return {first, 1};
    const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC2 ? 2 : 1;
    if (length == 1 || first > 0xF4 || text.size() - at < length) return {0xFFFD, 1};
    std::uint32_t value = first & (0x7Fu >> length);
    for (std::size_t i = 1; i < length; ++i) {
        if ((octet(at + i) & 0xC0) != 0x80) return {0xFFFD, 1};
        value = value << 6 | (octet(at + i) & 0x3F);
    }
    return {value, length};
}

/// Capital without accent of U+00C0-U+00FF and U+0100-U+017F; blank where there is none.
constexpr std::string_view latin1 = "AAAAAAACEEEEIIIIDNOOOOO OUUUUYTSAAAAAAACEEEEIIIIDNOOOOO OUUUUYTY";
constexpr std::string_view latin_a =
    "AAAAAACCCCCCCCDDDDEEEEEEEEEEGGGGGGGGHHHHIIIIIIIIIIIIJJKKKLLLLLLLLLLNNNNNNNNNOOOOOOOORRRRRRSSSSSSSSTTTTTTUUUUUUUUUUUUWWYYYZZZZZZS";
static_assert(latin1.size() == 64 && latin_a.size() == 128);

enum class Kind { letter, gap, nothing };
struct Folded {
    Kind kind = Kind::nothing;
    char letter = 0;
};

Folded fold_ascii(std::uint32_t c) {
    if (c >= 'a' && c <= 'z') return {Kind::letter, static_cast<char>(c - 'a' + 'A')};
    if ((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return {Kind::letter, static_cast<char>(c)};
    return {c == '\'' || c == '`' ? Kind::nothing : Kind::gap, 0};
}

Folded fold_one(std::uint32_t c) {
    if (c < 0x80) return fold_ascii(c);
    if (c >= 0xFF01 && c <= 0xFF5E) return fold_ascii(c - 0xFF01 + 0x21);
    if (c >= 0xC0 && c <= 0xFF) return latin1[c - 0xC0] == ' ' ? Folded{Kind::gap, 0} : Folded{Kind::letter, latin1[c - 0xC0]};
    if (c >= 0x100 && c <= 0x17F) return {Kind::letter, latin_a[c - 0x100]};
    const bool joins = c == 0x2018 || c == 0x2019 || c == 0x02BC || c == 0xB4 || c == 0xAD || (c >= 0x300 && c <= 0x36F) ||
                       (c >= 0x200B && c <= 0x200F) || (c >= 0xFE00 && c <= 0xFE0F) || c == 0xFEFF || c == 0x20E3;
    if (joins) return {Kind::nothing, 0};
    // blanks, punctuation, symbols and emoji separate; what is left are letters of other scripts
    const bool gap = c < 0xC0 || (c >= 0x2000 && c <= 0x2BFF) || (c >= 0x3000 && c <= 0x3020) || c == 0xFFFD || c >= 0x1F000;
    return gap ? Folded{Kind::gap, 0} : Folded{Kind::letter, '?'};
}

}  // namespace

std::string fold(std::string_view text) {
    std::string out;
    bool gap = false;
    for (std::size_t at = 0; at < text.size();) {
        const CodePoint c = code_point(text, at);
        at += c.length;
        const Folded f = fold_one(c.value);
        if (f.kind == Kind::gap) gap = true;
        if (f.kind != Kind::letter) continue;
        if (gap && !out.empty()) out += ' ';
        gap = false;
        out += f.letter;
    }
    return out;
}

std::string joined_fold(std::string_view text) {
    std::string out = fold(text);
    std::erase(out, ' ');
    return out;
}

}  // namespace conductor::dispatch
