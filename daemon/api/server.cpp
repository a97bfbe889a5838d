#include "daemon/api/server.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <unordered_set>

#include "daemon/api/listen.hpp"
#include "daemon/api/request_parser.hpp"

namespace conductor::api {
namespace {

namespace asio = boost::asio;
using aio::as_value;
using aio::awaitable;
using Socket = asio::basic_stream_socket<asio::generic::stream_protocol, aio::Executor>;

constexpr std::size_t head_limit = 8 * 1024;

/// One client. The coroutine that serves it owns it; the server sees it to time it out and to end it.
struct Connection {
    Connection(Socket s, Actor who, bool over_tcp) : socket{std::move(s)}, peer{std::move(who)}, tcp{over_tcp} {}
    Socket socket;
    Actor peer;  ///< of the socket; on TCP each request's token says who it is
    bool tcp;
    std::array<char, head_limit> buffer{};
    std::size_t have = 0;           ///< octets in the buffer that are not used yet
    std::optional<int> ticks_left;  ///< empty: no deadline
    enum class Phase { idle, reading, handling, writing } phase = Phase::idle;
    bool first = true;  ///< no request was read yet
    bool timed_out = false;
};
using Phase = Connection::Phase;

/// Drops what the parser used from the front of the buffer.
void consume(Connection& c, std::size_t used) {
    std::copy(c.buffer.data() + used, c.buffer.data() + c.have, c.buffer.data());
    c.have -= used;
}

std::string head_of(const Response& response, bool keep_alive) {
    std::string head = fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n",
                                   response.status, reason_phrase(response.status), response.content_type, response.body.size());
    for (const auto& [name, value] : response.headers) head += fmt::format("{}: {}\r\n", name, value);
    if (!keep_alive) head += "Connection: close\r\n";
    return head + "\r\n";
}

}  // namespace

struct Server::Impl : std::enable_shared_from_this<Server::Impl> {
    Impl(aio::Executor executor, Log l, Backend& b, ServerOptions o)
        : ex{executor}, log{std::move(l)}, backend{b}, options{std::move(o)}, control{executor}, ticker{executor}, drained{executor} {}

    aio::Executor ex;
    Log log;
    Backend& backend;
    ServerOptions options;
    ControlSocket control;
    aio::Timer ticker;
    std::optional<TcpAcceptor> tcp;
    std::unordered_set<Connection*> open;
    aio::Event drained;  ///< raised when a task of ours ends
    int tasks = 0;       ///< acceptors and connections that run
    bool stopping = false, ticking = false;
    ServerCounters counters;

    Result<void> listen();
    void stop();
    void start(awaitable<void> task);

    template <class Acceptor>
    awaitable<void> accept(Acceptor& acceptor, bool over_tcp);
    template <class Peer>
    void admit(Peer peer, bool over_tcp);
    awaitable<void> tick();

    awaitable<void> serve(std::shared_ptr<Connection> c);
    awaitable<void> turn_away(std::shared_ptr<Connection> c);
    /// One request and its response; false when the connection is to be closed.
    awaitable<bool> exchange(Connection& c);
    awaitable<bool> refuse(Connection& c, Refusal refusal);
    awaitable<bool> read_head(Connection& c, RequestParser& parser);
    awaitable<std::optional<Response>> read_body(Connection& c, RequestParser& parser, Request& request);
    awaitable<bool> fill(Connection& c);
    awaitable<bool> write(Connection& c, Response response, bool keep_alive, bool without_body = false);
    awaitable<void> linger(Connection& c);
    std::optional<Refusal> check_access(const Connection& c, const Head& head, const Match& match, Actor& actor);
    std::optional<Response> check_head(const Connection& c, const Head& head, Request& request);

    void deadline(Connection& c, std::chrono::milliseconds limit) const {
        c.ticks_left = static_cast<int>((limit + options.tick - std::chrono::milliseconds{1}) / options.tick) + 1;
    }
    /// The last that a connection does.
    void forget(Connection& c) {
        open.erase(&c);
        if (open.empty()) ticker.cancel();
    }
};

