// When the time is sure: boots in 1970, clocks from files, jumps, and who may confirm them.
#include "daemon/core/wall_clock.hpp"

#include <doctest/doctest.h>

#include <ostream>
#include <vector>

using namespace conductor;
using namespace std::chrono_literals;

namespace {

const WallTime built = *parse_rfc3339("2026-11-01T00:00:00Z"), noon = *parse_rfc3339("2026-11-24T12:00:00Z");

/// A machine with clocks that a test moves.
struct Machine {
    WallClock clock;
    SystemTime now{.boot = Instant{100s}, .real = noon, .synchronized = false};
    explicit Machine(bool rtc = true, bool from_file = false) : clock{{.built = built, .rtc = rtc, .from_file = from_file}} {}
    std::optional<WallTime> look() { return clock.wall(now); }
    void pass(std::chrono::milliseconds d) {
        now.boot += d;
        now.real += d;
    }
    std::string_view source() { return to_string(clock.state().source); }
};

}  // namespace

TEST_CASE("clock: one that was moved while no daemon ran has jumped") {
    const auto offset = noon.time_since_epoch() - std::chrono::milliseconds{100s};  // as Machine begins
    for (const auto moved : {std::chrono::milliseconds{72h}, std::chrono::milliseconds{1h}, std::chrono::milliseconds{-1h}}) {
        CAPTURE(moved.count());
        Machine m{false};
        m.clock.not_before(noon - 2h);
        m.clock.trusted_before(offset);
        m.now.real += moved;
        CHECK_FALSE(m.look().has_value());
        CHECK(m.clock.state().reason == "jumped");
        m.pass(1min);
        SUBCASE("the modem knows what was right") {
            m.clock.told(TimeSource::modem, m.now.boot, noon + 1min);
            CHECK(m.look() == noon + 1min);
            CHECK(m.source() == "modem");
        }
        SUBCASE("it is moved back") {
            m.now.real -= moved;
            CHECK(m.look() == noon + 1min);
        }
        SUBCASE("a time service says that it is right now") {
            m.now.synchronized = true;
            CHECK(m.look() == noon + 1min + moved);
        }
    }
    Machine same{false};
    same.clock.trusted_before(offset + 30s);
    CHECK(same.look() == noon);
}

TEST_CASE("clock: the first look after a boot") {
    struct Row {
        const char* name;
        bool rtc, from_file;
        WallTime real;
        bool synchronized;
        std::optional<WallTime> newest, supabase, modem;
        std::string_view source;
        std::optional<WallTime> want;
        std::string_view reason = "";
    };
    const WallTime past = *parse_rfc3339("1970-01-01T00:01:40Z"), stale = noon - 48h;
    const std::optional<WallTime> none;
    const Row rows[] = {
        {"time service", false, true, noon, true, noon - 1h, none, none, "ntp", noon},
        {"time service in 1970", true, false, past, true, none, none, none, "none", none, "implausible"},
        {"clock chip", true, false, noon, false, noon - 1h, none, none, "rtc", noon},
        {"set by the host", false, false, noon, false, none, none, none, "system", noon},
        {"1970", true, false, past, false, none, none, none, "none", none, "implausible"},
        {"file of the last power-off", false, true, stale, false, noon - 49h, none, none, "none", none, "from-file"},
        {"before what is stored", true, false, noon, false, noon + 6min, none, none, "none", none, "implausible"},
        {"within the slack of what is stored", true, false, noon, false, noon + 4min, none, none, "rtc", noon},
        {"years after what is stored", true, false, noon, false, noon - std::chrono::hours{24 * 401}, none, none, "none", none,
         "implausible"},
        {"a month after what is stored", true, false, noon, false, noon - 24h * 30, none, none, "none", none, "far-ahead"},
        {"a month after what is stored, and the modem says so too", true, false, noon, false, noon - 24h * 30, none, noon, "modem", noon},
        {"a month ahead, the modem knows", true, false, noon + 24h * 30, false, noon - 1h, none, noon, "modem", noon},
        {"time service against what is stored", true, false, noon, true, noon + 24h, none, none, "ntp", noon},
        {"1970, Supabase knows", true, false, past, false, none, noon, none, "supabase", noon},
        {"1970, the modem knows", false, true, past, false, none, none, noon, "modem", noon},
        {"file, the modem knows better", false, true, stale, false, none, none, noon, "modem", noon},
        {"clock chip an hour off, Supabase knows", true, false, noon - 1h, false, none, noon, none, "supabase", noon},
        {"clock chip a minute off, Supabase agrees", true, false, noon - 1min, false, none, noon, none, "supabase", noon - 1min},
        {"a modem's zone is wrong", true, false, noon, false, none, none, noon - 8h, "rtc", noon},
        {"a modem without time", false, true, past, false, none, none, past, "none", none, "implausible"}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Machine m{row.rtc, row.from_file};
        m.now.real = row.real;
        m.now.synchronized = row.synchronized;
        if (row.newest) m.clock.not_before(*row.newest);
        if (row.supabase) m.clock.told(TimeSource::supabase, m.now.boot, *row.supabase);
        if (row.modem) m.clock.told(TimeSource::modem, m.now.boot, *row.modem);
        CHECK(m.look() == row.want);
        CHECK(m.source() == row.source);
        CHECK(m.clock.state().sure == row.want.has_value());
        CHECK(m.clock.state().reason == row.reason);
    }
}

