#include <algorithm>
#include <charconv>
#include <cmath>
#include <random>

#include "daemon/core/clock.hpp"
#include "tools/bench_main/measure.hpp"
#include "tools/harness/gateway.hpp"
#include "tools/harness/sim.hpp"

namespace conductor::bench {

using harness::Child;
using harness::eventually;
using harness::Gateway;
using harness::Sim;
using harness::TempDir;
using harness::write_file;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

constexpr const char* stack_program = SOURCE_DIR "/tests/support/supabase/stack.mjs";
constexpr int modems = 8;

/// Why there can be no Supabase here; empty when there can.
std::string what_is_missing(const TempDir& folder) {
    Child check{{"node", stack_program, "--check"}, folder / "check.log"};
    const auto status = check.wait(30s);
    if (status == 0) return {};
    std::string said = check.output();
    while (said.ends_with('\n')) said.pop_back();
    return said.empty() ? "node is not installed" : said;
}

/// This machine's wall clock, in ms, minus that of the simulator's `mono_ms`.
double wall_minus_mono() {
    const auto mono = std::chrono::duration<double, std::milli>(BootClock::now().time_since_epoch());
    const auto wall = std::chrono::duration<double, std::milli>(std::chrono::system_clock::now().time_since_epoch());
    return (wall - mono).count();
}

double in_tenths(double value) {
    return std::round(value * 10) / 10;
}

}  // namespace

json measure_push(int rows, bool push) {
    const TempDir folder;
    json line = {{"bench", push ? "push" : "poll"}, {"rows", rows}};
    if (const std::string missing = what_is_missing(folder); !missing.empty()) {
        line["skipped"] = missing;
        return line;
    }
    Child supabase{{"node", stack_program, "--stay"}, folder / "stack.log"};
    if (!supabase.wait_for_output("\n", 60s)) throw std::runtime_error("no Supabase: " + supabase.output());
    const json ready = json::parse(supabase.output().substr(0, supabase.output().find('\n')));
    write_file(folder / "key", ready["key"].get<std::string>() + "\n");
    write_file(folder / "user", ready["email"].get<std::string>() + "\n" + ready["password"].get<std::string>() + "\n");
    const Sim sim{folder / "sim", {.modems = modems, .latency = 0ms, .report_delay = 20ms}};
    const std::string table = "[supabase]\nurl = \"" + ready["url"].get<std::string>() + "\"\nkey_file = \"" + (folder / "key").string() +
                              "\"\nuser_file = \"" + (folder / "user").string() +
                              (push ? "\"\nrealtime = true\npoll = \"60s\"\n" : "\"\nrealtime = false\npoll = \"1s\"\n");
    Gateway gateway{folder / "box", {.ports = sim.ports(), .more = table}};
    require(gateway.start(), "conductord does not start", gateway);
    const bool heard = eventually(20s, [&] {
        const json sync = gateway.get("/v1/sync").json();
        return sync["connected"] == true && (!push || sync["realtime"]["joined"] == true);
    });
    require(heard, "no connection with Supabase", gateway);
    eventually(6s, [] { return false; });  // what follows the start is over

    std::mt19937 rng{20261122};
    std::vector<double> waits;
    for (int n = 0; n < rows; ++n) {
        const auto answer = harness::http(
            ready["control"], "POST", "/sql",
            "insert into scheduled_messages (phone_number, message_content, scheduled_send_time, status) values ('" +
                harness::invented_number(n) +
                "', 'Your order is ready, see you soon.', now(), 'scheduled') returning extract(epoch from clock_timestamp()) * 1000",
            "text/plain");
        require(answer.status == 200, "the row was refused: " + answer.body, gateway);
        double inserted = 0;
        std::from_chars(answer.body.data(), answer.body.data() + answer.body.size(), inserted);
        inserted -= wall_minus_mono();
        json got;
        const bool taken = eventually(10s, [&] {
            got = sim.request({{"do", "submissions"}, {"after", n}});
            return !got["submissions"].empty();
        });
        require(taken, "a row was not sent", gateway);
        waits.push_back(got["submissions"][0]["mono_ms"].get<double>() - inserted);
        // not in step with anything of the gateway's
        eventually(std::chrono::milliseconds{30 + rng() % 300}, [] { return false; });
    }
    const auto used = gateway.daemon().usage();
    line["modems"] = modems;
    line["poll_s"] = push ? 60 : 1;
    line["accepted_ms_p50"] = in_tenths(quantile(waits, 0.5));
    line["accepted_ms_p99"] = in_tenths(quantile(waits, 0.99));
    line["accepted_ms_max"] = in_tenths(quantile(waits, 1));
    line["rss_kib"] = used.rss_kib;
    line["pss_kib"] = used.pss_kib;
    gateway.stop(80s);
    return line;
}

}  // namespace conductor::bench
