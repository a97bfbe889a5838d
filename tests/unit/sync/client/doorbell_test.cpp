// Doorbell against a server of this test: what a limit of its line refuses is counted.
#include "sync/client/doorbell.hpp"

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <memory>

using namespace conductor;
using namespace std::chrono_literals;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = boost::asio::ip::tcp;

namespace {

/// Logs in whoever asks, for a second; with the second login come `flood` frames, and its answer when they were read.
struct BellServer {
    using Line = beast::websocket::stream<tcp::socket>;
    static constexpr int flood = 300;

    explicit BellServer(boost::asio::io_context& io_) : io{io_}, acceptor{io_, tcp::endpoint{boost::asio::ip::address_v4::loopback(), 0}} {
        boost::asio::co_spawn(io, accept(this), boost::asio::detached);
    }
    static aio::awaitable<void> accept(BellServer* self) {
        for (;;) {
            auto [ec, socket] = co_await self->acceptor.async_accept(aio::as_value);
            if (ec) co_return;
            boost::asio::co_spawn(self->io, serve(self, std::move(socket)), boost::asio::detached);
        }
    }
    static aio::awaitable<void> serve(BellServer* self, tcp::socket socket) {
        beast::flat_buffer buffer;
        for (;;) {
            http::request<http::string_body> request;
            const auto [ec, n] = co_await http::async_read(socket, buffer, request, aio::as_value);
            if (ec) co_return;
            if (beast::websocket::is_upgrade(request)) {
                self->line = std::make_unique<Line>(std::move(socket));
                const auto [refused] = co_await self->line->async_accept(request, aio::as_value);
                if (!refused) co_await listen(self);
                co_return;
            }
            if (++self->logins == 2) co_await send_flood(self);
            http::response<http::string_body> response{http::status::ok, 11};
            response.body() = R"({"access_token": "token", "refresh_token": "next", "expires_in": 1})";
            response.prepare_payload();
            const auto [error, written] = co_await http::async_write(socket, response, aio::as_value);
            if (error) co_return;
        }
    }
    static aio::awaitable<void> listen(BellServer* self) {
        self->line->control_callback([self](beast::websocket::frame_type kind, beast::string_view) {
            if (kind == beast::websocket::frame_type::pong) self->ponged.raise();
        });
        for (beast::flat_buffer heard;; heard.clear()) {
            const auto [ec, n] = co_await self->line->async_read(heard, aio::as_value);
            if (ec) co_return;
        }
    }
    static aio::awaitable<void> send_flood(BellServer* self) {
        const std::string frame = "no frame of Phoenix";
        for (int n = 0; n < flood; ++n) {
            const auto [ec, written] = co_await self->line->async_write(boost::asio::buffer(frame), aio::as_value);
            if (ec) co_return;
        }
        const beast::websocket::ping_data empty;
        const auto [ec] = co_await self->line->async_ping(empty, aio::as_value);
        if (!ec) co_await self->ponged.wait();
    }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()); }

    boost::asio::io_context& io;
    tcp::acceptor acceptor;
    aio::Event ponged{io.get_executor()};
    std::unique_ptr<Line> line;
    int logins = 0;
};

}  // namespace

TEST_CASE("doorbell: frames that come while as many wait as may are dropped, and counted") {
    boost::asio::io_context io;
    BellServer server{io};
    sync::ClientSettings settings;
    settings.url = server.url();
    settings.keys = {"sb_publishable_example"};
    settings.email = "box-1@example.com";
    settings.password = "example-password";
    sync::Client client{io.get_executor(), Log{}, settings};
    sync::RealtimeTimes times;
    times.heartbeat = 1s;  // then it looks after its token
    sync::Doorbell bell{io.get_executor(), Log{}, client, [] {}, times};
    bell.listen({"gw-pool:main"});
    bool over = false;
    boost::asio::co_spawn(io, bell.run(), [&](std::exception_ptr) { over = true; });
    const auto& status = bell.status();
    const auto run = [&](auto until) {
        for (const Instant end = BootClock::now() + 20s; !until() && BootClock::now() < end;) io.run_one_for(10ms);
        return until();
    };
    CHECK(run([&] { return status.malformed + status.dropped >= BellServer::flood; }));
    CHECK(status.malformed == 256);
    CHECK(status.dropped == BellServer::flood - 256);
    bell.stop();
    CHECK(run([&] { return over; }));
}