TEST_CASE("clock: a jump is not believed until somebody confirms it") {
    struct Row {
        const char* name;
        void (*then)(Machine&);
        std::optional<std::chrono::milliseconds> want;  ///< what wall() is ahead of noon, one minute later
        std::string_view source;
    };
    for (const auto by : {std::chrono::milliseconds{48h}, std::chrono::milliseconds{-48h}, std::chrono::milliseconds{4min}}) {
        CAPTURE(by.count());
        static std::chrono::milliseconds moved;
        moved = by;
        const Row rows[] = {
            {"nobody", [](Machine&) {}, std::nullopt, "none"},
            {"it comes back", [](Machine& m) { m.now.real -= moved; }, 1min, "rtc"},
            {"time service", [](Machine& m) { m.now.synchronized = true; }, 1min + by, "ntp"},
            {"a person", [](Machine& m) { m.clock.confirm(m.now); }, 1min + by, "rtc"},
            {"Supabase agrees", [](Machine& m) { m.clock.told(TimeSource::supabase, m.now.boot, m.now.real); }, 1min + by, "supabase"},
            {"Supabase does not", [](Machine& m) { m.clock.told(TimeSource::supabase, m.now.boot, m.now.real - moved); }, 1min, "supabase"},
            {"the modem agrees with what was", [](Machine& m) { m.clock.told(TimeSource::modem, m.now.boot, m.now.real - moved); },
             by == 4min ? 1min + by : std::chrono::milliseconds{1min}, "modem"}};
        for (const Row& row : rows) {
            CAPTURE(row.name);
            Machine m;
            REQUIRE(m.look() == noon);
            m.now.real += by;
            CHECK_FALSE(m.look().has_value());
            CHECK(m.clock.state().reason == "jumped");
            row.then(m);
            m.pass(1min);
            const auto got = m.look();
            CHECK(got == (row.want ? std::optional{noon + *row.want} : std::nullopt));
            CHECK(m.source() == row.source);
        }
    }
}

TEST_CASE("clock: a box that was off for long is believed when nobody knows better") {
    Machine m;
    m.clock.not_before(noon - 24h * 30);
    CHECK_FALSE(m.look().has_value());
    m.pass(10min - 100s - 1ms);
    CHECK_FALSE(m.look().has_value());
    m.pass(1ms);
    CHECK(m.look() == m.now.real);
    CHECK(m.source() == "rtc");
}

TEST_CASE("clock: what is no jump") {
    Machine m;
    for (int hour = 0; hour < 24 * 30; ++hour) {  // slewed by five seconds an hour, asleep for a day in between
        REQUIRE(m.look().has_value());
        m.pass(hour == 100 ? 24h : 1h);
        m.now.real += 5s;
    }
    CHECK(m.look() == m.now.real);
    CHECK(m.source() == "rtc");
}

TEST_CASE("clock: a box without a clock chip that is set while it runs") {
    Machine m{false, true};
    m.now.real = *parse_rfc3339("1970-01-01T00:00:10Z");
    CHECK_FALSE(m.look().has_value());
    m.pass(30s);
    m.now.real = noon;
    CHECK(m.look() == noon);
    CHECK(m.source() == "system");
    m.now.real += 1h;  // and from then on a jump is a jump
    CHECK_FALSE(m.look().has_value());
}

TEST_CASE("clock: records have the best time there is") {
    const Instant start{100s};
    RecordClock records;
    CHECK(records.time(start) == program_made + 100s);  // nothing is known
    records.not_before(start, noon);
    CHECK(records.time(start) == noon);
    CHECK(records.time(start + 5min) == noon + 5min);
    records.not_before(start + 5min, noon + 1min);  // already past it
    CHECK(records.time(start + 5min) == noon + 5min);
    records.sure(start + 6min, noon - 48h);  // what is sure binds, even if the database says otherwise
    CHECK(records.time(start + 7min) == noon - 48h + 1min);
    records.not_before(start + 7min, noon);
    CHECK(records.time(start + 7min) == noon - 48h + 1min);
}
