// conductor-bench: figures as JSON lines on stdout; see tools/bench.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <exception>
#include <iostream>

#include "tools/bench_main/measure.hpp"

using namespace conductor::bench;

namespace {

struct Options {
    std::vector<int> modems{1, 8, 64};
    int latency_ms = 500, seconds = 20, overhead = 1000, idle = 200, slow_disk = 100, inbound = 100, restarts = 5;
    std::vector<int> queue;
    int push = 0;
};

bool has_strace() {
    return std::system("command -v strace >/dev/null 2>&1") == 0;
}

void run(const Options& options) {
    const auto print = [](const nlohmann::json& line) { std::cout << line.dump() << std::endl; };
    if (!options.queue.empty()) {
        for (const int messages : options.queue) print(measure_queue(messages));
        return;
    }
    if (options.push > 0) {
        print(measure_push(options.push, true));
        print(measure_push(std::min(options.push, 50), false));
        print(measure_sync_cost(1'000, std::chrono::milliseconds{0}));
        print(measure_sync_cost(500, std::chrono::milliseconds{100}));
        return;
    }
    {
        const conductor::harness::TempDir folder;
        print(measure_disk(folder.path()));
    }
    for (const int modems : options.modems) {
        const int messages = std::max(modems * 2, modems * options.seconds * 1000 / options.latency_ms);
        print(measure_rate({.modems = modems, .latency_ms = options.latency_ms, .messages = messages, .one_core = modems > 8}));
    }
    if (options.slow_disk > 0) print(measure_rate({.modems = 8, .latency_ms = 2'000, .messages = 8 * 12, .sync_ms = options.slow_disk}));
    if (options.overhead > 0) {
        for (const int modems : options.modems)
            if (modems <= 8) print(measure_rate({.modems = modems, .latency_ms = 0, .messages = options.overhead}));
        if (has_strace())
            print(measure_rate({.modems = 1, .latency_ms = 0, .messages = options.overhead, .trace_syncs = true}));
        else
            print({{"bench", "syncs"}, {"skipped", "strace is not installed"}});
    }
    if (options.idle > 0) print(measure_idle_latency(options.idle));
    if (options.inbound > 0) print(measure_inbound_latency(options.inbound));
    if (options.restarts > 0)
        for (const char* journal : {"host", "modem"}) print(measure_restart(options.restarts, journal));
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app{"Measures conductord against simulated modems; prints JSON lines.", "bench"};
    app.add_option("--modems", options.modems, "numbers of modems, one run each (default 1,8,64; more than 8 with the daemon on one core)")
        ->delimiter(',');
    app.add_option("--latency", options.latency_ms, "of one submission, in ms (default 500)")->check(CLI::Range(1, 60'000));
    app.add_option("--seconds", options.seconds, "how long a run is to take at the ideal rate (default 20)")->check(CLI::Range(1, 3'600));
    app.add_option("--overhead", options.overhead, "messages of the runs with modems that take no time (default 1000, 0: none)");
    app.add_option("--idle", options.idle, "messages of the run on an idle gateway (default 200, 0: none)");
    app.add_option("--slow-disk", options.slow_disk, "ms that each fsync takes in the run of a slow disk (default 100, 0: none)")
        ->check(CLI::Range(0, 5'000));
    app.add_option("--inbound", options.inbound, "messages of three parts that arrive at an idle gateway (default 100, 0: none)");
    app.add_option("--restarts", options.restarts, "kills with a queue waiting (default 5, 0: none)");
    app.add_option("--queue", options.queue, "instead: a long queue of so many messages, one run each, as 1000,1000000")
        ->delimiter(',')
        ->check(CLI::Range(100, 10'000'000));
    app.add_option("--push", options.push, "instead: so many rows of Supabase, one after the other, by the doorbell, and 50 by the poll")
        ->check(CLI::Range(1, 5'000));
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? 0 : 2;
    }
    try {
        run(options);
    } catch (const std::exception& e) {  // a program that does not start, or messages that did not go out
        std::cerr << "bench: " << e.what() << '\n';
        return 1;
    }
    return 0;
}
