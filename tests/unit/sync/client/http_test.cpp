// HttpClient against a server of this test that answers octets as told.
#include "sync/client/http.hpp"

#include <doctest/doctest.h>

#include <poll.h>

#include <atomic>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <random>
#include <set>
#include <thread>

#include "sync/plan/types.hpp"

using namespace conductor;
using sync::HttpClient;
using tcp = boost::asio::ip::tcp;

namespace {

/// Answers each request without a body by `answer`; empty: never. Counts connections and requests.
struct Server {
    explicit Server(boost::asio::io_context& io_) : io{io_}, acceptor{io_, tcp::endpoint{boost::asio::ip::address_v4::loopback(), 0}} {
        boost::asio::co_spawn(io, accept(this), boost::asio::detached);
    }
    static aio::awaitable<void> accept(Server* self) {
        for (;;) {
            auto [ec, socket] = co_await self->acceptor.async_accept(aio::as_value);
            if (ec) co_return;
            ++self->connections;
            if (self->hang_up) {
                socket.set_option(tcp::socket::linger{true, 0});
                socket.close();
                continue;
            }
            boost::asio::co_spawn(self->io, serve(self, std::move(socket)), boost::asio::detached);
        }
    }
    static aio::awaitable<void> serve(Server* self, tcp::socket socket) {
        boost::asio::streambuf buffer;
        for (;;) {
            const auto [ec, n] = co_await boost::asio::async_read_until(socket, buffer, "\r\n\r\n", aio::as_value);
            if (ec) co_return;
            self->last.assign(boost::asio::buffers_begin(buffer.data()), boost::asio::buffers_begin(buffer.data()) + static_cast<long>(n));
            buffer.consume(n);
            ++self->requests;
            if (self->answer.empty()) continue;
            const auto [error, written] = co_await boost::asio::async_write(socket, boost::asio::buffer(self->answer), aio::as_value);
            if (error || self->close) co_return;
        }
    }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()) + "/x"; }

    boost::asio::io_context& io;
    tcp::acceptor acceptor;
    std::string answer, last;
    bool close = false;
    bool hang_up = false;  ///< each connection, at once
    int connections = 0, requests = 0;
};

/// Resets its connections, on a thread of its own: some at once, some a moment later, some behind an answer or three.
class Resetting {
public:
    Resetting() : thread_{[this] { run(); }} {}
    ~Resetting() {
        stop_ = true;
        thread_.join();
    }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()) + "/x"; }

private:
    static bool readable(int fd, int ms) {
        pollfd one{fd, POLLIN, 0};
        return ::poll(&one, 1, ms) > 0;
    }
    void run() {
        using boost::asio::buffer;
        constexpr std::string_view answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        char in[8192];
        while (!stop_) {
            if (!readable(acceptor_.native_handle(), 10)) continue;
            boost::system::error_code gone;
            tcp::socket socket{io_};
            acceptor_.accept(socket, gone);
            const auto how = random_() % 6;
            for (auto answers = how == 5 ? 1 + random_() % 3 : 0; answers > 0 && !gone && readable(socket.native_handle(), 50); --answers) {
                socket.read_some(buffer(in), gone);
                if (!gone) boost::asio::write(socket, buffer(answer), gone);
            }
            const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds{how > 1 && how < 5 ? random_() % 200 : 0};
            while (std::chrono::steady_clock::now() < until) {}
            socket.set_option(tcp::socket::linger{true, 0}, gone);
            socket.close(gone);  // Asio's destructor would not reset it
        }
    }
    boost::asio::io_context io_;
    tcp::acceptor acceptor_{io_, tcp::endpoint{boost::asio::ip::address_v4::loopback(), 0}};
    std::mt19937 random_{7};
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

struct Fixture {
    boost::asio::io_context io;
    Server server{io};

    HttpClient::Request get(std::chrono::milliseconds timeout = std::chrono::seconds{5}) const {
        HttpClient::Request request;
        request.method = "GET";
        request.url = server.url();
        request.timeout = timeout;
        return request;
    }
    /// Performs `n` requests at once.
    std::vector<Result<HttpClient::Response>> perform(HttpClient& client, const HttpClient::Request& request, int n = 1) {
        std::vector<Result<HttpClient::Response>> out;
        for (int i = 0; i < n; ++i)
            boost::asio::co_spawn(io, client.perform(request), [&](std::exception_ptr e, Result<HttpClient::Response> response) {
                REQUIRE_FALSE(e);
                out.push_back(std::move(response));
            });
        io.restart();
        const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds{20};
        while (out.size() < static_cast<std::size_t>(n) && std::chrono::steady_clock::now() < patience) io.run_one_until(patience);
        return out;
    }
};

}  // namespace

TEST_CASE("HttpClient: status, body and Retry-After; the connection is kept") {
    Fixture f;
    HttpClient client{f.io.get_executor()};
    f.server.answer = "HTTP/1.1 503 Busy\r\nretry-AFTER: 7\r\nContent-Length: 4\r\n\r\nbody";
    for (int i = 0; i < 3; ++i) {
        const auto got = f.perform(client, f.get());
        REQUIRE(got[0].has_value());
        CHECK(got[0]->status == 503);
        CHECK(got[0]->body == "body");
        CHECK(got[0]->retry_after == std::chrono::seconds{7});
    }
    CHECK(f.server.requests == 3);
    CHECK(f.server.connections == 1);
    CHECK(f.server.last.starts_with("GET /x HTTP/1.1\r\n"));
    CHECK(f.server.last.find("User-Agent: conductor/") != std::string::npos);
}

