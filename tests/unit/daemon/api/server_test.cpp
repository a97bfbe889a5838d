#include "daemon/api/server.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <filesystem>
#include <future>
#include <thread>

#include "daemon/api/listen.hpp"
#include "fake_backend.hpp"

using namespace conductor;
using namespace conductor::api;
using namespace std::chrono_literals;

namespace {

struct TempDir {
    std::string path;
    TempDir() {
        char name[] = "/tmp/conductor-api-XXXXXX";
        path = ::mkdtemp(name);
    }
    ~TempDir() { std::filesystem::remove_all(path); }
};

/// A server on a thread of its own.
struct Running {
    TempDir dir;
    std::string socket = dir.path + "/control.sock";
    FakeBackend backend;
    boost::asio::io_context context{1};
    std::unique_ptr<Server> server;
    std::thread thread;
    std::promise<void> ended;

    explicit Running(ServerOptions options = {}) {
        options.socket = socket;
        if (options.tick == 1000ms) options.tick = 20ms;
        server = std::make_unique<Server>(context.get_executor(), Log{}, backend, std::move(options));
        REQUIRE(server->listen().has_value());
        boost::asio::co_spawn(context, server->run(), [this](std::exception_ptr) { ended.set_value(); });
        thread = std::thread{[this] { context.run(); }};
    }
    ~Running() {
        boost::asio::post(context, [this] { server->stop(); });
        thread.join();
    }
    ServerCounters counters() {
        std::promise<ServerCounters> p;
        boost::asio::post(context, [&] { p.set_value(server->counters()); });
        return p.get_future().get();
    }
};

/// A raw client: it sends what it is told and reads octets.
struct Client {
    int fd = -1;
    std::string pending;
    explicit Client(const std::string& path) : fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof(address.sun_path) - 1);
        REQUIRE(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        limit();
    }
    explicit Client(std::uint16_t port) : fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        limit();
    }
    ~Client() { ::close(fd); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    void limit() const {
        const timeval ten{10, 0};
        ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &ten, sizeof ten);
    }
    void send(std::string_view octets) const {
        while (!octets.empty()) {
            const auto n = ::send(fd, octets.data(), octets.size(), MSG_NOSIGNAL);
            if (n <= 0) return;
            octets.remove_prefix(static_cast<std::size_t>(n));
        }
    }
    bool more() {
        char buffer[65536];
        const auto n = ::recv(fd, buffer, sizeof buffer, 0);
        if (n <= 0) return false;
        pending.append(buffer, static_cast<std::size_t>(n));
        return true;
    }
    struct Reply {
        int status = 0;
        std::string head, body;
    };
    /// One response; status 0 when the connection ended before it was whole.
    Reply read(bool without_body = false) {
        std::size_t end = 0;
        while ((end = pending.find("\r\n\r\n")) == std::string::npos)
            if (!more()) return {};
        Reply reply;
        reply.head = pending.substr(0, end);
        reply.status = std::stoi(reply.head.substr(9, 3));
        std::size_t length = 0;
        if (const auto at = reply.head.find("Content-Length: "); at != std::string::npos) length = std::stoul(reply.head.substr(at + 16));
        if (without_body) length = 0;
        pending.erase(0, end + 4);
        while (pending.size() < length)
            if (!more()) return {};
        reply.body = pending.substr(0, length);
        pending.erase(0, length);
        return reply;
    }
    bool closed() {
        char c = 0;
        return pending.empty() && ::recv(fd, &c, 1, 0) <= 0;
    }
};

std::string post(std::string_view path, std::string_view body, std::string_view more = "") {
    return "POST " + std::string{path} + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
           std::string{more} + "\r\n" + std::string{body};
}

std::string get(std::string_view path, std::string_view more = "") {
    return "GET " + std::string{path} + " HTTP/1.1\r\nHost: localhost\r\n" + std::string{more} + "\r\n";
}

const std::string message = R"({"to":"+15550100123","text":"hello"})";

}  // namespace

