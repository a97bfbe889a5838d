// conductor-simulate: thousands of seeded lives of the gateway, in virtual time.
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "tools/simulate/day.hpp"
#include "tools/simulate/scenario.hpp"

using namespace conductor::simulate;

namespace {

struct Options {
    ScenarioOptions scenario;
    std::uint64_t seeds = 1;
    int jobs = 1;
    bool day = false;
    bool only_crashes = false, only_disk = false, only_modems = false, only_clock = false;
};

std::string command(const Options& options, std::uint64_t seed) {
    std::string line = "conductor-simulate --seed " + std::to_string(seed);
    if (options.only_crashes) line += " --crashes";
    if (options.only_disk) line += " --disk-faults";
    if (options.only_modems) line += " --modem-faults";
    if (options.only_clock) line += " --clock-faults";
    return line + " --print";
}

void report(const Options& options, std::uint64_t seed, const Outcome& outcome) {
    std::cout << "seed " << seed << ": broken\n";
    for (const auto& what : outcome.broken) std::cout << "  " << what << '\n';
    std::cout << "  again, with its trace: " << command(options, seed) << std::endl;
}

/// The seeds of one process; the number of those that broke something.
int run_share(const Options& options, std::uint64_t share) {
    int failures = 0;
    std::uint64_t submissions = 0, crashes = 0, faults = 0, handlers = 0;
    for (std::uint64_t n = share; n < options.seeds; n += static_cast<std::uint64_t>(options.jobs)) {
        ScenarioOptions one = options.scenario;
        one.seed += n;
        const Outcome outcome = run(one);
        submissions += static_cast<std::uint64_t>(outcome.submissions);
        crashes += static_cast<std::uint64_t>(outcome.crashes);
        faults += outcome.disk_faults;
        handlers += outcome.handlers;
        if (outcome.broken.empty()) continue;
        ++failures;
        report(options, one.seed, outcome);
    }
    std::cout << failures << " of "
              << (options.seeds - share + static_cast<std::uint64_t>(options.jobs) - 1) / static_cast<std::uint64_t>(options.jobs)
              << " seeds broke something; " << submissions << " submissions, " << crashes << " ends of the process, " << faults
              << " faults of the disk, " << handlers << " steps" << std::endl;
    return failures;
}

int show_day(const ScenarioOptions& options) {
    const Day day = run_day({.seed = options.seed, .print = options.print});
    std::cout << day.table();
    const auto broken = day.findings();
    for (const auto& what : broken) std::cout << what << '\n';
    return !broken.empty();
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app{"The gateway in a simulated world: virtual time, modems, disk, crashes"};
    app.add_option("--seed", options.scenario.seed, "first seed")->check(CLI::PositiveNumber);
    app.add_option("--seeds", options.seeds, "how many")->check(CLI::PositiveNumber);
    app.add_option("--jobs", options.jobs, "processes")->check(CLI::Range(1, 64));
    app.add_flag("--crashes", options.only_crashes, "faults of this kind, and no others but those named too; none named: all kinds");
    app.add_flag("--disk-faults", options.only_disk, "so");
    app.add_flag("--modem-faults", options.only_modems, "so");
    app.add_flag("--clock-faults", options.only_clock, "so");
    app.add_flag("--day", options.day, "instead: one day of eight modems, each of which gets every fault");
    app.add_flag("--print", options.scenario.print, "everything that happens, on stderr");
    CLI11_PARSE(app, argc, argv);
    if (options.only_crashes || options.only_disk || options.only_modems || options.only_clock) {
        options.scenario.crashes = options.only_crashes;
        options.scenario.disk_faults = options.only_disk;
        options.scenario.modem_faults = options.only_modems;
        options.scenario.clock_faults = options.only_clock;
    }
    if (options.day) return show_day(options.scenario);
    if (options.jobs == 1) return run_share(options, 0) > 0;
    std::vector<pid_t> children;
    for (int i = 0; i < options.jobs; ++i) {
        const pid_t child = ::fork();
        if (child == 0) ::_exit(run_share(options, static_cast<std::uint64_t>(i)) > 0);
        if (child > 0) children.push_back(child);
    }
    bool failed = children.size() != static_cast<std::size_t>(options.jobs);
    for (const pid_t child : children) {
        int status = 0;
        ::waitpid(child, &status, 0);
        failed = failed || !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    }
    return failed;
}
