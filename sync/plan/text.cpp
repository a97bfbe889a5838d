#include "sync/plan/text.hpp"

#include <cstdint>
#include <optional>

namespace conductor::sync {

namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";

/// Length of the well-formed UTF-8 sequence at the start (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF); 0 = none.
std::size_t utf8_length(std::string_view s) {
    const auto at = [&](std::size_t i) { return i < s.size() ? static_cast<std::uint8_t>(s[i]) : std::uint8_t{0}; };
    const auto tail = [&](std::size_t i) { return (at(i) & 0xC0) == 0x80; };
    const std::uint8_t a = at(0);
    if (a < 0x80) return 1;
    if (a >= 0xC2 && a <= 0xDF) return tail(1) ? 2 : 0;
    if (a >= 0xE0 && a <= 0xEF) {
        if (!tail(1) || !tail(2)) return 0;
        if (a == 0xE0 && at(1) < 0xA0) return 0;
        if (a == 0xED && at(1) > 0x9F) return 0;
        return 3;
    }
    if (a >= 0xF0 && a <= 0xF4) {
        if (!tail(1) || !tail(2) || !tail(3)) return 0;
        if (a == 0xF0 && at(1) < 0x90) return 0;
        if (a == 0xF4 && at(1) > 0x8F) return 0;
        return 4;
    }
    return 0;
}

/// Copies one character (or U+FFFD for a bad octet, or nothing for NUL); returns the octets consumed.
std::size_t copy_character(std::string_view s, std::string& out) {
    if (s[0] == '\0') return 1;
    const std::size_t n = utf8_length(s);
    out += n ? s.substr(0, n) : replacement;
    return n ? n : 1;
}

/// The code unit of a \uXXXX escape at the start of `s`.
std::optional<unsigned> escaped_unit(std::string_view s) {
    if (s.size() < 6 || s[0] != '\\' || s[1] != 'u') return std::nullopt;
    unsigned value = 0;
    for (std::size_t i = 2; i < 6; ++i) {
        const char c = s[i];
        unsigned digit = 0;
        if (c >= '0' && c <= '9')
            digit = static_cast<unsigned>(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = static_cast<unsigned>(c - 'a') + 10;
        else if (c >= 'A' && c <= 'F')
            digit = static_cast<unsigned>(c - 'A') + 10;
        else
            return std::nullopt;
        value = value * 16 + digit;
    }
    return value;
}

/// Copies one backslash escape; returns the octets consumed.
std::size_t copy_escape(std::string_view s, std::string& out) {
    const auto unit = escaped_unit(s);
    if (!unit) {
        out += s.substr(0, 2);
        return s.size() < 2 ? 1 : 2;
    }
    if (*unit == 0) return 6;
    const bool high = *unit >= 0xD800 && *unit <= 0xDBFF;
    const bool low = *unit >= 0xDC00 && *unit <= 0xDFFF;
    if (high) {
        const auto next = escaped_unit(s.substr(6));
        if (next && *next >= 0xDC00 && *next <= 0xDFFF) {
            out += s.substr(0, 12);
            return 12;
        }
    }
    if (high || low)
        out += "\\ufffd";
    else
        out += s.substr(0, 6);
    return 6;
}

}  // namespace

std::string clean_json(std::string_view json) {
    std::string out;
    out.reserve(json.size());
    for (std::size_t at = 0; at < json.size();) {
        // An escape whose second octet is not ASCII is not JSON anyway: its backslash is copied, the octet is then checked by itself.
        const bool escape = json[at] == '\\' && (at + 1 >= json.size() || (json[at + 1] > 0 && json[at + 1] < 0x7F));
        at += escape ? copy_escape(json.substr(at), out) : copy_character(json.substr(at), out);
    }
    return out;
}

std::string clean_text(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) at += copy_character(text.substr(at), out);
    return out;
}

}  // namespace conductor::sync
