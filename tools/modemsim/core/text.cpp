#include "tools/modemsim/core/text.hpp"

#include <algorithm>
#include <array>

namespace conductor::modemsim {
namespace {

// TS 23.038 §6.2.1 by rows of 16; position 1B is the escape.
constexpr std::u32string_view basic =
    U"@£$¥èéùìòÇ\nØø\rÅå"
    U"Δ_ΦΓΛΩΠΨΣΘΞ\u001bÆæßÉ"
    U" !\"#¤%&'()*+,-./"
    U"0123456789:;<=>?"
    U"¡ABCDEFGHIJKLMNO"
    U"PQRSTUVWXYZÄÖÑÜ§"
    U"¿abcdefghijklmno"
    U"pqrstuvwxyzäöñüà";
static_assert(basic.size() == 128);

struct Extension {
    std::uint8_t septet;
    char32_t character;
};
constexpr std::array<Extension, 10> extension{{{0x0a, U'\f'},
                                               {0x14, U'^'},
                                               {0x28, U'{'},
                                               {0x29, U'}'},
                                               {0x2f, U'\\'},
                                               {0x3c, U'['},
                                               {0x3d, U'~'},
                                               {0x3e, U']'},
                                               {0x40, U'|'},
                                               {0x65, U'€'}}};

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

// Length of the sequence that this first octet begins; 0 when none begins with it.
std::size_t sequence_length(unsigned char lead) {
    if (lead < 0x80) return 1;
    if (lead >= 0xc2 && lead < 0xe0) return 2;
    if (lead >= 0xe0 && lead < 0xf0) return 3;
    return lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
}

}  // namespace

std::u32string from_utf8(std::string_view utf8) {
    std::u32string out;
    for (std::size_t at = 0; at < utf8.size();) {
        const auto lead = static_cast<unsigned char>(utf8[at]);
        const std::size_t length = sequence_length(lead);
        char32_t value = length == 1 ? lead : length == 2 ? lead & 0x1fU : length == 3 ? lead & 0x0fU : lead & 0x07U;
        bool good = length != 0 && at + length <= utf8.size();
        for (std::size_t i = 1; good && i < length; ++i) {
            const auto next = static_cast<unsigned char>(utf8[at + i]);
            good = (next & 0xc0U) == 0x80;
            value = value << 6 | (next & 0x3fU);
        }
        out.push_back(good ? value : U'\ufffd');
        at += good ? length : 1;
    }
    return out;
}

std::string to_utf8(std::u32string_view text) {
    std::string out;
    const auto put = [&](char32_t octet) { out.push_back(static_cast<char>(octet)); };
    for (char32_t c : text) {
        if (c >= 0xd800 && c < 0xe000) c = 0xfffd;
        if (c < 0x80) {
            put(c);
        } else if (c < 0x800) {
            put(0xc0 | c >> 6), put(0x80 | (c & 0x3f));
        } else if (c < 0x10000) {
            put(0xe0 | c >> 12), put(0x80 | (c >> 6 & 0x3f)), put(0x80 | (c & 0x3f));
        } else {
            put(0xf0 | c >> 18), put(0x80 | (c >> 12 & 0x3f)), put(0x80 | (c >> 6 & 0x3f)), put(0x80 | (c & 0x3f));
        }
    }
    return out;
}

std::optional<Octets> to_gsm7(std::u32string_view text) {
    Octets out;
    for (const char32_t c : text) {
        const auto at = c == 0x1b ? std::u32string_view::npos : basic.find(c);
        if (at != std::u32string_view::npos) {
            out.push_back(static_cast<std::uint8_t>(at));
            continue;
        }
        const auto ext = std::find_if(extension.begin(), extension.end(), [&](const Extension& e) { return e.character == c; });
        if (ext == extension.end()) return std::nullopt;
        out.push_back(0x1b);
        out.push_back(ext->septet);
    }
    return out;
}

std::u32string from_gsm7(const Octets& septets) {
    std::u32string out;
    for (std::size_t i = 0; i < septets.size(); ++i) {
        if (septets[i] != 0x1b) {
            out.push_back(basic[septets[i] & 0x7fU]);
            continue;
        }
        if (++i == septets.size()) break;
        const auto ext = std::find_if(extension.begin(), extension.end(), [&](const Extension& e) { return e.septet == septets[i]; });
        out.push_back(ext == extension.end() ? U' ' : ext->character);
    }
    return out;
}

Octets pack(const Octets& septets, unsigned fill) {
    Octets out((septets.size() * 7 + fill + 7) / 8);
    std::size_t bit = fill;
    for (const std::uint8_t septet : septets) {
        for (unsigned i = 0; i < 7; ++i, ++bit) {
            if (septet >> i & 1U) out[bit / 8] = static_cast<std::uint8_t>(out[bit / 8] | 1U << bit % 8);
        }
    }
    return out;
}

Octets unpack(const Octets& octets, std::size_t count, unsigned fill) {
    Octets out;
    for (std::size_t bit = fill; out.size() < count && bit + 7 <= octets.size() * 8; bit += 7) {
        unsigned septet = 0;
        for (unsigned i = 0; i < 7; ++i) septet |= (static_cast<unsigned>(octets[(bit + i) / 8]) >> (bit + i) % 8 & 1U) << i;
        out.push_back(static_cast<std::uint8_t>(septet));
    }
    return out;
}

Octets to_ucs2(std::u32string_view text) {
    Octets out;
    const auto put = [&](char32_t unit) {
        out.push_back(static_cast<std::uint8_t>(unit >> 8 & 0xff));
        out.push_back(static_cast<std::uint8_t>(unit & 0xff));
    };
    for (const char32_t c : text) {
        if (c < 0x10000) {
            put(c);
        } else {
            put(0xd800 + (c - 0x10000) / 0x400);
            put(0xdc00 + (c - 0x10000) % 0x400);
        }
    }
    return out;
}

std::u32string from_ucs2(const Octets& octets) {
    std::u32string out;
    for (std::size_t i = 0; i + 1 < octets.size(); i += 2) {
        const char32_t unit = static_cast<char32_t>(octets[i] << 8 | octets[i + 1]);
        const bool low = unit >= 0xdc00 && unit < 0xe000;
        if (low && !out.empty() && out.back() >= 0xd800 && out.back() < 0xdc00) {
            out.back() = 0x10000 + (out.back() - 0xd800) * 0x400 + (unit - 0xdc00);
        } else {
            out.push_back(unit);
        }
    }
    return out;
}

std::string to_hex(const Octets& octets) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (const std::uint8_t octet : octets) {
        out.push_back(digits[octet >> 4]);
        out.push_back(digits[octet & 15U]);
    }
    return out;
}

