#include "daemon/core/clock.hpp"

#include <array>
#include <charconv>
#include <cstdio>

namespace conductor {

using namespace std::chrono;

std::string to_rfc3339(WallTime t) {
    const auto day = floor<days>(t);
    const year_month_day ymd{day};
    const hh_mm_ss time{t - day};
    std::array<char, 40> out{};
    const int n = std::snprintf(out.data(), out.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", int(ymd.year()), unsigned(ymd.month()),
                                unsigned(ymd.day()), int(time.hours().count()), int(time.minutes().count()), int(time.seconds().count()),
                                int(time.subseconds().count()));
    return {out.data(), static_cast<std::size_t>(n)};
}

namespace {

/// Reads exactly `digits` decimal digits at `at` and moves past them.
std::optional<int> number(std::string_view text, std::size_t& at, std::size_t digits) {
    if (text.size() < at + digits) return std::nullopt;
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
        const char c = text[at + i];
        if (c < '0' || c > '9') return std::nullopt;
        value = value * 10 + (c - '0');
    }
    at += digits;
    return value;
}

bool literal(std::string_view text, std::size_t& at, std::string_view any_of) {
    if (at >= text.size() || any_of.find(text[at]) == std::string_view::npos) return false;
    ++at;
    return true;
}

/// "Z", "+hh:mm", "+hhmm" or "+hh" to minutes east.
std::optional<int> offset_minutes(std::string_view text, std::size_t& at) {
    if (literal(text, at, "Zz")) return 0;
    if (at >= text.size() || (text[at] != '+' && text[at] != '-')) return std::nullopt;
    const int sign = text[at++] == '-' ? -1 : 1;
    const auto h = number(text, at, 2);
    if (!h || *h > 23) return std::nullopt;
    int m = 0;
    if (at < text.size()) {
        literal(text, at, ":");
        const auto minutes = number(text, at, 2);
        if (!minutes || *minutes > 59) return std::nullopt;
        m = *minutes;
    }
    return sign * (*h * 60 + m);
}

}  // namespace

std::optional<WallTime> parse_rfc3339(std::string_view text) {
    std::size_t at = 0;
    const auto y = number(text, at, 4);
    if (!y || !literal(text, at, "-")) return std::nullopt;
    const auto mo = number(text, at, 2);
    if (!mo || !literal(text, at, "-")) return std::nullopt;
    const auto d = number(text, at, 2);
    if (!d || !literal(text, at, "Tt ")) return std::nullopt;
    const auto h = number(text, at, 2);
    if (!h || *h > 23 || !literal(text, at, ":")) return std::nullopt;
    const auto mi = number(text, at, 2);
    if (!mi || *mi > 59 || !literal(text, at, ":")) return std::nullopt;
    const auto s = number(text, at, 2);
    if (!s || *s > 60) return std::nullopt;
    int ms = 0;
    if (literal(text, at, ".")) {
        int scale = 100;
        const std::size_t first = at;
        for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
            ms += (text[at] - '0') * scale;
            scale /= 10;
        }
        if (at == first || at - first > 9) return std::nullopt;
    }
    const auto offset = offset_minutes(text, at);
    const year_month_day ymd{year{*y}, month{unsigned(*mo)}, day{unsigned(*d)}};
    if (!offset || at != text.size() || !ymd.ok()) return std::nullopt;
    return WallTime{sys_days{ymd}} + hours{*h} + minutes{*mi - *offset} + seconds{*s} + milliseconds{ms};
}

}  // namespace conductor
