#include "tools/modemsim/control_server.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <iostream>
#include <nlohmann/json.hpp>

namespace conductor::modemsim {
namespace {

using Protocol = boost::asio::local::stream_protocol;
constexpr std::size_t line_limit = 1U << 20;

}  // namespace

struct ControlServer::Impl {
    aio::Executor executor;
    std::string path;
    Handler handler;
    Protocol::acceptor acceptor;
    bool listening = false;

    Impl(aio::Executor ex, std::string p, Handler h) : executor{ex}, path{std::move(p)}, handler{std::move(h)}, acceptor{ex} {}
};

namespace {

// The handler lives as long as the program's loop.
aio::awaitable<void> serve(Protocol::socket socket, const ControlServer::Handler& handler) {
    std::string buffer;
    for (;;) {
        auto input = boost::asio::dynamic_buffer(buffer, line_limit);
        const auto [error, size] = co_await boost::asio::async_read_until(socket, input, '\n', aio::as_value);
        if (error) co_return;
        const std::string line = buffer.substr(0, size - 1);
        buffer.erase(0, size);
        const std::string answer = handler(line) + "\n";
        const auto [failed, written] = co_await boost::asio::async_write(socket, boost::asio::buffer(answer), aio::as_value);
        if (failed) co_return;
    }
}

aio::awaitable<void> accept(Protocol::acceptor& acceptor, const ControlServer::Handler& handler) {
    for (;;) {
        auto [error, socket] = co_await acceptor.async_accept(aio::as_value);
        if (error == boost::asio::error::operation_aborted || !acceptor.is_open()) co_return;
        if (error) {
            co_await aio::sleep_for(std::chrono::milliseconds{100});
            continue;
        }
        boost::asio::co_spawn(acceptor.get_executor(), serve(std::move(socket), handler), boost::asio::detached);
    }
}

}  // namespace

ControlServer::ControlServer(aio::Executor executor, std::string path, Handler handler)
    : impl_{std::make_unique<Impl>(std::move(executor), std::move(path), std::move(handler))} {}

ControlServer::~ControlServer() {
    stop();
}

std::string ControlServer::start() {
    boost::system::error_code error;
    const Protocol::endpoint endpoint{impl_->path};
    Protocol::socket probe{impl_->executor};
    probe.connect(endpoint, error);
    if (!error) return impl_->path + ": in use";
    if (error == boost::asio::error::connection_refused) ::unlink(impl_->path.c_str());
    impl_->acceptor.open(endpoint.protocol(), error);
    const mode_t old = ::umask(0177);
    if (!error) impl_->acceptor.bind(endpoint, error);
    ::umask(old);
    if (!error) impl_->acceptor.listen(16, error);
    if (error) return impl_->path + ": " + error.message();
    impl_->listening = true;
    boost::asio::co_spawn(impl_->executor, accept(impl_->acceptor, impl_->handler), boost::asio::detached);
    return {};
}

void ControlServer::stop() {
    if (!impl_->listening) return;
    impl_->listening = false;
    boost::system::error_code ignored;
    impl_->acceptor.close(ignored);
    ::unlink(impl_->path.c_str());
}

int ask(const std::string& path, const std::string& request) {
    boost::asio::io_context io{1};
    Protocol::socket socket{io};
    boost::system::error_code error;
    socket.connect(Protocol::endpoint{path}, error);
    const std::string line = request + "\n";
    if (!error) boost::asio::write(socket, boost::asio::buffer(line), error);
    std::string answer;
    if (!error) boost::asio::read_until(socket, boost::asio::dynamic_buffer(answer), '\n', error);
    if (error) return std::cerr << "modemsim: " << path << ": " << error.message() << '\n', 3;
    std::cout << answer;
    const auto parsed = nlohmann::json::parse(answer, nullptr, false);
    return parsed.is_object() && parsed.value("ok", false) ? 0 : 1;
}

}  // namespace conductor::modemsim
