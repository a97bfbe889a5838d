#include "tools/quickstart_main/table.hpp"

#include <algorithm>
#include <cstdint>

namespace conductor::quickstart {

namespace {

/// The code point that begins at `at`, which moves behind it. Text of ours is well-formed; anything else counts octet by octet.
char32_t next(std::string_view text, std::size_t& at) {
    const auto lead = static_cast<unsigned char>(text[at++]);
    const int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
    char32_t code = more == 0 ? lead : lead & (0x3FU >> more);
    for (int n = 0; n < more && at < text.size(); ++n) code = code << 6 | (static_cast<unsigned char>(text[at++]) & 0x3FU);
    return code;
}

int columns(char32_t code) {
    if ((code >= 0x300 && code < 0x370) || (code >= 0x200B && code < 0x2010) || (code >= 0xFE00 && code < 0xFE10)) return 0;
    const bool wide = (code >= 0x1100 && code < 0x1160) || (code >= 0x2E80 && code < 0xA4D0) || (code >= 0xAC00 && code < 0xD7A4) ||
                      (code >= 0xF900 && code < 0xFB00) || (code >= 0xFF01 && code < 0xFF61) || (code >= 0x1F300 && code < 0x1FB00);
    return wide ? 2 : 1;
}

}  // namespace

int width_of(std::string_view utf8) {
    int width = 0;
    for (std::size_t at = 0; at < utf8.size();) width += columns(next(utf8, at));
    return width;
}

std::string cut(std::string_view utf8, int width) {
    std::string line{utf8};
    std::ranges::replace(line, '\n', ' ');
    if (width_of(line) <= width) return line;
    int used = 0;
    for (std::size_t at = 0, begin = 0; at < line.size(); begin = at) {
        used += columns(next(line, at));
        if (used > width - 3) return line.substr(0, begin) + "...";
    }
    return line;
}

std::string Table::text() const {
    std::vector<int> widths(rows_.front().size());
    for (const auto& row : rows_)
        for (std::size_t n = 0; n < row.size(); ++n) widths[n] = std::max(widths[n], width_of(row[n]));
    std::string out;
    for (const auto& row : rows_) {
        std::string line;
        for (std::size_t n = 0; n < row.size(); ++n)
            line += row[n] + std::string(static_cast<std::size_t>(widths[n] - width_of(row[n])) + 2, ' ');
        out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    }
    return out;
}

}  // namespace conductor::quickstart