Result<void> Server::Impl::listen() {
    if (!options.socket.empty())
        if (auto opened = control.open(options.socket, options.group, log); !opened) return opened;
    if (options.listen.empty()) return {};
    const auto endpoint = parse_listen(options.listen);
    if (!endpoint) return endpoint.error();
    if (options.tls) return Error{ApiErrc::tls_unsupported, options.listen};
    if (!endpoint->address().is_loopback()) return Error{ApiErrc::tls_required, options.listen};
    if (options.tokens.empty()) return Error{ApiErrc::no_tokens};
    auto acceptor = open_tcp(ex, *endpoint);
    if (!acceptor) return acceptor.error();
    tcp.emplace(std::move(*acceptor));
    return {};
}

/// Runs a task of ours beside run(), which waits for all of them.
void Server::Impl::start(awaitable<void> task) {
    ++tasks;
    asio::co_spawn(ex, std::move(task), [self = shared_from_this()](std::exception_ptr failure) {
        --self->tasks;
        self->drained.raise();
        if (!failure) return;
        try {
            std::rethrow_exception(failure);
        } catch (const std::exception& e) {
            self->log.error("api-connection-failed", {{"why", e.what()}});
        }
    });
}

void Server::Impl::stop() {
    if (std::exchange(stopping, true)) return;
    control.close();
    boost::system::error_code ec;
    if (tcp) tcp->close(ec);
    for (Connection* c : open)
        if (c->phase == Phase::idle || c->phase == Phase::reading) c->socket.cancel(ec);
    drained.raise();
}

template <class Acceptor>
awaitable<void> Server::Impl::accept(Acceptor& acceptor, bool over_tcp) {
    while (!stopping) {
        auto [ec, peer] = co_await acceptor.async_accept(as_value);
        if (stopping || ec == asio::error::operation_aborted || ec == asio::error::bad_descriptor) co_return;
        if (ec) {  // out of descriptors, or the client is gone again
            log.warning("api-accept-failed", {{"why", ec.message()}});
            co_await aio::sleep_for(std::chrono::milliseconds{100});
            continue;
        }
        admit(std::move(peer), over_tcp);
    }
}

