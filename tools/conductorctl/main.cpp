#include <sys/time.h>
#include <unistd.h>

#include <iostream>

#include "tools/conductorctl/app.hpp"

int main(int argc, char** argv) {
    std::ios::sync_with_stdio(false);
    timeval now{};
    ::gettimeofday(&now, nullptr);
    const auto wall = conductor::from_ms(std::int64_t{now.tv_sec} * 1000 + now.tv_usec / 1000);
    const conductor::ctl::Io io{std::cin, std::cout, std::cerr, ::isatty(STDOUT_FILENO) == 1, ::isatty(STDERR_FILENO) == 1, wall};
    return conductor::ctl::run({argv + 1, argv + argc}, io);
}
