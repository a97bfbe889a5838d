// Three days without a line. What is simulated: the real-time clock of the box and that of PostgreSQL are moved ahead together, by a
// library that is loaded into them (tests/support/clock), and count as synchronised; the boot clock, the modems' and the network's time are
// true.
//
// In the suite a few hours; tools/release-check has it whole: CONDUCTOR_OFFLINE_HOURS, CONDUCTOR_OFFLINE_ROWS.
#include <thread>

#include "daemon/core/clock.hpp"
#include "tests/integration/supabase/bad_line.hpp"
#include "tests/integration/supabase/world.hpp"

using namespace conductor::supabase_test;
using std::chrono::hours;
using std::chrono::minutes;

namespace {

double seconds_from(std::chrono::steady_clock::time_point then) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - then).count();
}

/// A project, and boxes that share its clock. It is about noon for them, and they send between 13:30 and 20:00.
struct Days {
    explicit Days(int boxes)
        : length{number_from_environment("CONDUCTOR_OFFLINE_HOURS", 4)},
          count{static_cast<int>(number_from_environment("CONDUCTOR_OFFLINE_ROWS", 60))},
          stack{folder.path(), boxes, clock_for_all(folder)} {}
    /// PostgreSQL may run as somebody else.
    static fs::path clock_for_all(const TempDir& folder) {
        const fs::path clock = folder / "clock";
        set_clock(clock, 0s, true);
        fs::permissions(folder.path(), fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec);
        fs::permissions(clock, fs::perms::others_read, fs::perm_options::add);
        return clock;
    }
    GatewayOptions options(const Sim& sim, int number, const std::string& url = {}) {
        auto out =
            options_for(sim, stack, folder.path(), "supabase-user-" + std::to_string(number), "realtime = false\npoll = \"1s\"\n", url);
        out.environment = shifted_by(folder / "clock");
        out.window = "13:30-20:00";
        return out;
    }
    /// Rows that are due evenly over the hours, until two hours before their end.
    void schedule_over(int n) {
        std::string numbers;
        for (int i = 0; i < n; ++i) numbers += std::string{i > 0 ? "," : ""} + "'" + invented_number(i) + "'";
        stack.sql(
            "insert into scheduled_messages (phone_number, message_content, scheduled_send_time, status) select number, 'day ' || i, "
            "now() + (i - 1) * interval '" +
            std::to_string(static_cast<double>((length - 2) * 3600) / n) + " s', 'scheduled' from unnest(array[" + numbers +
            "]) with ordinality as u (number, i)");
    }
    void advance(minutes by) {
        ahead += by;
        set_clock(folder / "clock", ahead, true);
    }
    /// The window is open, by the boxes' clock, and will be for a while.
    bool open() const {
        const auto local = (hours{12} + ahead) % hours{24};
        return local >= hours{14} && local < hours{20};
    }
    /// So many rows are due by the boxes' clock, at least.
    std::size_t due() const {
        const auto all = static_cast<std::size_t>(count);
        return std::min(all, all * static_cast<std::size_t>(ahead.count()) / static_cast<std::size_t>((length - 2) * 60));
    }
    minutes step() const { return minutes{length > 24 ? 30 : 15}; }
    bool closed(std::chrono::milliseconds into_the_day) const {
        return into_the_day < hours{13} + minutes{30} || into_the_day > hours{20} + step();  // the answer comes after a step of the clock
    }
    /// Rows of a box that went out before their time, or while its window was closed.
    int untimely(Gateway& box, int hour_at_start) const {
        int wrong = 0;
        for (const json& message : box.messages()) {
            if (!message["sent_at"].is_string()) continue;
            const auto sent = *conductor::parse_rfc3339(message["sent_at"].get<std::string>());
            const auto due = *conductor::parse_rfc3339(message["due_at"].get<std::string>());
            const auto local = sent + hours{12 - hour_at_start};
            if (sent < due || closed(local - std::chrono::floor<std::chrono::days>(local))) {
                ++wrong;
                MESSAGE("untimely: " << message.dump());
            }
        }
        return wrong;
    }

    long length;
    int count;
    TempDir folder;
    Stack stack;
    minutes ahead{0};
};

int utc_hour() {
    return static_cast<int>(std::chrono::floor<hours>(std::chrono::system_clock::now()).time_since_epoch().count() % 24);
}

}  // namespace

