#include "daemon/dispatch/send_hours.hpp"

#include <doctest/doctest.h>

#include <random>

using namespace conductor;
using namespace conductor::dispatch;
using namespace std::chrono_literals;

namespace {

struct Place {
    const date::time_zone* zone;
    config::Days days;
    config::Window window;
};

/// The rule once more, as a person would say it: what does the clock on the wall show?
bool open_on_the_wall(const Place& p, WallTime t) {
    const auto local = p.zone->to_local(t);
    const auto today = date::floor<date::days>(local);
    const auto minute = date::floor<std::chrono::minutes>(local - today).count();
    const auto allowed = [&](date::local_days day) { return (p.days >> (date::weekday{day}.iso_encoding() - 1) & 1) != 0; };
    if (p.window.begin < p.window.end) return allowed(today) && minute >= p.window.begin && minute < p.window.end;
    return (allowed(today) && minute >= p.window.begin) || (allowed(today - date::days{1}) && minute < p.window.end);
}

}  // namespace

TEST_CASE("send hours: the same as asking the clock on the wall each minute, around every change of offset") {
    const std::pair<const char*, const char*> changes[] = {
        {"America/Los_Angeles", "2026-03-08T10:00:00Z"}, {"America/Los_Angeles", "2026-11-01T09:00:00Z"},
        {"America/New_York", "2026-11-01T06:00:00Z"},    {"Europe/London", "2026-03-29T01:00:00Z"},
        {"Australia/Lord_Howe", "2026-04-04T15:00:00Z"}, {"Asia/Kolkata", "2026-06-01T00:00:00Z"},
        {"America/St_Johns", "2026-03-08T05:30:00Z"},    {"Africa/Cairo", "2026-04-23T22:00:00Z"}};
    std::mt19937_64 rng{20261122};
    const auto below = [&](int n) { return static_cast<int>(rng() % static_cast<unsigned>(n)); };
    int opened = 0, closed = 0;
    for (int round = 0; round < 160; ++round) {
        CAPTURE(round);
        const auto& [name, change] = changes[static_cast<std::size_t>(round) % std::size(changes)];
        std::vector<Place> places;
        for (int i = 0; i <= round % 2; ++i) {
            const bool near = below(2) == 0;  // windows of few minutes near the change, or any
            const int begin = near ? below(24) * 10 : below(96) * 15;
            int end = near ? begin + 5 + below(8) * 10 : below(97) * 15;
            if (end == begin) end = begin + 15;
            const config::Days days = near ? 0b1111111 : 1 + static_cast<unsigned>(below(127));
            places.push_back({zone_named(i == 0 ? name : "America/Chicago"), days, {begin, std::min(end, 1440)}});
            REQUIRE(places.back().zone != nullptr);
        }
        SendHours hours;
        for (const Place& p : places) hours.add(p.zone, hours_of(p.days, p.window, {}));
        const auto open = [&](WallTime t) {
            return std::all_of(places.begin(), places.end(), [&](const Place& p) { return open_on_the_wall(p, t); });
        };
        const WallTime start = *parse_rfc3339(change) - std::chrono::minutes{below(3000)};
        const auto got = hours.next_open(start);
        WallTime want = start;
        while (want < start + 9 * 24h && !open(want)) want += 1min;
        if (want >= start + 9 * 24h) {
            CHECK((!got || *got >= want));
            continue;
        }
        ++opened;
        REQUIRE(got.has_value());
        CHECK(to_rfc3339(*got) == to_rfc3339(want));
        WallTime end = want;
        while (end < want + 7 * 24h && open(end)) end += 1min;
        const auto shut = hours.next_closed(want);
        CHECK(shut.has_value() == (end < want + 7 * 24h));
        if (shut) CHECK(to_rfc3339(*shut) == to_rfc3339(end));
        ++closed;
    }
    CHECK(opened > 100);  // the windows are not all shut for ever
    CHECK(closed > 100);
}

TEST_CASE("send hours: nothing to obey is open, and a zone that is none") {
    const SendHours none;
    const WallTime t = *parse_rfc3339("2026-11-20T18:00:00Z");
    CHECK(none.open_at(t));
    CHECK(none.next_open(t) == t);
    CHECK_FALSE(none.next_closed(t).has_value());
    CHECK(zone_named("Mars/Olympus") == nullptr);
    CHECK(zone_named("") == nullptr);
    SendHours shut;
    shut.add(zone_named("UTC"), Hours{});
    CHECK_FALSE(shut.next_open(t).has_value());
}

TEST_CASE("send hours: midnight and text of a place") {
    const auto* zone = zone_named("America/Los_Angeles");
    CHECK(to_rfc3339(next_midnight(zone, *parse_rfc3339("2026-11-01T07:30:00Z"))) == "2026-11-02T08:00:00.000Z");  // 25 hours
    CHECK(local_text(zone, *parse_rfc3339("2026-07-01T16:05:30Z")) == "2026-07-01 09:05 PDT");
    const auto* cairo = zone_named("Africa/Cairo");  // midnight itself is skipped on 2026-04-24
    CHECK(to_rfc3339(next_midnight(cairo, *parse_rfc3339("2026-04-23T12:00:00Z"))) == "2026-04-23T22:00:00.000Z");
}