template <class Peer>
void Server::Impl::admit(Peer peer, bool over_tcp) {
    Actor who;
    if (!over_tcp) {
        ucred credentials{};
        socklen_t size = sizeof credentials;
        if (::getsockopt(peer.native_handle(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return;
        who.name = fmt::format("uid:{}", credentials.uid);
    }
    ++counters.connections;
    const bool full = open.size() >= options.most_connections;
    auto c = std::make_shared<Connection>(Socket{std::move(peer)}, std::move(who), over_tcp);
    open.insert(c.get());
    if (!std::exchange(ticking, true)) start(tick());
    start(full ? turn_away(std::move(c)) : serve(std::move(c)));
}

/// Ends what has waited too long. Runs only while somebody is connected.
awaitable<void> Server::Impl::tick() {
    while (!open.empty()) {
        ticker.expires_after(options.tick);
        co_await ticker.async_wait(as_value);
        for (Connection* c : open) {
            if (!c->ticks_left || --*c->ticks_left > 0) continue;
            c->ticks_left.reset();
            c->timed_out = true;
            boost::system::error_code ec;
            c->socket.cancel(ec);
        }
    }
    ticking = false;
}

awaitable<void> Server::Impl::turn_away(std::shared_ptr<Connection> c) {
    ++counters.refused_connections;
    const Refusal refusal{503, "too-many-connections", fmt::format("more than {} connections", options.most_connections)};
    co_await write(*c, error_response(refusal), false);
    co_await linger(*c);
    forget(*c);
}

awaitable<void> Server::Impl::serve(std::shared_ptr<Connection> c) {
    // Forgets the connection however its coroutine ends. (No co_await inside && or a loop's condition: g++ 12 miscompiles it.)
    struct Forget {
        Impl* self;
        Connection* connection;
        ~Forget() { self->forget(*connection); }
    };
    const Forget at_the_end{this, c.get()};
    for (bool again = true; again && !stopping;) again = co_await exchange(*c);
}

/// Reads more octets behind those that wait; false at the end, on an error, after the deadline and when the server stops.
awaitable<bool> Server::Impl::fill(Connection& c) {
    if (stopping) co_return false;  // stop() cancels a read under way, but not one whose octets are here already
    const auto space = asio::buffer(c.buffer.data() + c.have, c.buffer.size() - c.have);
    const auto [ec, n] = co_await c.socket.async_read_some(space, as_value);
    c.have += n;
    co_return !ec && !c.timed_out;
}

awaitable<bool> Server::Impl::write(Connection& c, Response response, bool keep_alive, bool without_body) {
    c.phase = Phase::writing;
    deadline(c, options.write_timeout);
    std::string head = head_of(response, keep_alive);
    if (without_body) response.body.clear();
    constexpr std::size_t copied = 4096;
    if (response.body.size() <= copied) head += std::exchange(response.body, {});
    const std::array<asio::const_buffer, 2> octets{asio::buffer(head), asio::buffer(response.body)};
    const auto [ec, n] = co_await asio::async_write(c.socket, octets, as_value);
    c.ticks_left.reset();
    co_return !ec && keep_alive;
}

/// Closes so that a client that still writes gets to read its answer: a reset would take it away. Bounded in octets and in time.
awaitable<void> Server::Impl::linger(Connection& c) {
    boost::system::error_code ignored;
    c.socket.shutdown(asio::socket_base::shutdown_send, ignored);
    c.phase = Phase::reading;
    deadline(c, std::chrono::seconds{5});
    for (std::uint64_t thrown_away = 0; thrown_away < 4 * options.batch_limit && !stopping;) {
        const auto [ec, n] = co_await c.socket.async_read_some(asio::buffer(c.buffer), as_value);
        if (ec || c.timed_out) break;
        thrown_away += n;
    }
}

/// A refusal after which the connection cannot be used again.
awaitable<bool> Server::Impl::refuse(Connection& c, Refusal refusal) {
    c.timed_out = false;
    co_await write(c, error_response(refusal), false);
    co_await linger(c);
    co_return false;
}

awaitable<bool> Server::Impl::read_head(Connection& c, RequestParser& parser) {
    c.phase = c.have > 0 ? Phase::reading : Phase::idle;
    deadline(c, std::exchange(c.first, false) || c.have > 0 ? options.header_timeout : options.idle_timeout);
    for (;;) {
        if (c.have > 0) consume(c, parser.put({c.buffer.data(), c.have}));
        if (parser.head() || parser.problem()) break;
        if (c.have == c.buffer.size()) break;
        const bool filled = co_await fill(c);
        if (!filled) break;
        if (std::exchange(c.phase, Phase::reading) == Phase::idle) deadline(c, options.header_timeout);
    }
    co_return parser.head() != nullptr;
}

/// Who asks, and may they? On the socket the file's mode has decided; on TCP the token does.
std::optional<Refusal> Server::Impl::check_access(const Connection& c, const Head& head, const Match& match, Actor& actor) {
    actor = c.peer;
    if (!c.tcp) return std::nullopt;
    if (!host_allowed(head.host, options.listen)) return Refusal{403, "bad-host", "this Host is not served here"};
    if (!origin_allowed(head.origin, head.host)) return Refusal{403, "bad-origin", "requests of other sites' pages are refused"};
    const auto holder = options.tokens.find(head.authorization);
    if (!holder) return Refusal{401, "unauthorized", "a token is needed: Authorization: Bearer TOKEN"};
    actor.name = "token:" + holder->name;
    if (match.route && match.route->scope > holder->scope) return Refusal{403, "forbidden", "this token's scope does not allow it"};
    if (head.has_body && !json_content_type(head.content_type))
        return Refusal{415, "content-type", "the content type must be application/json or application/x-ndjson"};
    return std::nullopt;
}

/// Everything that can be refused before the body is read.
std::optional<Response> Server::Impl::check_head(const Connection& c, const Head& head, Request& request) {
    request.method = head.method == "HEAD" ? "GET" : head.method;
    request.content_type = head.content_type;
    if (!parse_target(head.target, request)) return error_response(Refusal{400, "bad-request", "the request's path is malformed"});
    const Match match = find_route(request.method, request.path);
    if (const auto refusal = check_access(c, head, match, request.actor)) {
        if (refusal->status == 401 || refusal->status == 403) ++counters.unauthorized;
        Response response = error_response(*refusal);
        if (refusal->status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
        return response;
    }
    if (!match.route) return no_route(match);
    const bool batch = match.route->pattern == batch_path;
    const std::uint64_t limit = batch ? options.batch_limit : options.body_limit;
    if (batch) request.batch = std::make_unique<BatchReader>(options.most_rows);
    if (head.content_length.value_or(0) > limit) {
        ++counters.too_large;
        return error_response(Refusal{413, "body-too-large", fmt::format("the body is larger than {} octets", limit)});
    }
    return std::nullopt;
}

/// The body into the request; an answer is a refusal. A client that left is one too: nobody reads it.
awaitable<std::optional<Response>> Server::Impl::read_body(Connection& c, RequestParser& parser, Request& request) {
    const std::uint64_t limit = options.body_limit;
    bool too_large = false;
    parser.body_to([&request, &too_large, limit](std::string_view octets) {
        if (request.batch) return request.batch->feed(octets);
        too_large = too_large || request.body.size() + octets.size() > limit;
        if (!too_large) request.body += octets;
    });
    if (const auto length = parser.head()->content_length; length && !request.batch) request.body.reserve(*length);
    if (parser.head()->expects_continue && !parser.done()) {
        static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
        co_await asio::async_write(c.socket, asio::buffer(go_on), as_value);
    }
    deadline(c, options.body_timeout);
    for (;;) {
        if (c.have > 0) consume(c, parser.put({c.buffer.data(), c.have}));
        if (parser.done() || parser.problem() || too_large) break;
        if (c.have == c.buffer.size()) break;
        const bool filled = co_await fill(c);
        if (!filled) break;
    }
    c.ticks_left.reset();
    if (too_large) co_return error_response(Refusal{413, "body-too-large", fmt::format("the body is larger than {} octets", limit)});
    if (parser.problem()) co_return error_response(*parser.problem());
    if (c.timed_out) co_return error_response(Refusal{408, "timeout", "the body did not come in time"});
    if (!parser.done()) co_return error_response(Refusal{400, "bad-request", "the body is cut short"});
    co_return std::nullopt;
}

awaitable<bool> Server::Impl::exchange(Connection& c) {
    RequestParser parser{head_limit, options.batch_limit};
    const bool have_head = co_await read_head(c, parser);
    if (!have_head) {
        if (parser.problem()) {
            ++(parser.problem()->status == 413 ? counters.too_large : counters.bad_requests);
            co_return co_await refuse(c, *parser.problem());
        }
        if (!c.timed_out) co_return false;
        ++counters.timed_out;
        if (c.phase == Phase::idle) co_return false;
        Refusal late{408, "timeout", "the head of the request did not come in time"};
        co_return co_await refuse(c, std::move(late));
    }
    ++counters.requests;
    const Head& head = *parser.head();
    Request request;
    std::optional<Response> response = check_head(c, head, request);
    if (!response) response = co_await read_body(c, parser, request);
    if (std::exchange(c.timed_out, false)) ++counters.timed_out;
    const bool keep_alive = head.keep_alive && parser.done();
    if (!response) {
        c.phase = Phase::handling;
        response = co_await handle(backend, std::move(request));
    }
    log.debug("api-request", {{"method", head.method}, {"status", response->status}, {"actor", c.peer.name}});
    const bool open_still = co_await write(c, *std::move(response), keep_alive && !stopping, head.method == "HEAD");
    if (!parser.done()) co_await linger(c);
    co_return open_still;
}

Server::Server(aio::Executor ex, Log log, Backend& backend, ServerOptions options)
    : impl_{std::make_shared<Impl>(std::move(ex), std::move(log), backend, std::move(options))} {}
Server::~Server() = default;

Result<void> Server::listen() {
    return impl_->listen();
}

awaitable<void> Server::run() {
    const auto impl = impl_;
    co_await asio::this_coro::throw_if_cancelled(false);
    if (impl->control.acceptor().is_open()) impl->start(impl->accept(impl->control.acceptor(), false));
    if (impl->tcp) impl->start(impl->accept(*impl->tcp, true));
    while (impl->tasks > 0) {
        co_await impl->drained.wait();
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) impl->stop();
    }
}

void Server::stop() {
    impl_->stop();
}

void Server::set_tokens(Tokens tokens) {
    impl_->options.tokens = std::move(tokens);
}

ServerCounters Server::counters() const {
    ServerCounters now = impl_->counters;
    now.open = impl_->open.size();
    return now;
}

std::uint16_t Server::tcp_port() const {
    boost::system::error_code ec;
    return impl_->tcp ? impl_->tcp->local_endpoint(ec).port() : std::uint16_t{0};
}

}  // namespace conductor::api
