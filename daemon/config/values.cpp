// Durations, windows, dates and near misses: from text and back.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>

#include "daemon/config/reader.hpp"

namespace conductor::config {
namespace {

struct Unit {
    std::string_view name;
    std::int64_t ms;
};
constexpr Unit units[] = {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}};

/// Exactly `digits` decimal digits of `text` from `at`, or -1.
int digits_at(std::string_view text, std::size_t at, std::size_t digits) {
    if (at + digits > text.size()) return -1;
    int value = 0;
    for (const char c : text.substr(at, digits)) {
        if (c < '0' || c > '9') return -1;
        value = value * 10 + (c - '0');
    }
    return value;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
    for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i)
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
            d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + change});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
        }
    return d[a.size()][b.size()];
}

std::string lower(std::string_view text) {
    std::string out{text};
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

}  // namespace

std::optional<milliseconds> parse_duration(std::string_view text) {
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    if (digits == 0 || digits > 12) return std::nullopt;
    std::int64_t value = 0;
    std::from_chars(text.data(), text.data() + digits, value);
    for (const Unit& unit : units)
        if (text.substr(digits) == unit.name && value <= 100LL * 366 * 86'400'000 / unit.ms) return milliseconds{value * unit.ms};
    return std::nullopt;
}

std::optional<Window> parse_window(std::string_view text) {
    if (text.size() != 11 || text[2] != ':' || text[5] != '-' || text[8] != ':') return std::nullopt;
    const auto minutes = [&](std::size_t at) {
        const int h = digits_at(text, at, 2), m = digits_at(text, at + 3, 2);
        return h < 0 || m < 0 || m > 59 || h * 60 + m > 1440 ? -1 : h * 60 + m;
    };
    const Window w{minutes(0), minutes(6)};
    if (w.begin < 0 || w.end < 0 || w.begin == 1440 || w.begin == w.end) return std::nullopt;
    return w;
}

std::optional<Date> parse_date(std::string_view text) {
    Date d;
    if (text.size() == 10 && text[4] == '-' && text[7] == '-') {
        d = {digits_at(text, 0, 4), digits_at(text, 5, 2), digits_at(text, 8, 2)};
        if (d.year < 1) return std::nullopt;
    } else if (text.size() == 5 && text[2] == '-') {
        d = {0, digits_at(text, 0, 2), digits_at(text, 3, 2)};
    } else {
        return std::nullopt;
    }
    if (d.month < 1 || d.day < 1) return std::nullopt;
    const int year = d.year == 0 ? 2024 : d.year;  // a leap year, so that 02-29 of each year is allowed
    const std::chrono::year_month_day ymd{std::chrono::year{year}, std::chrono::month(unsigned(d.month)),
                                          std::chrono::day(unsigned(d.day))};
    return ymd.ok() ? std::optional{d} : std::nullopt;
}

std::string to_text(milliseconds d) {
    for (const Unit& unit : units)
        if (d.count() != 0 && d.count() % unit.ms == 0) return fmt::format("{}{}", d.count() / unit.ms, unit.name);
    return "0s";
}

std::string to_text(const Window& w) {
    return fmt::format("{:02}:{:02}-{:02}:{:02}", w.begin / 60, w.begin % 60, w.end / 60, w.end % 60);
}

std::string to_text(const Date& d) {
    return d.year == 0 ? fmt::format("{:02}-{:02}", d.month, d.day) : fmt::format("{:04}-{:02}-{:02}", d.year, d.month, d.day);
}

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& known) {
    std::optional<std::string> best;
    std::size_t best_distance = 0;
    for (const std::string& candidate : known) {
        const std::size_t distance = edit_distance(lower(word), lower(candidate));
        if (distance > std::max<std::size_t>(1, candidate.size() / 3)) continue;
        if (!best || distance < best_distance) best = candidate, best_distance = distance;
    }
    return best;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known) {
    const auto best = nearest(word, known);
    return best ? fmt::format(" (did you mean \"{}\"?)", *best) : "";
}

}  // namespace conductor::config
