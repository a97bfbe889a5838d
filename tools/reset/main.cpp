// conductor-reset INDEX: what the unit conductor-reset@INDEX runs, as root. Exit: 0 done, 1 failed, 2 usage or configuration, 5 refused.
#include <grp.h>

#include <charconv>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

#include "tools/reset/reset.hpp"

namespace {

using namespace conductor;

int usage() {
    std::cerr << "<3>usage: conductor-reset INDEX [--config FILE] [--sys DIR] [--dev DIR] [--requests DIR] [--group NAME]\n";
    return 2;
}

int report(const Error& error) {
    std::cerr << "<3>" << error.text() << '\n';
    return error.is(reset::ResetErrc::failed) ? 1 : 5;
}

}  // namespace

int main(int argc, char** argv) {
    std::map<std::string, std::string> options{{"--config", "/etc/conductor/conductor.toml"},
                                               {"--sys", "/sys"},
                                               {"--dev", "/dev"},
                                               {"--requests", "/run/conductor/reset"},
                                               {"--group", "conductor"}};
    if (argc < 2 || argc % 2 != 0) return usage();
    const std::string word = argv[1];
    ModemIndex index = -1;
    const auto number = std::from_chars(word.data(), word.data() + word.size(), index);
    if (number.ec != std::errc{} || number.ptr != word.data() + word.size() || index < 0 || index > 63) return usage();
    for (int i = 2; i < argc; i += 2) {
        const auto option = options.find(argv[i]);
        if (option == options.end()) return usage();
        option->second = argv[i + 1];
    }
    reset::Places places{.sys = options["--sys"], .dev = options["--dev"], .requests = options["--requests"]};
    // The request goes first: whatever follows, the path unit must not find it again.
    const auto usb = reset::take_request(places.requests, index);
    if (!usb) return report(usb.error());
    const group* entry = ::getgrnam(options["--group"].c_str());
    if (!entry) {
        std::cerr << "<3>there is no group " << options["--group"] << '\n';
        return 2;
    }
    places.group = entry->gr_gid;
    std::ifstream in{options["--config"]};
    std::stringstream text;
    text << in.rdbuf();
    if (!in) {
        std::cerr << "<3>" << options["--config"] << ": cannot be read\n";
        return 2;
    }
    const auto loaded = config::parse(text.str(), options["--config"]);
    for (const auto& problem : loaded.problems) std::cerr << "<3>" << problem.text() << '\n';
    if (!loaded.problems.empty()) return 2;
    const config::Modem* modem = nullptr;
    for (const auto& one : loaded.config.modems)
        if (one.index == index) modem = &one;
    if (!modem) return report(fail(reset::ResetErrc::refused, "modem " + word + " is not in the configuration"));
    const auto plan = reset::plan(*modem, *usb, places);
    if (!plan) return report(plan.error());
    std::cerr << "<5>modem=" << index << " usb=" << *usb << " by=" << (plan->way == reset::Way::command ? plan->command[0] : plan->file)
              << '\n';
    if (const auto done = reset::perform(*plan, std::chrono::seconds{3}); !done) return report(done.error());
    return 0;
}
