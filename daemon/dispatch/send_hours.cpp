#include "daemon/dispatch/send_hours.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "daemon/dispatch/places.hpp"

namespace conductor::dispatch {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using LocalDay = date::local_days;

config::Date date_of(LocalDay day) {
    const date::year_month_day ymd{day};
    return {int(ymd.year()), int(unsigned(ymd.month())), int(unsigned(ymd.day()))};
}

/// The window that begins on this day, if any.
std::optional<config::Window> window_of(const Hours& hours, LocalDay day) {
    const auto& window = hours.week[date::weekday{day}.iso_encoding() - 1];
    if (!window) return std::nullopt;
    const config::Date d = date_of(day);
    const bool holiday = std::any_of(hours.holidays.begin(), hours.holidays.end(), [&](const config::Date& h) {
        return h.month == d.month && h.day == d.day && (h.year == 0 || h.year == d.year);
    });
    if (holiday || (hours.federal_holidays && is_federal_holiday(d))) return std::nullopt;
    return window;
}

minutes length_of(const config::Window& w) {
    return minutes{w.end > w.begin ? w.end - w.begin : w.end + 1440 - w.begin};
}

WallTime to_wall(const date::time_zone* zone, date::local_time<minutes> local, date::choose which) {
    return date::floor<milliseconds>(zone->to_sys(local, which));
}

}  // namespace

Hours hours_of(config::Days days, const config::Window& window, const std::vector<config::Date>& holidays) {
    Hours out;
    for (std::size_t i = 0; i < out.week.size(); ++i)
        if (days >> i & 1) out.week[i] = window;
    out.holidays = holidays;
    return out;
}

const date::time_zone* zone_named(std::string_view name) {
    try {  // the library knows no other way to say that there is none
        return date::locate_zone(name);
    } catch (const std::exception&) {
        return nullptr;
    }
}

bool SendHours::open_at(const Row& row, WallTime t) {
    const auto local = row.zone->to_local(t);
    const auto today = date::floor<date::days>(local);
    for (const LocalDay day : {today, today - date::days{1}}) {
        const auto window = window_of(row.hours, day);
        if (!window) continue;
        const auto since = local - day - minutes{window->begin};
        if (since >= milliseconds{0} && since < length_of(*window)) return true;
    }
    return false;
}

bool SendHours::open_at(WallTime t) const {
    return std::all_of(rows_.begin(), rows_.end(), [&](const Row& row) { return open_at(row, t); });
}

std::optional<WallTime> SendHours::next_open(const Row& row, WallTime t) {
    if (open_at(row, t)) return t;
    std::optional<WallTime> best;
    const auto offer = [&](WallTime at) {
        if (at >= t && (!best || at < *best) && open_at(row, at)) best = at;
    };
    offer(date::floor<milliseconds>(row.zone->get_info(t).end));  // a fold may open a window again
    const auto today = date::floor<date::days>(row.zone->to_local(t));
    for (LocalDay day = today - date::days{1}; day <= today + horizon; day += date::days{1}) {
        const auto window = window_of(row.hours, day);
        if (!window) continue;
        const auto begin = day + minutes{window->begin};
        offer(to_wall(row.zone, begin, date::choose::earliest));
        offer(to_wall(row.zone, begin, date::choose::latest));
        if (best && row.zone->to_local(*best) < day + date::days{1}) break;
    }
    return best;
}

std::optional<WallTime> SendHours::next_open(WallTime t) const {
    const WallTime most = t + horizon;
    WallTime at = t;
    for (bool moved = true; moved;) {
        moved = false;
        for (const Row& row : rows_) {
            const auto open = next_open(row, at);
            if (!open || *open > most) return std::nullopt;
            moved = moved || *open != at;
            at = *open;
        }
    }
    return at;
}

/// The next moment after `t` at which this row may close: the end of a window, or a change of the zone's offset.
WallTime SendHours::next_edge(const Row& row, WallTime t) {
    WallTime edge = std::min(date::floor<milliseconds>(row.zone->get_info(t).end), t + date::days{2});
    const auto today = date::floor<date::days>(row.zone->to_local(t));
    for (LocalDay day = today - date::days{1}; day <= today + date::days{1}; day += date::days{1}) {
        const auto window = window_of(row.hours, day);
        if (!window) continue;
        const auto end = day + minutes{window->begin} + length_of(*window);
        for (const auto which : {date::choose::earliest, date::choose::latest})
            if (const WallTime at = to_wall(row.zone, end, which); at > t) edge = std::min(edge, at);
    }
    return edge;
}

std::optional<WallTime> SendHours::next_closed(WallTime t) const {
    const WallTime most = t + date::days{7};
    for (WallTime at = t; at < most;) {
        WallTime edge = most;
        for (const Row& row : rows_) edge = std::min(edge, next_edge(row, at));
        if (edge < most && !open_at(edge)) return edge;
        at = edge;
    }
    return std::nullopt;
}

std::string local_text(const date::time_zone* zone, WallTime t) {
    const auto info = zone->get_info(t);
    const auto local = zone->to_local(t);
    const auto day = date::floor<date::days>(local);
    const config::Date d = date_of(day);
    const auto minute = date::floor<minutes>(local - day).count();
    return fmt::format("{:04}-{:02}-{:02} {:02}:{:02} {}", d.year, d.month, d.day, minute / 60, minute % 60, info.abbrev);
}

WallTime next_midnight(const date::time_zone* zone, WallTime t) {
    const auto tomorrow = date::floor<date::days>(zone->to_local(t)) + date::days{1};
    return to_wall(zone, date::local_time<minutes>{tomorrow}, date::choose::earliest);
}

}  // namespace conductor::dispatch
