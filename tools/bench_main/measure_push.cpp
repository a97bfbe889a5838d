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

/// Supabase for one box, in a folder of its own.
class Cloud {
public:
    explicit Cloud(const TempDir& folder) : folder_{folder.path()}, child_{{"node", stack_program, "--stay"}, folder / "stack.log"} {
        if (!child_.wait_for_output("\n", 60s)) throw std::runtime_error("no Supabase: " + child_.output());
        ready_ = json::parse(child_.output().substr(0, child_.output().find('\n')));
        write_file(folder_ / "key", ready_["key"].get<std::string>() + "\n");
        write_file(folder_ / "user", ready_["email"].get<std::string>() + "\n" + ready_["password"].get<std::string>() + "\n");
    }
    /// What psql -At prints.
    std::string sql(const std::string& text, Gateway& gateway) const {
        const auto answer = harness::http(ready_["control"], "POST", "/sql", text, "text/plain");
        require(answer.status == 200, "refused: " + answer.body, gateway);
        return answer.body;
    }
    std::string table(bool push) const {
        return "[supabase]\nurl = \"" + ready_["url"].get<std::string>() + "\"\nkey_file = \"" + (folder_ / "key").string() +
               "\"\nuser_file = \"" + (folder_ / "user").string() +
               (push ? "\"\nrealtime = true\npoll = \"60s\"\n" : "\"\nrealtime = false\npoll = \"1s\"\n");
    }

private:
    std::filesystem::path folder_;
    Child child_;
    json ready_;
};

void connect(Gateway& gateway, bool push) {
    require(gateway.start(), "conductord does not start", gateway);
    const bool heard = eventually(20s, [&] {
        const json sync = gateway.get("/v1/sync").json();
        return sync["connected"] == true && (!push || sync["realtime"]["joined"] == true);
    });
    require(heard, "no connection with Supabase", gateway);
    eventually(6s, [] { return false; });  // what follows the start is over
}

}  // namespace

json measure_push(int rows, bool push) {
    const TempDir folder;
    json line = {{"bench", push ? "push" : "poll"}, {"rows", rows}};
    if (const std::string missing = what_is_missing(folder); !missing.empty()) {
        line["skipped"] = missing;
        return line;
    }
    const Cloud cloud{folder};
    const Sim sim{folder / "sim", {.modems = modems, .latency = 0ms, .report_delay = 20ms}};
    Gateway gateway{folder / "box", {.ports = sim.ports(), .more = cloud.table(push)}};
    connect(gateway, push);

    std::mt19937 rng{20261122};
    std::vector<double> waits;
    for (int n = 0; n < rows; ++n) {
        const std::string at = cloud.sql(
            "insert into scheduled_messages (phone_number, message_content, scheduled_send_time, status) values ('" +
                harness::invented_number(n) +
                "', 'Your order is ready, see you soon.', now(), 'scheduled') returning extract(epoch from clock_timestamp()) * 1000",
            gateway);
        double inserted = 0;
        std::from_chars(at.data(), at.data() + at.size(), inserted);
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

json measure_sync_cost(int rows, std::chrono::milliseconds latency) {
    const TempDir folder;
    json line = {{"bench", "sync"}, {"rows", rows}, {"modems", 1}, {"latency_ms", latency.count()}};
    if (const std::string missing = what_is_missing(folder); !missing.empty()) {
        line["skipped"] = missing;
        return line;
    }
    const Cloud cloud{folder};
    const Sim sim{folder / "sim", {.modems = 1, .latency = latency, .report_delay = 0ms}};
    Gateway gateway{folder / "box", {.ports = sim.ports(), .more = cloud.table(true)}};
    connect(gateway, true);
    const auto idle = gateway.daemon().usage();
    const auto begin = BootClock::now();
    std::string values;
    for (int n = 0; n < rows; ++n)
        values += (n == 0 ? "('" : ",('") + harness::invented_number(n) + "', 'Your order no. " + std::to_string(n) +
                  " is ready, see you soon.', now(), 'scheduled')";
    cloud.sql("insert into scheduled_messages (phone_number, message_content, scheduled_send_time, status) values " + values, gateway);
    const bool told = eventually(5min, [&] {
        eventually(500ms, [] { return false; });
        return cloud.sql("select count(*) from scheduled_messages where status = 'delivered'", gateway) == std::to_string(rows) + "\n";
    });
    const double took_ms = std::chrono::duration<double, std::milli>(BootClock::now() - begin).count();
    require(told, "not every row was told as delivered", gateway);
    const auto used = gateway.daemon().usage();
    const double thousands = rows / 1000.0;
    line["rows_per_s"] = in_tenths(rows * 1000 / took_ms);
    line["cpu_s_per_1000"] = std::round((used.cpu_seconds - idle.cpu_seconds) / thousands * 1000) / 1000;
    line["disk_kib_per_1000"] = std::round(static_cast<double>(used.disk_bytes - idle.disk_bytes) / 1024 / thousands);
    line["rss_kib"] = used.rss_kib;
    line["pss_kib"] = used.pss_kib;
    gateway.stop(80s);
    return line;
}

}  // namespace conductor::bench