TEST_CASE("server: a message is taken, and its sender is known by the socket") {
    Running run;
    Client client{run.socket};
    client.send(post("/v1/messages", message));
    const auto reply = client.read();
    CHECK(reply.status == 202);
    CHECK(nlohmann::json::parse(reply.body)["phone_number"] == "+15550100123");
    CHECK(reply.head.find("Content-Type: application/json") != std::string::npos);
    CHECK(run.backend.calls.at(0) == "submit uid:" + std::to_string(::getuid()));
}

TEST_CASE("server: requests of one connection are answered in order, pipelined, and cut at any octet") {
    Running run;
    const std::string three = post("/v1/messages", message) + get("/v1/messages/1") + get("/healthz");
    SUBCASE("at once") {
        Client client{run.socket};
        client.send(three);
        CHECK(client.read().status == 202);
        CHECK(client.read().status == 200);
        CHECK(client.read().body == "{\"ok\":true}");
    }
    SUBCASE("octet by octet") {
        Client client{run.socket};
        for (const char c : three) client.send({&c, 1});
        CHECK(client.read().status == 202);
        CHECK(client.read().status == 200);
        CHECK(client.read().body == "{\"ok\":true}");
    }
    SUBCASE("chunked") {
        Client client{run.socket};
        client.send("POST /v1/messages HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n" + message.substr(0, 16) + "\r\n");
        client.send("14\r\n" + message.substr(16) + "\r\n0\r\n\r\n" + get("/healthz"));
        CHECK(client.read().status == 202);
        CHECK(client.read().status == 200);
    }
}

TEST_CASE("server: what is no request") {
    struct Row {
        const char* name;
        std::string octets;
        int want;
    };
    const Row rows[] = {
        {"no HTTP", "hello there\r\n\r\n", 400},
        {"old version", "GET / HTTP/0.9\r\n\r\n", 400},
        {"head above 8 KiB", "GET / HTTP/1.1\r\nX: " + std::string(9000, 'x'), 431},
        {"two hosts", "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
        {"length and chunked", "POST /v1/messages HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        {"length no number", "POST /v1/messages HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400},
        {"announced above 1 MiB", "POST /v1/messages HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n", 413},
        {"announced above 16 MiB", "POST /v1/messages/batch HTTP/1.1\r\nContent-Length: 16777217\r\n\r\n", 413},
        {"above 1 MiB, sent whole", post("/v1/messages", std::string(1'048'577, ' ')), 413},
        {"far above 16 MiB, sent whole", post("/v1/messages/batch", std::string(24U << 20, ' ')), 413},
        {"no such path", get("/v1/nothing"), 404},
        {"wrong method", "DELETE /v1/status HTTP/1.1\r\n\r\n", 405},
        {"bad escape", get("/v1/messages?to=%4"), 400},
        {"bad JSON", post("/v1/messages", "{"), 400},
    };
    Running run;
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Client client{run.socket};
        client.send(row.octets);
        const auto reply = client.read();
        CHECK(reply.status == row.want);
        CHECK(reply.body.starts_with("{\"error\":{\"code\":\""));
    }
    CHECK(run.backend.calls.empty());
}

