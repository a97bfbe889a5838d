// conductor-reset INDEX: what the unit conductor-reset@INDEX runs, as root; conductor-reset INDEX --on: what it runs at its end, however
// that came: nothing stays switched off. Exit: 0 done, 1 failed, 2 usage or configuration, 5 refused.
#include <grp.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

#include "tools/reset/reset.hpp"

namespace {

using namespace conductor;

int usage() {
    std::cerr
        << "<3>usage: conductor-reset INDEX [--on] [--config FILE] [--sys DIR] [--dev DIR] [--requests DIR] [--state DIR] [--group NAME]\n";
    return 2;
}

int report(const Error& error) {
    std::cerr << "<3>" << error.text() << '\n';
    return error.is(reset::ResetErrc::failed) ? 1 : 5;
}

struct Problem {
    Error error;
    int code;
};

Problem problem_of(Error error) {
    const int code = report(error);
    return {std::move(error), code};
}

/// The power cycle that was asked for; what stood in its way.
std::optional<Problem> cycle(ModemIndex index, const std::string& usb, reset::Places places, const std::string& file,
                             const std::string& group_name) {
    const group* entry = ::getgrnam(group_name.c_str());
    std::ifstream in{file};
    std::stringstream text;
    text << in.rdbuf();
    const auto bad_configuration = [](std::string what) {
        Problem problem = problem_of(fail(reset::ResetErrc::refused, std::move(what)));
        problem.code = 2;
        return problem;
    };
    if (!entry) return bad_configuration("there is no group " + group_name);
    places.group = entry->gr_gid;
    if (!in) return bad_configuration(file + ": cannot be read");
    const auto loaded = config::parse(text.str(), file);
    for (const auto& problem : loaded.problems) std::cerr << "<3>" << problem.text() << '\n';
    if (!loaded.problems.empty()) return bad_configuration(loaded.problems.front().text());
    const auto& modems = loaded.config.modems;
    const auto modem = std::find_if(modems.begin(), modems.end(), [&](const config::Modem& one) { return one.index == index; });
    if (modem == modems.end())
        return problem_of(fail(reset::ResetErrc::refused, "modem " + std::to_string(index) + " is not in the configuration"));
    const auto plan = reset::plan(*modem, usb, places);
    if (!plan) return problem_of(plan.error());
    std::cerr << "<5>modem=" << index << " usb=" << plan->usb << " by=" << (plan->way == reset::Way::command ? plan->program : plan->file)
              << '\n';
    if (const auto done = reset::perform(*plan, places.state, std::chrono::seconds{3}); !done) return problem_of(done.error());
    return std::nullopt;
}

}  // namespace

int main(int argc, char** argv) {
    std::map<std::string, std::string> options{
        {"--config", "/etc/conductor/conductor.toml"}, {"--sys", "/sys"},       {"--dev", "/dev"}, {"--requests", "/run/conductor/reset"},
        {"--state", "/run/conductor-reset"},           {"--group", "conductor"}};
    std::vector<std::string> words{argv + 1, argv + argc};
    const bool on_alone = std::erase(words, "--on") > 0;
    if (words.empty() || words.size() % 2 == 0) return usage();
    const std::string& word = words[0];
    ModemIndex index = -1;
    const auto number = std::from_chars(word.data(), word.data() + word.size(), index);
    if (number.ec != std::errc{} || number.ptr != word.data() + word.size() || index < 0 || index > 63) return usage();
    for (std::size_t i = 1; i < words.size(); i += 2) {
        const auto option = options.find(words[i]);
        if (option == options.end()) return usage();
        option->second = words[i + 1];
    }
    reset::Places places{.sys = options["--sys"], .dev = options["--dev"], .requests = options["--requests"], .state = options["--state"]};
    if (const auto on = reset::put_on(places.state, index); !on) {
        const int code = report(on.error());
        if (on_alone) return code;
    }
    if (on_alone) return 0;
    // The request goes first: whatever follows, the path unit must not find it again.
    const auto usb = reset::take_request(places.requests, index);
    if (!usb) return report(usb.error());
    const auto problem = cycle(index, *usb, std::move(places), options["--config"], options["--group"]);
    reset::tell(options["--requests"], index, problem ? problem->error.text() : "done");
    return problem ? problem->code : 0;
}
