// conductord: reads the configuration, wires the services, and keeps them running until SIGTERM.
#include <CLI/CLI.hpp>
#include <iostream>

#include "daemon/app/daemon.hpp"

int main(int argc, char** argv) {
    CLI::App cli{"The SMS gateway daemon. It runs in the foreground; systemd starts it."};
    conductor::app::Options options;
    cli.add_option("--config", options.config, "configuration file")->capture_default_str();
    cli.add_flag("--check", options.check, "print every problem of the configuration and exit 0 or 2");
    cli.set_version_flag("--version", std::string{"conductord "} + CONDUCTOR_VERSION);
    try {
        cli.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        const int code = cli.exit(e, std::cout, std::cerr);
        return code == 0 ? 0 : 2;
    }
    return conductor::app::run(options);
}