TEST_CASE("HttpClient: many at once, over a few connections") {
    Fixture f;
    HttpClient client{f.io.get_executor()};
    f.server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    const auto got = f.perform(client, f.get(), 50);
    CHECK(got.size() == 50);
    for (const auto& response : got) CHECK((response.has_value() && response->body == "ok"));
    CHECK(f.server.requests == 50);
    CHECK(f.server.connections <= 4);
}

TEST_CASE("HttpClient: transport errors are errors of transport, and the next call works") {
    Fixture f;
    sync::HttpSettings settings;
    settings.body_limit = 100;
    HttpClient client{f.io.get_executor(), settings};
    SUBCASE("nobody listens") {
        auto request = f.get();
        request.url = "http://127.0.0.1:1/";
        const auto got = f.perform(client, request);
        REQUIRE_FALSE(got[0].has_value());
        CHECK(got[0].error().is(sync::SyncErrc::transport));
    }
    SUBCASE("no answer in time") {
        f.server.answer = "";
        const auto got = f.perform(client, f.get(std::chrono::milliseconds{50}));
        REQUIRE_FALSE(got[0].has_value());
        CHECK(got[0].error().is(sync::SyncErrc::transport));
    }
    SUBCASE("a body above the limit") {
        f.server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n" + std::string(101, 'x');
        const auto got = f.perform(client, f.get());
        REQUIRE_FALSE(got[0].has_value());
        CHECK(got[0].error().is(sync::SyncErrc::transport));
    }
    SUBCASE("cut in the middle of the body") {
        f.server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf";
        f.server.close = true;
        const auto got = f.perform(client, f.get());
        REQUIRE_FALSE(got[0].has_value());
        CHECK(got[0].error().is(sync::SyncErrc::transport));
        f.server.close = false;
    }
    SUBCASE("another protocol") {
        auto request = f.get();
        request.url = "file:///etc/hostname";
        const auto got = f.perform(client, request);
        REQUIRE_FALSE(got[0].has_value());
        CHECK(got[0].error().is(sync::SyncErrc::transport));
    }
    f.server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    const auto next = f.perform(client, f.get());
    REQUIRE(next[0].has_value());
    CHECK(next[0]->body == "ok");
}

TEST_CASE("HttpClient: of several calls at once each ends, whatever becomes of the connections") {
    Fixture f;
    HttpClient client{f.io.get_executor()};
    SUBCASE("hung up on") {
        for (int round = 0; round < 100; ++round) {
            f.server.hang_up = round % 4 != 3;
            f.server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
            f.server.close = round % 8 == 7;
            REQUIRE(f.perform(client, f.get(), 1 + round % 7).size() == static_cast<std::size_t>(1 + round % 7));
        }
    }
    SUBCASE("reset while the request is sent") {
        const Resetting server;
        auto request = f.get(std::chrono::seconds{2});
        request.url = server.url();
        request.method = "POST";
        int while_sent = 0;  // libcurl 7.88 would then keep the next call waiting, where that may wait for a connection
        for (int n = 0; n < 10'000 && while_sent < 3; ++n) {
            request.body.assign(static_cast<std::size_t>(n % 3000), 'x');
            const auto got = f.perform(client, request);
            REQUIRE(got.size() == 1);
            if (got[0]) continue;
            CAPTURE(got[0].error().text());
            REQUIRE(got[0].error().text().find("libcurl") == std::string::npos);
            while_sent += got[0].error().text().find("sending") != std::string::npos;
        }
        MESSAGE("reset while it was sent: " << while_sent);
    }
    SUBCASE("no answer: those that wait for a connection too") {
        const auto got = f.perform(client, f.get(std::chrono::milliseconds{100}), 12);
        REQUIRE(got.size() == 12);
        for (const auto& one : got) CHECK_FALSE(one.has_value());
    }
}

TEST_CASE("HttpClient: a cancelled call ends at once and leaves the client usable") {
    Fixture f;
    HttpClient client{f.io.get_executor()};
    f.server.answer = "";
    boost::asio::cancellation_signal signal;
    bool ended = false;
    const auto when_done = [&](std::exception_ptr, Result<HttpClient::Response> response) {
        ended = true;
        CHECK_FALSE(response.has_value());
    };
    boost::asio::co_spawn(f.io, client.perform(f.get()), boost::asio::bind_cancellation_slot(signal.slot(), when_done));
    while (f.server.requests == 0) f.io.run_one();
    signal.emit(boost::asio::cancellation_type::terminal);
    while (!ended) f.io.run_one();
    f.server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    const auto next = f.perform(client, f.get());
    REQUIRE(next[0].has_value());
    CHECK(next[0]->body == "ok");
}

TEST_CASE("HttpClient: never used, or destroyed with open connections") {
    Fixture f;
    { const HttpClient unused{f.io.get_executor()}; }
    f.server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    {
        HttpClient client{f.io.get_executor()};
        CHECK(f.perform(client, f.get(), 3).size() == 3);
    }
    f.server.acceptor.close();
    f.io.restart();
    f.io.run();  // nothing of the client is left: the server's connections end, and so does this
    CHECK(f.server.requests == 3);
}
