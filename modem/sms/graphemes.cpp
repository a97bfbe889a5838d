#include "modem/sms/graphemes.hpp"

#include <utf8proc.h>

namespace conductor::sms {

std::vector<bool> grapheme_starts(std::u32string_view text) {
    std::vector<bool> out(text.size(), true);
    utf8proc_int32_t state = 0;
    for (std::size_t i = 1; i < text.size(); ++i) {
        out[i] =
            utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(text[i - 1]), static_cast<utf8proc_int32_t>(text[i]), &state);
    }
    return out;
}

char32_t base_character(char32_t c) {
    utf8proc_int32_t parts[8];
    int boundary = 0;
    const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts, 8, UTF8PROC_DECOMPOSE, &boundary);
    if (count < 2 || count > 8) return c;
    for (int i = 1; i < count; ++i) {
        if (!is_mark(static_cast<char32_t>(parts[i]))) return c;
    }
    return static_cast<char32_t>(parts[0]);
}

std::u32string compose(std::u32string_view text) {
    constexpr auto options = static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    std::vector<utf8proc_int32_t> points;
    int boundary = 0;
    for (const char32_t c : text) {
        utf8proc_int32_t parts[32];
        const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts, 32, options, &boundary);
        if (count < 0 || count > 32) return std::u32string{text};
        points.insert(points.end(), parts, parts + count);
    }
    const auto count = utf8proc_normalize_utf32(points.data(), static_cast<utf8proc_ssize_t>(points.size()), options);
    if (count < 0) return std::u32string{text};
    return {points.begin(), points.begin() + count};
}

bool is_mark(char32_t c) {
    switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
        case UTF8PROC_CATEGORY_MN:
        case UTF8PROC_CATEGORY_MC:
        case UTF8PROC_CATEGORY_ME: return true;
        default: return false;
    }
}

}  // namespace conductor::sms
