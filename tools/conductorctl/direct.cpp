#include "tools/conductorctl/direct.hpp"

#include <boost/asio/io_context.hpp>
#include <nlohmann/json.hpp>

#include "modem/driver/report_json.hpp"

namespace conductor::ctl {

using nlohmann::json;

namespace {

/// Runs one coroutine to its end. A throw of it is a broken invariant and leaves as it is.
template <class T>
T complete(boost::asio::io_context& context, aio::awaitable<T> task) {
    std::optional<T> result;
    boost::asio::co_spawn(context, std::move(task), [&](std::exception_ptr thrown, T value) {
        if (thrown) std::rethrow_exception(thrown);
        result = std::move(value);
    });
    while (!result && context.run_one() > 0) {}
    return std::move(result.value());
}

}  // namespace

json discover_directly(const std::vector<std::string>& scan, const std::vector<ModemIndex>& taken) {
    boost::asio::io_context context{1};
    driver::FinderOptions options;
    options.scan = scan;
    options.hotplug = false;
    driver::Finder finder{context.get_executor(), Log{}, std::move(options)};
    boost::asio::co_spawn(context, finder.run(), boost::asio::detached);
    const auto ports = complete(context, finder.survey());
    finder.stop();
    context.run();  // what the finder has open is closed
    return driver::discovery_json(ports, taken);
}

json probe_directly(const std::string& port) {
    auto at = port::candidate(port);
    if (!at) return {{"error", at.error().text()}, {"missing", true}};
    boost::asio::io_context context{1};
    const auto examined = complete(context, driver::examine_port(context.get_executor(), port::open_port, *at, 115200));
    return driver::to_json(examined, port);
}

}  // namespace conductor::ctl
