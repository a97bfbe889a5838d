// conductor-quickstart: what tools/quickstart runs after it has built the programs.
#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>

#include "tools/quickstart_main/show.hpp"

int main(int argc, char** argv) {
    conductor::quickstart::Options options;
    CLI::App app{"Sends and receives messages through two simulated modems, or one message through real ones.", "quickstart"};
    app.add_flag("--serve", options.serve, "stay up afterwards, until Ctrl-C");
    app.add_flag("--keep", options.keep, "leave the folder with the database and the logs");
    app.add_option("--modem", options.modems, "send through this port instead: /dev/ttyUSB0, pty:PATH or tcp:HOST:PORT (repeatable)")
        ->expected(1)
        ->take_all();
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? 0 : 2;
    }
    conductor::quickstart::watch_signals();
    try {
        return options.modems.empty() ? conductor::quickstart::demonstrate(options) : conductor::quickstart::send_for_real(options);
    } catch (const std::exception& e) {  // a program that does not start, a folder that cannot be made
        std::cerr << "quickstart: " << e.what() << '\n';
        return 1;
    }
}
