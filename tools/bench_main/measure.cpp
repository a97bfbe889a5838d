#include "tools/bench_main/measure.hpp"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <csignal>
#include <optional>
#include <sstream>

#include "daemon/core/clock.hpp"
#include "tools/harness/gateway.hpp"
#include "tools/harness/sim.hpp"

namespace conductor::bench {

using harness::Child;
using harness::eventually;
using harness::Gateway;
using harness::invented_number;
using harness::Sim;
using harness::TempDir;
using harness::Usage;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

using SteadyClock = std::chrono::steady_clock;

double seconds_since(SteadyClock::time_point then) {
    return std::chrono::duration<double>(SteadyClock::now() - then).count();
}

double rounded(double value, int digits = 3) {
    double scale = 1;
    for (int n = 0; n < digits; ++n) scale *= 10;
    return std::round(value * scale) / scale;
}

void wait_for_modems(Gateway& gateway, int count) {
    const bool ready = eventually(30s, [&] {
        const json answer = gateway.get("/v1/modems").json();
        const json modems = answer.is_object() ? answer.value("modems", json::array()) : answer;
        return std::ranges::count_if(modems, [](const json& modem) { return modem.value("state", "") == "ready"; }) == count;
    });
    require(ready, "not every modem became ready", gateway);
}

/// A counter of /metrics, summed over its labels; empty when the daemon exports none of this name.
std::optional<double> counter(Gateway& gateway, std::string_view name) {
    std::istringstream lines{gateway.get("/metrics").body};
    std::optional<double> sum;
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with(name) || line.size() == name.size() || (line[name.size()] != ' ' && line[name.size()] != '{')) continue;
        double value = 0;
        const auto at = line.rfind(' ') + 1;
        std::from_chars(line.data() + at, line.data() + line.size(), value);
        sum = sum.value_or(0) + value;
    }
    return sum;
}

void enqueue(Gateway& gateway, int count) {
    for (int first = 0; first < count; first += 5'000) {
        json batch = json::array();
        for (int n = first; n < std::min(count, first + 5'000); ++n)
            batch.push_back({{"to", invented_number(n)}, {"text", "Your order no. " + std::to_string(n) + " is ready, see you soon."}});
        const auto answer = gateway.post("/v1/messages/batch", batch);
        require(answer.status == 200, "the batch was refused: " + answer.body, gateway);
    }
}

struct Rate {
    double achieved = 0;  ///< messages a second, summed over the modems, each from its first to its last message
    int least = 0, most = 0;
};
Rate rate_of(const std::vector<json>& submissions, int modems) {
    struct Span {
        int count = 0;
        double first = 0, last = 0;
    };
    std::vector<Span> spans(static_cast<std::size_t>(modems));
    for (const json& submission : submissions) {
        Span& span = spans[submission["modem"].get<std::size_t>()];
        const double at = submission["mono_ms"].get<double>() / 1000;
        if (span.count++ == 0) span.first = at;
        span.last = std::max(span.last, at);
    }
    Rate rate{0, spans.front().count, 0};
    for (const Span& span : spans) {
        if (span.count > 1 && span.last > span.first) rate.achieved += (span.count - 1) / (span.last - span.first);
        rate.least = std::min(rate.least, span.count);
        rate.most = std::max(rate.most, span.count);
    }
    return rate;
}

int count_lines_with(const std::string& text, std::string_view word) {
    int count = 0;
    for (auto at = text.find(word); at != text.npos; at = text.find(word, at + word.size())) ++count;
    return count;
}

}  // namespace

void require(bool good, const std::string& what, Gateway& gateway) {
    if (!good) throw std::runtime_error(what + "\n" + gateway.log_end());
}

double quantile(std::vector<double> values, double p) {
    if (values.empty()) return 0;
    const auto at = std::min(values.size() - 1, static_cast<std::size_t>(p * static_cast<double>(values.size())));
    std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(at));
    return values[at];
}

