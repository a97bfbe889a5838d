#include "tools/conductorctl/output.hpp"

#include <time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <ostream>
#include <sstream>

#include "daemon/config/config.hpp"

namespace conductor::ctl {
namespace {

using nlohmann::json;

/// Characters, not octets.
std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80; }));
}

void pad(std::ostream& out, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) out << ' ';
}

std::string value_text(const json& value) {
    if (value.is_null()) return "-";
    if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
    if (const auto* text = value.get_ptr<const std::string*>()) return text->empty() ? "-" : printable(*text);
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// Local calendar fields to a time; empty where the fields are no time.
std::optional<WallTime> from_local(struct tm fields) {
    fields.tm_isdst = -1;
    const struct tm wanted = fields;
    const time_t seconds = ::mktime(&fields);
    if (seconds == -1 || fields.tm_mday != wanted.tm_mday || fields.tm_mon != wanted.tm_mon) return std::nullopt;
    return from_ms(std::int64_t{seconds} * 1000);
}

/// Decimal digits between separators: "2026-11-21" by '-' is {2026, 11, 21}.
std::optional<std::vector<int>> numbers(std::string_view text, char separator) {
    std::vector<int> out;
    while (true) {
        const std::string_view piece = text.substr(0, text.find(separator));
        int value = 0;
        const auto [end, ec] = std::from_chars(piece.data(), piece.data() + piece.size(), value);
        if (ec != std::errc{} || end != piece.data() + piece.size() || value < 0) return std::nullopt;
        out.push_back(value);
        if (piece.size() == text.size()) return out;
        text.remove_prefix(piece.size() + 1);
    }
}

std::optional<WallTime> parse_local(std::string_view written, WallTime now) {
    const time_t today = to_ms(now) / 1000;
    struct tm fields {};
    ::localtime_r(&today, &fields);
    std::string_view clock = written;
    const std::size_t space = written.find_first_of(" T");
    if (space != std::string_view::npos) {
        const auto date = numbers(written.substr(0, space), '-');
        if (!date || date->size() != 3 || (*date)[0] < 1970 || (*date)[1] < 1 || (*date)[1] > 12) return std::nullopt;
        fields.tm_year = (*date)[0] - 1900;
        fields.tm_mon = (*date)[1] - 1;
        fields.tm_mday = (*date)[2];
        clock = written.substr(space + 1);
    }
    const auto hms = numbers(clock, ':');
    if (!hms || hms->size() < 2 || hms->size() > 3 || (*hms)[0] > 23 || (*hms)[1] > 59) return std::nullopt;
    fields.tm_hour = (*hms)[0];
    fields.tm_min = (*hms)[1];
    fields.tm_sec = hms->size() == 3 ? (*hms)[2] : 0;
    if (fields.tm_sec > 59) return std::nullopt;
    const auto when = from_local(fields);
    if (!when || space != std::string_view::npos || *when > now) return when;
    const time_t tomorrow = today + 86400;
    struct tm next {};
    ::localtime_r(&tomorrow, &next);
    next.tm_hour = fields.tm_hour;
    next.tm_min = fields.tm_min;
    next.tm_sec = fields.tm_sec;
    return from_local(next);
}

}  // namespace

std::string coloured(std::string_view text, Colour colour, bool on) {
    static constexpr std::array<const char*, 6> codes{"", "\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[2m", "\x1b[1m"};
    if (!on || colour == Colour::none) return std::string{text};
    return codes[static_cast<std::size_t>(colour)] + std::string{text} + "\x1b[0m";
}

Colour colour_of(std::string_view status) {
    static constexpr std::string_view good[] = {"delivered", "sent", "ready", "sending", "ok"};
    static constexpr std::string_view bad[] = {"failed", "undelivered", "unknown", "expired", "human-needed", "failing"};
    static constexpr std::string_view wait[] = {"suppressed", "held", "recovering", "bringing-up", "unread", "absent", "disabled"};
    if (std::ranges::find(good, status) != std::end(good)) return Colour::green;
    if (std::ranges::find(bad, status) != std::end(bad)) return Colour::red;
    if (std::ranges::find(wait, status) != std::end(wait)) return Colour::yellow;
    return Colour::none;
}

std::optional<std::string> read_file(const std::string& path) {
    std::error_code ec;
    if (std::filesystem::is_directory(path, ec)) {  // opens, and throws when it is read
        errno = EISDIR;
        return std::nullopt;
    }
    std::ifstream in{path, std::ios::binary};
    if (!in) return std::nullopt;
    std::ostringstream text;
    text << in.rdbuf();
    return in.bad() ? std::nullopt : std::optional{std::move(text).str()};
}