TEST_CASE("integration: a box alone in its pool sends its rows while it is offline, and tells all when it is back") {
    Days days{1};
    const int hour = utc_hour();
    const Sim sim{days.folder / "sim", {.modems = 4, .latency = 20ms, .report_delay = 100ms}};
    BadLine line{days.stack.url(), 1};
    Gateway box{days.folder / "box", days.options(sim, 1, line.url())};
    REQUIRE_MESSAGE(box.start(), box.log_end());
    days.schedule_over(days.count);
    const auto stored = [&] { return box.get("/v1/sync").json().value("claimed", 0) == days.count; };
    REQUIRE_MESSAGE(eventually(60s, stored), states(days.stack) << box.log_end());

    const auto taken = [&] { return sim.submissions().size(); };
    const auto begun = std::chrono::steady_clock::now();
    line.cut(true);
    while (days.ahead < hours{days.length + 2}) {
        days.advance(days.step());
        std::this_thread::sleep_for(100ms);
        // days pass faster than a box looks at its queue: it gets the time that it would have had
        if (days.length > 24 && days.open()) eventually(15s, [&] { return taken() >= days.due(); });
    }
    CHECK_MESSAGE(eventually(60s, [&] { return taken() >= static_cast<std::size_t>(days.count); }), taken() << box.log_end());
    const double offline = seconds_from(begun);
    CHECK(days.stack.count("scheduled_messages where status = 'claimed'") == days.count);  // nobody has told it
    const auto back = std::chrono::steady_clock::now();
    line.cut(false);
    CHECK(days.stack.count("scheduled_messages where now() > created_at + interval '" + std::to_string(days.length) + " h'") == days.count);
    const auto told = [&] { return days.stack.count("scheduled_messages where status = 'delivered'") == days.count; };
    CHECK_MESSAGE(eventually(60s, told), states(days.stack) << box.log_end());
    const json figures = {{"simulated_hours", days.length + 2},
                          {"rows", days.count},
                          {"offline_s", offline},
                          {"synced_s", seconds_from(back)},
                          {"untimely", days.untimely(box, hour)}};
    std::cout << figures.dump() << std::endl;
    CHECK(figures["untimely"] == 0);
    for (const auto& [number, times] : sim.copies()) {
        CAPTURE(number);
        CHECK(times == 1);
    }
}

TEST_CASE("integration: where a box of two is offline its rows leave through the other") {
    Days days{2};
    const int hour = utc_hour();
    const Sim sim_a{days.folder / "sim-a", {.modems = 4, .latency = 20ms}}, sim_b{days.folder / "sim-b", {.modems = 4, .latency = 20ms}};
    BadLine line{days.stack.url(), 1};
    Gateway a{days.folder / "a", days.options(sim_a, 1, line.url())}, b{days.folder / "b", days.options(sim_b, 2)};
    REQUIRE_MESSAGE(a.start(), a.log_end());
    days.schedule_over(days.count);
    REQUIRE_MESSAGE(eventually(10s, [&] { return days.stack.count("scheduled_messages where claimed_by = 'box-1'") > 0; }),
                    states(days.stack) << a.log_end());
    line.cut(true);
    REQUIRE_MESSAGE(b.start(), b.log_end());

    const auto begun = std::chrono::steady_clock::now();
    // a step when all that may go has gone: a lease of ten minutes is not to end amid a submission
    const std::string due =
        "scheduled_messages where status in ('scheduled', 'queued', 'claimed', 'sending') and claimed_by is distinct from "
        "'box-1' and scheduled_send_time <= now()";
    while (days.ahead < hours{days.length + 2}) {
        days.advance(minutes{30});
        std::this_thread::sleep_for(100ms);
        if (days.open()) eventually(15s, [&] { return days.stack.count(due) == 0; });
    }
    const auto all_taken = [&] { return sim_a.submissions().size() + sim_b.submissions().size() >= static_cast<std::size_t>(days.count); };
    CHECK_MESSAGE(eventually(60s, all_taken), states(days.stack) << b.log_end());
    const double offline = seconds_from(begun);
    const auto back = std::chrono::steady_clock::now();
    line.cut(false);
    const auto told = [&] { return days.stack.count("scheduled_messages where status = 'delivered'") == days.count; };
    CHECK_MESSAGE(eventually(60s, told), states(days.stack) << a.log_end() << b.log_end());
    const auto copies_a = sim_a.copies();
    auto copies = sim_b.copies();
    for (const auto& [number, times] : copies_a) copies[number] += times;
    const json figures = {{"simulated_hours", days.length + 2},
                          {"rows", days.count},
                          {"through_the_other", sim_b.copies().size()},
                          {"offline_s", offline},
                          {"synced_s", seconds_from(back)},
                          {"untimely", days.untimely(b, hour)}};
    std::cout << figures.dump() << std::endl;
    CHECK(figures["untimely"] == 0);
    CHECK(copies_a.size() <= 4);  // what had its go before the line went
    for (const auto& [number, times] : copies) {
        CAPTURE(number);
        CHECK(times == 1);
    }
}