std::optional<Octets> from_hex(std::string_view hex) {
    if (hex.size() % 2) return std::nullopt;
    Octets out;
    for (std::size_t i = 0; i < hex.size(); i += 2) {
        const int high = hex_value(hex[i]), low = hex_value(hex[i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        out.push_back(static_cast<std::uint8_t>(high * 16 + low));
    }
    return out;
}

std::string to_charset(std::u32string_view text, std::string_view charset) {
    if (charset == "UCS2") return to_hex(to_ucs2(text));
    if (charset == "UTF-8") return to_utf8(text);
    std::string out;
    if (charset == "IRA") {
        for (const char32_t c : text) out.push_back(c < 0x80 ? static_cast<char>(c) : '?');
        return out;
    }
    Octets septets;
    for (const char32_t c : text) {
        const auto one = to_gsm7(std::u32string_view{&c, 1});
        if (one)
            septets.insert(septets.end(), one->begin(), one->end());
        else
            septets.push_back('?');
    }
    return charset == "HEX" ? to_hex(septets) : std::string{septets.begin(), septets.end()};
}

std::optional<std::u32string> from_charset(std::string_view typed, std::string_view charset) {
    if (charset == "UTF-8" || charset == "IRA") return from_utf8(typed);
    if (charset == "UCS2" || charset == "HEX") {
        const auto octets = from_hex(typed);
        if (!octets) return std::nullopt;
        return charset == "UCS2" ? from_ucs2(*octets) : from_gsm7(*octets);
    }
    return from_gsm7(Octets{typed.begin(), typed.end()});
}

}  // namespace conductor::modemsim
