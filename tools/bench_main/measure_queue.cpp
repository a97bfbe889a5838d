#include <algorithm>
#include <cmath>
#include <fstream>

#include "daemon/core/clock.hpp"
#include "tools/bench_main/measure.hpp"
#include "tools/harness/gateway.hpp"
#include "tools/harness/sim.hpp"

namespace conductor::bench {

using harness::eventually;
using harness::Gateway;
using harness::Sim;
using harness::TempDir;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

double ms_now() {
    return std::chrono::duration<double, std::milli>(BootClock::now().time_since_epoch()).count();
}

double to_places(double value, double places) {
    return std::round(value * places) / places;
}

void write_rows(const std::filesystem::path& file, int messages) {
    std::ofstream out{file};
    for (int n = 0; n < messages; ++n)
        out << json{{"to", harness::invented_number(n % 8'000)},
                    {"text", "Your order no. " + std::to_string(n) + " is ready, see you soon."}}
            << '\n';
}

/// When the network took each of the first messages of this run of the simulator, by the clock of ms_now(), in order.
std::vector<double> taken_times(const Sim& sim) {
    std::vector<double> times;
    for (const json& one : sim.submissions()) times.push_back(one["mono_ms"].get<double>());
    std::ranges::sort(times);
    return times;
}

std::uint64_t taken(const Sim& sim) {
    return sim.request({{"do", "stats"}})["total"]["accepted"].get<std::uint64_t>();
}

}  // namespace

json measure_queue(int messages) {
    const TempDir folder;
    const Sim sim{folder / "sim", {.modems = 1, .latency = 0ms, .report_delay = 0ms}};
    Gateway gateway{folder / "box", {.ports = sim.ports(), .reports = false}};
    require(gateway.start(), "conductord does not start", gateway);
    require(gateway.post("/v1/queue/pause", json::object()).status == 200, "it cannot be paused", gateway);
    write_rows(folder / "rows.ndjson", messages);
    const auto idle = gateway.daemon().usage();
    const double begin = ms_now();
    const auto sent = harness::run({harness::program("conductorctl").string(), "--socket", gateway.socket().string(), "send", "--class",
                                    "marketing", "--file", (folder / "rows.ndjson").string()},
                                   folder.path(), 30min);
    const double enqueue_s = (ms_now() - begin) / 1000;
    require(sent.status == 0, "the file was not taken: " + sent.err + sent.out, gateway);
    const auto filled = gateway.daemon().usage();

    // what one costs while the others wait
    const auto cost_of = static_cast<std::uint64_t>(std::min(messages / 2, 2'000));
    require(gateway.post("/v1/queue/resume", json::object()).status == 200, "it cannot be resumed", gateway);
    require(eventually(5min, [&] { return taken(sim) >= cost_of; }), "nothing was sent", gateway);
    const auto sending = gateway.daemon().usage();
    const auto spent_on = std::max<std::uint64_t>(1, taken(sim));
    gateway.kill_now();
    auto times = taken_times(sim);
    const std::size_t before = times.size();
    const std::size_t warm = std::min<std::size_t>(100, before / 4);
    const double each_ms = (times[cost_of - 1] - times[warm]) / static_cast<double>(cost_of - 1 - warm);

    const double start = ms_now();
    require(gateway.start(2min), "conductord does not start again", gateway);
    require(eventually(2min, [&] { return taken(sim) > before; }), "nothing was sent after the restart", gateway);
    times = taken_times(sim);
    const auto after = gateway.daemon().usage();
    const double first_ms = times[before] - start;
    json line = {{"bench", "queue"},
                 {"messages", messages},
                 {"enqueue_rows_per_s", std::round(messages / enqueue_s)},
                 {"ms_per_message", to_places(each_ms, 1000)},
                 {"cpu_s_per_1000", to_places((sending.cpu_seconds - filled.cpu_seconds) * 1000 / static_cast<double>(spent_on), 1000)},
                 {"start_to_first_send_ms", std::round(first_ms)},
                 {"rss_idle_kib", idle.rss_kib},
                 {"rss_filled_kib", filled.rss_kib},
                 {"rss_sending_kib", sending.rss_kib},
                 {"rss_restarted_kib", after.rss_kib}};
    gateway.kill_now();
    return line;
}

}  // namespace conductor::bench