TEST_CASE("server: a body above the limit whose length was not announced") {
    Running run;
    Client client{run.socket};
    client.send("POST /v1/messages HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
    const std::string chunk = "10000\r\n" + std::string(65536, ' ') + "\r\n";
    for (int i = 0; i < 17; ++i) client.send(chunk);
    CHECK(client.read().status == 413);
}

TEST_CASE("server: a batch of 10,000 rows and 12 MiB") {
    Running run;
    Client client{run.socket};
    std::string body;
    for (int i = 0; i < 10'000; ++i)
        body += R"({"to":")" + std::string{i == 5 ? "bad" : "+15550100123"} + R"(","text":")" + std::string(1200, 'x') + "\"}\n";
    client.send(post("/v1/messages/batch", body, "Content-Type: application/x-ndjson\r\n"));
    const auto reply = client.read();
    CHECK(reply.status == 200);
    const auto answer = nlohmann::json::parse(reply.body);
    CHECK(answer["accepted"] == 9999);
    CHECK(answer["results"].size() == 10'000);
    CHECK(answer["results"][5]["http"] == 422);
    CHECK(answer["results"][6]["id"] == 6);
}

TEST_CASE("server: slow clients are timed out, quick ones are not") {
    ServerOptions options;
    options.header_timeout = 60ms;
    options.body_timeout = 60ms;
    options.idle_timeout = 2s;
    Running run{std::move(options)};
    struct Row {
        const char* name;
        std::string octets;
        int want;  ///< 0: closed without a word
    };
    const Row rows[] = {
        {"nothing sent", "", 0},
        {"half a head", "GET /healthz HT", 408},
        {"half a body", "POST /v1/messages HTTP/1.1\r\nContent-Length: 100\r\n\r\n{", 408},
    };
    Client idle{run.socket};
    idle.send(get("/healthz"));
    CHECK(idle.read().status == 200);
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Client client{run.socket};
        client.send(row.octets);
        CHECK(client.read().status == row.want);
        CHECK(client.closed());
    }
    CHECK(run.counters().timed_out == 3);
    idle.send(get("/healthz"));  // an idle connection has its own, longer limit
    CHECK(idle.read().status == 200);
}

TEST_CASE("server: connections above the limit are told so") {
    ServerOptions options;
    options.most_connections = 2;
    Running run{std::move(options)};
    Client one{run.socket}, two{run.socket};
    one.send(get("/healthz"));
    two.send(get("/healthz"));
    CHECK(one.read().status == 200);
    CHECK(two.read().status == 200);
    Client three{run.socket};
    CHECK(three.read().status == 503);
    one.send(get("/healthz"));
    CHECK(one.read().status == 200);
}

TEST_CASE("server: keep-alive, close and HEAD as asked") {
    Running run;
    Client client{run.socket};
    client.send(get("/healthz", "Connection: close\r\n"));
    const auto reply = client.read();
    CHECK(reply.status == 200);
    CHECK(reply.head.find("Connection: close") != std::string::npos);
    CHECK(client.closed());
    Client old{run.socket};
    old.send("GET /healthz HTTP/1.0\r\n\r\n");
    CHECK(old.read().status == 200);
    CHECK(old.closed());
    Client head{run.socket};
    head.send("HEAD /healthz HTTP/1.1\r\n\r\n" + get("/healthz"));
    CHECK(head.read(true).body.empty());
    CHECK(head.read().body == "{\"ok\":true}");
    Client expecting{run.socket};
    expecting.send("POST /v1/messages HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: " + std::to_string(message.size()) + "\r\n\r\n");
    CHECK(expecting.read().status == 100);
    expecting.send(message);
    CHECK(expecting.read().status == 202);
}

TEST_CASE("server: a failure of the backend is a 500, and the server goes on") {
    Running run;
    run.backend.throws = true;
    Client client{run.socket};
    client.send(post("/v1/messages", message));
    CHECK(client.read().status == 500);
    client.send(get("/healthz"));
    CHECK(client.read().status == 200);
}

TEST_CASE("server: the socket file") {
    TempDir dir;
    boost::asio::io_context context;
    FakeBackend backend;
    ServerOptions options;
    options.socket = dir.path + "/control.sock";
    const auto make = [&] { return std::make_unique<Server>(context.get_executor(), Log{}, backend, options); };

    auto first = make();
    REQUIRE(first->listen().has_value());
    struct stat info {};
    REQUIRE(::stat(options.socket.c_str(), &info) == 0);
    CHECK((info.st_mode & 07777) == 0660);

    const auto second = make()->listen();
    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().is(ApiErrc::already_running));
    CHECK(std::filesystem::exists(options.socket));  // the loser leaves the winner's file alone

    first.reset();
    CHECK_FALSE(std::filesystem::exists(options.socket));

    const int dead = ::socket(AF_UNIX, SOCK_STREAM, 0);  // what kill -9 leaves behind
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    options.socket.copy(address.sun_path, sizeof(address.sun_path) - 1);
    REQUIRE(::bind(dead, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    ::close(dead);
    CHECK(make()->listen().has_value());

    ::close(::open(options.socket.c_str(), O_CREAT | O_WRONLY, 0600));
    const auto file = make()->listen();
    REQUIRE_FALSE(file.has_value());
    CHECK(file.error().is(ApiErrc::not_a_socket));

    options.socket = dir.path + "/" + std::string(200, 'x');
    const auto longer = make()->listen();
    REQUIRE_FALSE(longer.has_value());
    CHECK(longer.error().is(ApiErrc::path_too_long));
}

TEST_CASE("server: TCP is refused where it would be unsafe") {
    boost::asio::io_context context;
    FakeBackend backend;
    const Tokens tokens = *Tokens::parse("bot:send:0123456789abcdef\n");
    struct Row {
        const char* listen;
        bool tls, with_tokens;
        ApiErrc want;
    };
    const Row rows[] = {
        {"0.0.0.0:8026", false, true, ApiErrc::tls_required},  {"[::]:8026", false, true, ApiErrc::tls_required},
        {"127.0.0.1:0", true, true, ApiErrc::tls_unsupported}, {"127.0.0.1:0", false, false, ApiErrc::no_tokens},
        {"localhost:8026", false, true, ApiErrc::address},     {"127.0.0.1", false, true, ApiErrc::address},
        {"127.0.0.1:70000", false, true, ApiErrc::address},    {"::1:8026", false, true, ApiErrc::address},
    };
    for (const Row& row : rows) {
        CAPTURE(row.listen);
        ServerOptions options;
        options.listen = row.listen;
        options.tls = row.tls;
        if (row.with_tokens) options.tokens = tokens;
        const auto got = Server{context.get_executor(), Log{}, backend, options}.listen();
        REQUIRE_FALSE(got.has_value());
        CHECK(got.error().is(row.want));
    }
}

TEST_CASE("server: TCP wants a token, its scope, a local Host and no foreign Origin") {
    ServerOptions options;
    options.listen = "127.0.0.1:0";
    options.tokens = *Tokens::parse("viewer:read:rrrrrrrrrrrrrrrr\nbot:send:ssssssssssssssss\nroot:admin:aaaaaaaaaaaaaaaa\n");
    Running run{std::move(options)};
    const std::string json = "Content-Type: application/json\r\n";
    struct Row {
        const char* name;
        std::string octets;
        int want;
    };
    const auto bearer = [](char c) { return "Authorization: Bearer " + std::string(16, c) + "\r\n"; };
    const Row rows[] = {
        {"no token", get("/v1/status"), 401},
        {"no token, no such path", get("/v1/nothing"), 401},
        {"wrong token", get("/v1/status", bearer('x')), 401},
        {"reader reads", get("/v1/status", bearer('r')), 200},
        {"reader sends", post("/v1/messages", message, bearer('r') + json), 403},
        {"sender sends", post("/v1/messages", message, bearer('s') + json), 202},
        {"sender resets a modem", post("/v1/modems/0/reset", "", bearer('s')), 403},
        {"admin resets a modem", post("/v1/modems/0/reset", "", bearer('a')), 200},
        {"form of a page", post("/v1/messages", message, bearer('s') + "Content-Type: text/plain\r\n"), 415},
        {"own origin", get("/v1/status", bearer('r') + "Origin: http://localhost\r\n"), 200},
        {"foreign origin", get("/v1/status", bearer('r') + "Origin: https://example.com\r\n"), 403},
        {"foreign host", "GET /v1/status HTTP/1.1\r\nHost: example.com:8026\r\n" + bearer('r') + "\r\n", 403},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Client client{run.server->tcp_port()};
        client.send(row.octets);
        CHECK(client.read().status == row.want);
    }
    CHECK(run.backend.calls.at(0) == "submit token:bot");
}

TEST_CASE("server: stop() ends run() though a client stays connected") {
    Running run;
    Client idle{run.socket}, half{run.socket};
    idle.send(get("/healthz"));
    CHECK(idle.read().status == 200);
    half.send("GET /hea");
    boost::asio::post(run.context, [&] { run.server->stop(); });
    CHECK(run.ended.get_future().wait_for(5s) == std::future_status::ready);
    CHECK(idle.closed());
    CHECK_FALSE(std::filesystem::exists(run.socket));
}