namespace {

/// Octets of the control character that `text` begins with, 0 for any other: C0, DEL, C1, and what turns the direction of the line
/// (U+202A to U+202E, U+2066 to U+2069).
std::size_t control_at(std::string_view text) {
    const auto octet = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
    if (octet(0) < 0x20 || octet(0) == 0x7F) return 1;
    if (octet(0) == 0xC2 && octet(1) >= 0x80 && octet(1) < 0xA0) return 2;
    if (octet(0) != 0xE2) return 0;
    const bool turns =
        (octet(1) == 0x80 && octet(2) >= 0xAA && octet(2) <= 0xAE) || (octet(1) == 0x81 && octet(2) >= 0xA6 && octet(2) <= 0xA9);
    return turns ? 3 : 0;
}

}  // namespace

std::string printable(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const std::size_t control = control_at(text);
        if (text[0] == '\n')
            out += "⏎";
        else if (control > 0)
            out += "·";
        else
            out += text[0];
        text.remove_prefix(std::max<std::size_t>(control, 1));
    }
    return out;
}

std::string shortened(std::string_view text, std::size_t most) {
    if (width(text) <= most) return std::string{text};
    std::size_t at = 0;
    for (std::size_t count = 0; at < text.size(); ++at)
        if ((static_cast<unsigned char>(text[at]) & 0xC0U) != 0x80 && ++count == most) break;
    return std::string{text.substr(0, at)} + "…";
}

std::string local_time(WallTime t) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(t).time_since_epoch().count();
    const time_t when = seconds;
    struct tm fields {};
    ::localtime_r(&when, &fields);
    std::array<char, 64> out{};
    std::snprintf(out.data(), out.size(), "%04d-%02d-%02d %02d:%02d:%02d %s", fields.tm_year + 1900, fields.tm_mon + 1, fields.tm_mday,
                  fields.tm_hour, fields.tm_min, fields.tm_sec, fields.tm_zone);
    return out.data();
}

std::optional<WallTime> parse_time(std::string_view written, WallTime now) {
    if (const auto exact = parse_rfc3339(written)) return exact;
    if (written.starts_with('+')) {
        const auto later = config::parse_duration(written.substr(1));
        return later ? std::optional{now + *later} : std::nullopt;
    }
    return parse_local(written, now);
}

void Table::add(std::vector<std::string> row, std::size_t coloured_column, Colour colour) {
    rows_.emplace_back(std::move(row));
    rows_.back().coloured_column = coloured_column;
    rows_.back().colour = colour;
}

void Table::print(std::ostream& out, bool colours) const {
    std::vector<std::size_t> widths(rows_.front().cells.size());
    for (const Row& row : rows_)
        for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], width(row.cells.at(i)));
    for (const Row& row : rows_) {
        const bool header = &row == &rows_.front();
        for (std::size_t i = 0; i < widths.size(); ++i) {
            const Colour colour = header ? Colour::bold : i == row.coloured_column ? row.colour : Colour::none;
            out << coloured(row.cells[i], colour, colours);
            if (i + 1 < widths.size()) pad(out, widths[i] - width(row.cells[i]) + 2);
        }
        out << '\n';
    }
}

std::string cell(const json& object, std::string_view name) {
    const auto at = object.find(name);
    return at == object.end() ? "-" : value_text(*at);
}

std::string time_cell(const json& object, std::string_view name) {
    const auto at = object.find(name);
    if (at == object.end() || !at->is_string()) return "-";
    const auto when = parse_rfc3339(at->get_ref<const std::string&>());
    return when ? local_time(*when) : value_text(*at);
}

void print_object(std::ostream& out, const json& object, int indent) {
    std::size_t widest = 0;
    for (const auto& [name, value] : object.items()) widest = std::max(widest, name.size());
    for (const auto& [name, value] : object.items()) {
        pad(out, static_cast<std::size_t>(indent));
        out << name << ':';
        if (value.is_object() && !value.empty()) {
            out << '\n';
            print_object(out, value, indent + 4);
            continue;
        }
        pad(out, widest - name.size() + 1);
        out << (name.ends_with("_at") || name == "timestamp" ? time_cell(object, name) : value_text(value)) << '\n';
    }
}

}  // namespace conductor::ctl