/// All threads of a process on the first core.
void keep_on_one_core(pid_t process) {
    cpu_set_t first;
    CPU_ZERO(&first);
    CPU_SET(0, &first);
    for (const auto& thread : std::filesystem::directory_iterator{"/proc/" + std::to_string(process) + "/task"}) {
        const auto id = static_cast<pid_t>(std::stol(thread.path().filename().string()));
        if (::sched_setaffinity(id, sizeof first, &first) != 0) throw std::runtime_error{"sched_setaffinity"};
    }
}

json measure_rate(const RateRun& run) {
    const TempDir folder;
    const Sim sim{folder / "sim",
                  {.modems = run.modems,
                   .latency = std::chrono::milliseconds{run.latency_ms},
                   .report_delay = std::chrono::milliseconds{run.latency_ms}}};
    harness::GatewayOptions options{.ports = sim.ports(), .reports = run.reports};
    if (run.sync_ms > 0)
        options.environment = {"LD_PRELOAD=" + harness::program("slow_sync.so").string(),
                               "CONDUCTOR_SYNC_MS=" + std::to_string(run.sync_ms)};
    Gateway gateway{folder / "box", std::move(options)};
    require(gateway.start(), "conductord does not start", gateway);
    wait_for_modems(gateway, run.modems);
    if (run.one_core) keep_on_one_core(gateway.daemon().pid());
    const Usage idle = gateway.daemon().usage();
    std::optional<Child> strace;
    if (run.trace_syncs) {
        strace.emplace(std::vector<std::string>{"strace", "-f", "-q", "-e", "trace=fsync,fdatasync", "-o", (folder / "syncs").string(),
                                                "-p", std::to_string(gateway.daemon().pid())},
                       folder / "strace.log");
        eventually(2s, [&] {
            return harness::slurp("/proc/" + std::to_string(gateway.daemon().pid()) + "/status").find("TracerPid:\t0") == std::string::npos;
        });
    }
    const auto commits_before = counter(gateway, "conductor_store_commits_total");
    const auto begin = SteadyClock::now();
    enqueue(gateway, run.messages);
    const double enqueued = seconds_since(begin);
    const auto all = static_cast<std::uint64_t>(run.messages);
    const auto limit = std::chrono::milliseconds{60'000 + 3LL * run.messages * std::max(run.latency_ms, 20) / run.modems};
    // each question takes the simulator a millisecond, in which it serves no modem: none is put before the end is near
    const std::chrono::milliseconds ideally{static_cast<std::int64_t>(run.messages) * run.latency_ms / run.modems};
    eventually(ideally - ideally / 50, [] { return false; });
    const bool taken = eventually(limit, [&] { return sim.request({{"do", "stats"}})["total"]["accepted"].get<std::uint64_t>() >= all; });
    const double wall = seconds_since(begin);
    require(taken, "not everything was sent", gateway);
    // The simulator is asked, not the daemon, until the costs are read: questions would be counted with them.
    eventually(10s, [&] { return !run.reports || sim.request({{"do", "stats"}})["total"]["reports"].get<std::uint64_t>() >= all; });
    eventually(500ms, [] { return false; });
    const Usage used = gateway.daemon().usage();
    const auto commits_after = counter(gateway, "conductor_store_commits_total");
    const std::string last = run.reports ? "delivered" : "sent";
    require(gateway.settled(60s, all, {last}), "not everything was settled as " + last, gateway);

    const double at_prompt = sim.request({{"do", "stats"}})["total"]["longest_body_ms"].get<double>();
    const auto submissions = sim.submissions();
    require(submissions.size() == all, "the network took " + std::to_string(submissions.size()) + " messages", gateway);
    const Rate rate = rate_of(submissions, run.modems);
    const double thousands = run.messages / 1000.0;
    json line = {{"bench", run.trace_syncs   ? "syncs"
                           : run.sync_ms > 0 ? "slow-disk"
                                             : "rate"},
                 {"modems", run.modems},
                 {"latency_ms", run.latency_ms},
                 {"messages", run.messages},
                 {"reports", run.reports},
                 {"rate_per_s", rounded(rate.achieved)},
                 {"wall_s", rounded(wall)},
                 {"enqueue_s", rounded(enqueued)},
                 {"per_modem", {rate.least, rate.most}},
                 {"cpu_s_per_1000", rounded((used.cpu_seconds - idle.cpu_seconds) / thousands)},
                 {"written_kib_per_1000", rounded(static_cast<double>(used.bytes_written - idle.bytes_written) / 1024 / thousands, 0)},
                 {"disk_kib_per_1000", rounded(static_cast<double>(used.disk_bytes - idle.disk_bytes) / 1024 / thousands, 0)},
                 {"rss_kib", used.rss_kib},
                 {"pss_kib", used.pss_kib},
                 {"rss_idle_kib", idle.rss_kib}};
    if (run.latency_ms > 0) {
        const double ideal = run.modems * 1000.0 / run.latency_ms;
        line["ideal_per_s"] = ideal;
        line[run.sync_ms > 0 ? "slow_ratio" : "ratio"] = rounded(rate.achieved / ideal, 4);
        line["wall_ratio"] = rounded(run.messages / wall / ideal, 4);
    } else {
        line["ms_per_message"] = rounded(1000 * wall / run.messages);
    }
    if (run.one_core) line["one_core"] = true;
    if (run.sync_ms > 0) line["sync_ms"] = run.sync_ms;
    line["longest_wait_at_prompt_ms"] = rounded(at_prompt);
    if (commits_before && commits_after) line["commits_per_1000"] = rounded((*commits_after - *commits_before) / thousands, 0);
    if (strace) {
        strace->signal(SIGINT);
        strace->wait(5s);
        line["fsyncs_per_1000"] = rounded(count_lines_with(harness::slurp(folder / "syncs"), "sync(") / thousands, 0);
    }
    gateway.stop(80s);
    return line;
}

json measure_idle_latency(int messages) {
    const TempDir folder;
    const Sim sim{folder / "sim", {.modems = 1, .latency = 0ms, .report_delay = 0ms}};
    Gateway gateway{folder / "box", {.ports = sim.ports(), .reports = false}};
    require(gateway.start(), "conductord does not start", gateway);
    wait_for_modems(gateway, 1);
    std::vector<double> post, whole;
    for (int n = 0; n < messages; ++n) {
        const auto begin = BootClock::now();
        const auto answer = gateway.post("/v1/messages", {{"to", invented_number(n)}, {"text", "one after the other"}});
        post.push_back(std::chrono::duration<double, std::milli>(BootClock::now() - begin).count());
        require(answer.status == 202, "refused: " + answer.body, gateway);
        const auto id = static_cast<std::uint64_t>(n);
        json got;
        require(eventually(10s,
                           [&] {
                               got = sim.request({{"do", "submissions"}, {"after", id}});
                               return !got["submissions"].empty();
                           }),
                "a message was not sent", gateway);
        const double begin_ms = std::chrono::duration<double, std::milli>(begin.time_since_epoch()).count();
        whole.push_back(got["submissions"][0]["mono_ms"].get<double>() - begin_ms);
    }
    gateway.stop(80s);
    return {{"bench", "idle-latency"},
            {"messages", messages},
            {"post_ms_p50", rounded(quantile(post, 0.5))},
            {"post_ms_p99", rounded(quantile(post, 0.99))},
            {"accepted_ms_p50", rounded(quantile(whole, 0.5))},
            {"accepted_ms_p99", rounded(quantile(whole, 0.99))}};
}

json measure_inbound_latency(int messages) {
    const TempDir folder;
    const Sim sim{folder / "sim", {.modems = 1}};
    Gateway gateway{folder / "box", {.ports = sim.ports()}};
    require(gateway.start(), "conductord does not start", gateway);
    wait_for_modems(gateway, 1);
    const auto in_modem = [&] { return sim.request({{"do", "state"}})["modems"][0]["memories"]["ME"]["used"].get<int>(); };
    std::vector<double> times;
    for (int n = 0; n < messages; ++n) {
        const std::string text = std::string(350, 'a' + static_cast<char>(n % 26)) + " no. " + std::to_string(n);
        json part = {{"do", "inject"}, {"modem", 0}, {"from", invented_number(n)}, {"text", text}, {"ref", n % 256}, {"order", {3, 1}}};
        sim.request(part);
        require(eventually(10s, [&] { return in_modem() == 0; }), "the first parts were not read", gateway);
        part["order"] = {2};
        const auto begin = SteadyClock::now();
        sim.request(part);
        const bool stored = eventually(10s, [&] {
            const json newest = gateway.get("/v1/messages?direction=inbound&limit=1").json()["messages"];
            return !newest.empty() && newest[0]["content"] == text;
        });
        times.push_back(1000 * seconds_since(begin));
        require(stored, "a message was not stored", gateway);
    }
    gateway.stop(80s);
    return {{"bench", "inbound-latency"},
            {"messages", messages},
            {"stored_ms_p50", rounded(quantile(times, 0.5))},
            {"stored_ms_p99", rounded(quantile(times, 0.99))}};
}

json measure_restart(int runs, const std::string& journal) {
    const TempDir folder;
    const Sim sim{folder / "sim", {.modems = 1, .latency = 0ms, .report_delay = 0ms}};
    Gateway gateway{folder / "box", {.ports = sim.ports(), .send = "journal = \"" + journal + "\"\n", .reports = false}};
    require(gateway.start(), "conductord does not start", gateway);
    wait_for_modems(gateway, 1);
    const auto accepted = [&] { return sim.request({{"do", "stats"}})["total"]["accepted"].get<std::uint64_t>(); };
    std::vector<double> times;
    for (int run = 0; run < runs; ++run) {
        enqueue(gateway, 3'000);
        const auto before = accepted();
        require(eventually(10s, [&] { return accepted() > before + 5; }), "nothing is sent", gateway);
        gateway.kill_now();
        const auto last = accepted();
        const double begin = std::chrono::duration<double, std::milli>(BootClock::now().time_since_epoch()).count();
        require(gateway.start(), "conductord does not start again", gateway);
        require(eventually(20s, [&] { return accepted() > last; }), "nothing is sent after the restart", gateway);
        const json first = sim.request({{"do", "submissions"}, {"after", last}, {"limit", 1}});
        times.push_back(first["submissions"].at(0)["mono_ms"].get<double>() - begin);
        require(gateway.settled(60s, 0, {"sent", "delivered", "unknown"}), "the queue does not drain", gateway);
    }
    gateway.stop(80s);
    return {{"bench", "restart"},
            {"journal", journal},
            {"runs", runs},
            {"queued", 3'000},
            {"first_submission_ms_p50", rounded(quantile(times, 0.5), 0)},
            {"first_submission_ms_max", rounded(quantile(times, 1.0), 0)}};
}

json measure_disk(const std::filesystem::path& folder) {
    const std::string file = (folder / "fdatasync").string(), block(4096, 'x');
    const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) throw std::runtime_error("cannot write " + file);
    std::vector<double> times;
    for (int n = 0; n < 300; ++n) {
        const auto begin = SteadyClock::now();
        if (::write(fd, block.data(), block.size()) != static_cast<ssize_t>(block.size()) || ::fdatasync(fd) != 0) break;
        times.push_back(seconds_since(begin) * 1000);
    }
    ::close(fd);
    if (times.size() != 300) throw std::runtime_error("cannot sync " + file);
    return {{"bench", "disk"}, {"fdatasync_ms_p50", rounded(quantile(times, 0.5))}, {"fdatasync_ms_p99", rounded(quantile(times, 0.99))}};
}

}  // namespace conductor::bench
